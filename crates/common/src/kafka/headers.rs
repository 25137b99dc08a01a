//! The header of a trace, by W3C Trace Context. The header of a run is in `stamp.rs`.

/// Name of the header.
pub const TRACEPARENT: &str = "traceparent";

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
    use super::trace_id;

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
