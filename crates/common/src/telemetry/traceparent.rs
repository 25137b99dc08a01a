//! The header that carries a trace from the producer to the consumer: `traceparent` of W3C Trace Context.

/// Name of the header.
pub const TRACEPARENT: &str = "traceparent";
/// Name of the header with what tracing systems add. It is passed on as it is.
pub const TRACESTATE: &str = "tracestate";
/// Bytes of a value of version 00, the only one that is written.
pub const BYTES: usize = 55;

/// Where in a value the last digit of its flags stands.
const FLAGS_AT: usize = 54;
const SAMPLED: u8 = 1;

/// Where a span stands: its trace, its own id, and whether it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The span that the next one is a child of.
    pub span_id: [u8; 8],
    /// Whether the trace is recorded.
    pub sampled: bool,
}

impl Traceparent {
    /// Reads a header's value. `None` for one that is malformed, whose ids are zero, or whose version has no such form.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (head, rest) = value.split_first_chunk::<BYTES>()?;
        let later = match &head[..2] {
            b"00" => false,
            b"ff" => return None,
            _ => true,
        };
        // Later versions may only append.
        let goes_on = if later { rest.first().is_none_or(|next| *next == b'-') } else { rest.is_empty() };
        if !goes_on || head[2] != b'-' || head[35] != b'-' || head[52] != b'-' {
            return None;
        }
        let ([_version], trace_id, span_id) = (hex(&head[..2])?, hex(&head[3..35])?, hex(&head[36..52])?);
        let [flags] = hex(&head[53..])?;
        let is_known = trace_id != [0; 16] && span_id != [0; 8];
        is_known.then_some(Self { trace_id, span_id, sampled: flags & SAMPLED != 0 })
    }

    /// The header's value.
    pub fn write(&self) -> [u8; BYTES] {
        let mut value = *b"00-00000000000000000000000000000000-0000000000000000-00";
        digits(&self.trace_id, &mut value[3..35]);
        digits(&self.span_id, &mut value[36..52]);
        value[FLAGS_AT] |= u8::from(self.sampled);
        value
    }
}

/// The trace id inside a value, if the value has one in the place of version 00: 32 digits, not all zero.
pub fn trace_id(value: &[u8]) -> Option<&str> {
    let id = value.get(3..35)?;
    let is_marked = value[2] == b'-' && value.get(35) == Some(&b'-');
    let is_hex = id.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte));
    let is_well = is_marked && is_hex && id.iter().any(|byte| *byte != b'0');
    if is_well { std::str::from_utf8(id).ok() } else { None }
}

/// Whether a value has the form of version 00 and its flags say that its trace is not recorded: a look at five bytes, for what is
/// asked of each record. Whether its ids are well-formed matters only where a span is made.
#[inline]
pub fn is_declined(value: &[u8]) -> bool {
    let has_form = value.len() == BYTES && value[2] == b'-' && value[35] == b'-' && value[52] == b'-';
    has_form && !is_flagged(value)
}

/// Whether the flags of a value say that its trace is recorded, by one byte. Values that [`Traceparent::parse`] takes give the same
/// answer there.
#[inline]
pub fn is_flagged(value: &[u8]) -> bool {
    // The lowest bit of a digit is that of its number, and of a letter the opposite.
    value.get(FLAGS_AT).is_some_and(|digit| (digit ^ digit >> 6) & SAMPLED != 0)
}

/// The id as people and lines of the log write it.
pub fn text_of(trace_id: &[u8; 16]) -> [u8; 32] {
    let mut text = [0; 32];
    digits(trace_id, &mut text);
    text
}

/// Writes bytes as hexadecimal digits; `text` has room for two a byte.
fn digits(bytes: &[u8], text: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0xf)];
    }
}

/// The bytes that lower-case digits stand for.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_written_is_read() {
        let parsed = Traceparent::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(parsed.write(), GOOD.as_bytes());
        assert!(parsed.sampled && is_flagged(GOOD.as_bytes()));
        let not = Traceparent { sampled: false, ..parsed };
        assert_eq!(Traceparent::parse(&not.write()), Some(not));
        assert!(!is_flagged(&not.write()) && is_declined(&not.write()) && !is_declined(GOOD.as_bytes()));
        assert!(!is_declined(b"") && !is_declined(&[b'0'; BYTES]));
        assert_eq!(text_of(&parsed.trace_id), GOOD.as_bytes()[3..35]);
        assert_eq!(trace_id(GOOD.as_bytes()), Some(&GOOD[3..35]));
    }

    #[test]
    fn every_digit_of_the_flags_says_the_same_to_both() {
        for flags in 0..=u8::MAX {
            let value = format!("{}{flags:02x}", &GOOD[..53]);
            let parsed = Traceparent::parse(value.as_bytes()).unwrap();
            assert_eq!((parsed.sampled, is_flagged(value.as_bytes())), (flags & 1 != 0, flags & 1 != 0), "{value}");
        }
    }

    #[test]
    fn what_is_malformed_is_no_context() {
        for bad in [
            "",
            "00",
            "00-4bf92f",
            &GOOD[..54],
            &format!("{GOOD}-more"),
            &format!("ff{}", &GOOD[2..]),
            &format!("0g{}", &GOOD[2..]),
            &format!("cc{}x", &GOOD[2..]),
            &GOOD.to_uppercase(),
            &GOOD.replace('-', "_"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ] {
            assert_eq!(Traceparent::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(Traceparent::parse(&[0xff; 55]), None);
        assert!(Traceparent::parse(format!("cc{}-more", &GOOD[2..]).as_bytes()).is_some(), "a later version");
        for bad in ["", "00-4bf92f", &GOOD.to_uppercase(), "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
            assert_eq!(trace_id(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(trace_id(&[0xff; 55]), None);
    }
}
