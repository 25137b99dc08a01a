//! Looks for a secret in what a program lets out: as it is, and in the forms that clients put it into.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};

/// A secret and its other forms.
pub struct Needle(Vec<(&'static str, String)>);

impl Needle {
    /// A secret that one of these users or clients has.
    pub fn new(secret: &str, users: &[&str]) -> Self {
        let mut forms = vec![("as it is", secret.to_owned())];
        let encoded = percent_encoded(secret);
        if encoded != secret {
            forms.push(("percent-encoded", encoded.clone()));
        }
        let escaped = serde_json::Value::from(secret).to_string();
        let escaped = escaped.trim_matches('"');
        if escaped != secret {
            forms.push(("as JSON", escaped.to_owned()));
        }
        forms.push(("in base64", BASE64_STANDARD_NO_PAD.encode(secret)));
        forms.push(("in hexadecimal", secret.bytes().map(|byte| format!("{byte:02x}")).collect()));
        for user in users {
            // HTTP's Basic scheme, and the initial response of SASL PLAIN.
            for pair in [format!("{user}:{secret}"), format!("{user}:{encoded}"), format!("\0{user}\0{secret}")] {
                forms.push(("in base64 with its user", BASE64_STANDARD.encode(pair)));
            }
        }
        Self(forms)
    }

    /// The form in which it is in a text, if it is.
    pub fn find(&self, text: &str) -> Option<&'static str> {
        self.0.iter().find(|(_, form)| text.contains(form)).map(|(name, _)| *name)
    }
}

/// All but letters, digits and hyphens.
fn percent_encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_each_form_and_nothing_else_is() {
        let needle = Needle::new("pass/1 \"2", &["alice", "bob"]);
        let found = |text: &str| needle.find(text);
        assert_eq!(found("before pass/1 \"2 after"), Some("as it is"));
        assert_eq!(found("secret=pass%2F1%20%222&"), Some("percent-encoded"));
        assert_eq!(found(r#"{"a":"pass/1 \"2"}"#), Some("as JSON"));
        assert_eq!(found("cGFzcy8xICIy"), Some("in base64"));
        assert_eq!(found("706173732f31202232"), Some("in hexadecimal"));
        assert_eq!(found(&BASE64_STANDARD.encode("bob:pass/1 \"2")), Some("in base64 with its user"));
        assert_eq!(found(&BASE64_STANDARD.encode("\0alice\0pass/1 \"2")), Some("in base64 with its user"));
        assert_eq!(found("pass/1 2 [redacted] alice bob"), None);
        assert_eq!(found(""), None);
    }
}
