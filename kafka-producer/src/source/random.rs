//! Random text, drawn symbol by symbol, and how far parts of a text that was drawn once may move.

/// How far slices move through the pool. Beyond a megabyte, so that a batch (`batch.size`, a million bytes by default) holds
/// no part of the pool twice; a prime, so that steps of any other size reach every offset.
pub(super) const RANGE: usize = 1_048_583;

/// Appends `count` symbols drawn from `symbols`.
///
/// One draw serves ten symbols: each takes the high part of a multiplication and leaves the low part to the next. With at most
/// 64 symbols that uses 60 of the 64 bits, so the bias is far below what any reader of the text could find.
pub(super) fn push_random(rng: &mut fastrand::Rng, symbols: &[u8], mut count: usize, out: &mut Vec<u8>) {
    const A_DRAW: usize = 10;
    out.reserve(count);
    while count > 0 {
        let mut chance = rng.u64(..);
        let now = count.min(A_DRAW);
        for _ in 0..now {
            let product = u128::from(chance) * symbols.len() as u128;
            out.push(symbols[(product >> 64) as usize]);
            chance = product as u64;
        }
        count -= now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_text_uses_every_symbol_evenly() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut out = Vec::new();
        push_random(&mut rng, b"abcd", 40_003, &mut out);
        assert_eq!(out.len(), 40_003);
        for symbol in b"abcd" {
            let count = out.iter().filter(|byte| *byte == symbol).count();
            assert!((9_000..11_000).contains(&count), "{count} of {symbol}");
        }
    }
}
