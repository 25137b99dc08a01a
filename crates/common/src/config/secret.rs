//! Values that are never printed.

use std::fmt;
use std::path::Path;

/// A password, a key, a client secret. Its `Debug` and `Display` print `[redacted]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// What stands for a secret wherever one would be printed.
pub const REDACTED: &str = "[redacted]";

/// A secret's file is at most this long; anything longer is the wrong file.
const MAX_BYTES: u64 = 64 * 1024;

impl Secret {
    /// Wraps a value that must not be printed.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// A secret from a file, without the line break that editors and `kubectl create secret` leave at its end.
    ///
    /// # Errors
    /// Why the file holds no secret; never what it holds.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let metadata = std::fs::metadata(path).map_err(|error| format!("the file cannot be read: {error}"))?;
        if metadata.len() > MAX_BYTES {
            return Err(format!("the file has {} bytes, a secret has at most {MAX_BYTES}", metadata.len()));
        }
        let bytes = std::fs::read(path).map_err(|error| format!("the file cannot be read: {error}"))?;
        let text = String::from_utf8(bytes).map_err(|_| "the file is not UTF-8".to_owned())?;
        match without_line_break(&text) {
            "" => Err("the file is empty".to_owned()),
            secret => Ok(Self::new(secret)),
        }
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

/// A text without the line breaks at its end.
pub(super) fn without_line_break(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n'])
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
