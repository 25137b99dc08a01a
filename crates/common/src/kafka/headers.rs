//! The headers that tie a message to its run: written by the producer, read by whoever measures.

/// The run that sent the message.
pub const RUN_ID: &str = "run-id";
/// The message's number in its run, from 0, decimal.
pub const SEQUENCE: &str = "seq";
/// When the message was sent: microseconds since the Unix epoch, decimal.
pub const SENT_US: &str = "sent-us";
/// W3C trace context.
pub const TRACEPARENT: &str = "traceparent";

/// The microseconds inside a [`SENT_US`] value: decimal digits and nothing else, at most 18, which no overflow can come of.
pub fn micros(sent_us: &[u8]) -> Option<i64> {
    let well_formed = (1..=18).contains(&sent_us.len()) && sent_us.iter().all(u8::is_ascii_digit);
    well_formed.then(|| sent_us.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

/// The trace id inside a `traceparent` value, when that is well-formed: `00-<32 hex>-<16 hex>-<2 hex>`.
pub fn trace_id(traceparent: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(traceparent).ok()?;
    let id = text.get(3..35)?;
    let well_formed = text.as_bytes().get(2) == Some(&b'-')
        && text.as_bytes().get(35) == Some(&b'-')
        && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    (well_formed && id.bytes().any(|byte| byte != b'0')).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::{micros, trace_id};

    #[test]
    fn only_digits_are_a_time() {
        assert_eq!(micros(b"1795460885374581"), Some(1_795_460_885_374_581));
        assert_eq!(micros(b"999999999999999999"), Some(999_999_999_999_999_999));
        for bad in ["", "-1", "+1", " 1", "1.5", "yesterday", "1000000000000000000"] {
            assert_eq!(micros(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn only_well_formed_trace_ids_are_taken() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(format!("00-{id}-00f067aa0ba902b7-01").as_bytes()), Some(id));
        for bad in [
            "",
            "00-4bf92f",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        ] {
            assert_eq!(trace_id(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(trace_id(&[0xff; 55]), None);
    }
}
