//! The message that is sent when nothing else is asked for.

use super::context::Context;

/// `{"dev":true,"run_id":"...","seq":17,"time":"2026-11-23T11:15:27.123456Z"}`, the fields always in this order.
pub(super) struct Demo {
    /// Everything in front of the sequence number, escaped once.
    head: Vec<u8>,
}

impl Demo {
    pub fn new(run_id: &str) -> Demo {
        let run_id = serde_json::Value::from(run_id);
        Demo { head: format!(r#"{{"dev":true,"run_id":{run_id},"seq":"#).into_bytes() }
    }

    pub fn render(&self, context: &mut Context, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        context.push_sequence(out);
        out.extend_from_slice(br#","time":""#);
        context.push_time(out);
        out.extend_from_slice(br#""}"#);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo(run_id: &str) -> String {
        let mut context = Context::new(run_id, "host", 0);
        context.begin(17, 1_795_432_527_123_456);
        let mut out = Vec::new();
        Demo::new(run_id).render(&mut context, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn has_the_documented_form() {
        let expected = r#"{"dev":true,"run_id":"abc","seq":17,"time":"2026-11-23T11:15:27.123456Z"}"#;
        assert_eq!(demo("abc"), expected);
    }

    #[test]
    fn escapes_the_run_id() {
        assert!(demo("a\"b\\\n").starts_with(r#"{"dev":true,"run_id":"a\"b\\\n","seq":17,"#));
    }
}
