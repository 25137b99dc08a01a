//! Values that are never printed.

use std::fmt;

/// A password, a key, a client secret. Its `Debug` and `Display` print `[redacted]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// What stands for a secret wherever one would be printed.
pub const REDACTED: &str = "[redacted]";

impl Secret {
    /// Wraps a value that must not be printed.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for handing to the library that needs it, and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// Whether a property's value must never be printed.
pub fn is_secret(key: &str) -> bool {
    ["password", "secret", "passphrase", "key.pem", "jaas"].iter().any(|word| key.contains(word))
        || key == "sasl.oauthbearer.config"
}

/// A text with the user and password taken out of each URL in it. Rather too much than too little: a password may hold
/// what ends the host of a URL.
pub fn without_credentials(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        result.push_str(before);
        let url = &after[..after.find(|end: char| end.is_whitespace() || end == '"').unwrap_or(after.len())];
        let authority = &url[..url.find(['/', '?', '#']).unwrap_or(url.len())];
        let encoded = authority.to_ascii_lowercase().rfind("%40").map(|at| at + "%40".len());
        let end = url.rfind('@').map(|at| at + 1).max(encoded);
        if end.is_some() {
            result.push_str(REDACTED);
            result.push('@');
        }
        rest = &after[end.unwrap_or(0)..];
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_printed() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "[redacted] [redacted] Some([redacted])");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn urls_are_printed_without_their_credentials() {
        let cases = [
            ("no URL: a@b", "no URL: a@b"),
            ("https://host/path", "https://host/path"),
            ("`http://id:hunter2@host/t` and http://x", "`http://[redacted]@host/t` and http://x"),
            ("a://u:hunter2@h, b://u:hun/ter2@h", "a://[redacted]@h, b://[redacted]@h"),
            ("http://id%3Ahunter2%40host/t", "http://[redacted]@host/t"),
            ("http://u:hun?ter2@h/://x", "http://[redacted]@h/://x"),
            ("://", "://"),
        ];
        for (text, shown) in cases {
            assert_eq!(without_credentials(text), shown);
        }
    }
}
