//! Values of a fixed size, for load.

use super::message::push_number;
use super::random::{RANGE, push_random};

/// What the text of a payload is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PayloadKind {
    /// Random text of 64 symbols. No codec finds repeats in it; one that packs symbols still saves up to a quarter.
    #[default]
    Random,
    /// Words in random order, the sequence number first, which compress about as well as log lines do.
    Compressible,
}

const SYMBOLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const WORDS: [&str; 32] = [
    "account",
    "arrived",
    "bridge",
    "carriage",
    "closed",
    "delayed",
    "depot",
    "direction",
    "door",
    "engine",
    "express",
    "freight",
    "gate",
    "junction",
    "level",
    "line",
    "local",
    "minutes",
    "north",
    "open",
    "passenger",
    "platform",
    "point",
    "route",
    "section",
    "signal",
    "speed",
    "station",
    "stop",
    "ticket",
    "track",
    "train",
];

/// Slices of one pool of text that is made at the start, so that a message costs a copy.
pub(super) struct Payload {
    kind: PayloadKind,
    size: usize,
    pool: Vec<u8>,
    offset: usize,
    step: usize,
}

impl Payload {
    pub fn new(size: usize, kind: PayloadKind, rng: &mut fastrand::Rng) -> Payload {
        let length = if size == 0 { 0 } else { RANGE + size };
        let mut pool = Vec::with_capacity(length);
        match kind {
            PayloadKind::Random => push_random(rng, SYMBOLS, length, &mut pool),
            PayloadKind::Compressible => {
                while pool.len() < length {
                    let word = WORDS[rng.usize(..WORDS.len())].as_bytes();
                    pool.extend_from_slice(&word[..word.len().min(length - pool.len())]);
                    if pool.len() < length {
                        pool.push(b' ');
                    }
                }
            }
        }
        // A size that is a multiple of the range would stand still.
        let step = match size % RANGE {
            0 => 1,
            step => step,
        };
        Payload { kind, size, pool, offset: 0, step }
    }

    pub fn render(&mut self, sequence: u64, out: &mut Vec<u8>) {
        if self.kind == PayloadKind::Compressible {
            push_number(sequence, out);
            // Too small for the number: its end differs from message to message, its beginning does not.
            out.drain(..out.len().saturating_sub(self.size));
            if out.len() < self.size {
                out.push(b' ');
            }
        }
        let missing = self.size - out.len();
        if missing > 0 {
            out.extend_from_slice(&self.pool[self.offset..self.offset + missing]);
            self.offset = (self.offset + self.step) % RANGE;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::io::Write;

    use super::*;

    fn payloads(size: usize, kind: PayloadKind, count: u64) -> Vec<String> {
        let mut payload = Payload::new(size, kind, &mut fastrand::Rng::with_seed(1));
        (0..count)
            .map(|sequence| {
                let mut out = Vec::new();
                payload.render(sequence, &mut out);
                String::from_utf8_lossy(&out).into_owned()
            })
            .collect()
    }

    fn compressed(text: &str) -> usize {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).map_or(0, |bytes| bytes.len())
    }

    #[test]
    fn have_the_size_asked_for() {
        for kind in [PayloadKind::Random, PayloadKind::Compressible] {
            for size in [0, 1, 2, 3, 9, 100, 1000, RANGE, RANGE + 1, 2 * RANGE] {
                assert!(payloads(size, kind, 12).iter().all(|text| text.len() == size), "{kind:?} {size}");
            }
        }
    }

    #[test]
    fn differ_from_message_to_message() {
        for kind in [PayloadKind::Random, PayloadKind::Compressible] {
            for size in [20, 1000, RANGE] {
                let all = payloads(size, kind, 50);
                assert_eq!(all.iter().collect::<HashSet<_>>().len(), 50, "{kind:?} {size}");
            }
        }
        assert_eq!(payloads(2, PayloadKind::Compressible, 100).last().map(String::as_str), Some("99"));
        assert_eq!(payloads(1, PayloadKind::Compressible, 13).last().map(String::as_str), Some("2"));
    }

    #[test]
    fn compressible_text_begins_with_the_number() {
        assert!(payloads(40, PayloadKind::Compressible, 18)[17].starts_with("17 "));
    }

    #[test]
    fn a_batch_compresses_as_its_kind_says() {
        let random = payloads(1000, PayloadKind::Random, 900).concat();
        assert!(compressed(&random) * 100 > random.len() * 74, "{}", compressed(&random));
        let words = payloads(1000, PayloadKind::Compressible, 900).concat();
        assert!(compressed(&words) * 2 < words.len(), "{}", compressed(&words));
    }

    #[test]
    fn runs_differ() {
        let of_seed = |seed| {
            let mut out = Vec::new();
            Payload::new(100, PayloadKind::Random, &mut fastrand::Rng::with_seed(seed)).render(0, &mut out);
            out
        };
        assert_ne!(of_seed(1), of_seed(2));
    }
}
