//! What is looked for in records: texts or expressions, compared as bytes.

use consume::Record;
use memchr::memmem;
use regex_automata::meta::{BuildError, Regex};
use regex_automata::util::syntax;

/// What is looked for in bytes. It is made once and not for each record.
#[derive(Clone, Debug)]
pub enum Finder {
    /// This text, as it is.
    Text(Box<memmem::Finder<'static>>),
    /// This regular expression.
    Expression(Regex),
}

impl Finder {
    /// Looks for a text.
    pub fn text(text: &str) -> Self {
        Self::Text(Box::new(memmem::Finder::new(text.as_bytes()).into_owned()))
    }

    /// Looks for a regular expression over bytes: classes such as `\w` are ASCII's, and `.` is any byte but a line feed.
    ///
    /// # Errors
    /// It is no regular expression.
    pub fn expression(text: &str) -> Result<Self, Box<BuildError>> {
        let bytes = syntax::Config::new().unicode(false).utf8(false);
        Regex::builder().syntax(bytes).build(text).map(Self::Expression).map_err(Box::new)
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Text(finder) => finder.find(bytes).is_some(),
            Self::Expression(regex) => regex.is_match(bytes),
        }
    }
}

/// What is looked for in a record.
#[derive(Clone, Debug, Default)]
pub struct Matching {
    /// In its key.
    pub key: Option<Finder>,
    /// In its value.
    pub value: Option<Finder>,
    /// In the value of the header of this name.
    pub header: Option<(Vec<u8>, Finder)>,
}

impl Matching {
    /// Whether anything is looked for.
    pub const fn is_any(&self) -> bool {
        self.key.is_some() || self.value.is_some() || self.header.is_some()
    }

    /// Whether the record has all that is looked for.
    pub fn is_met(&self, record: &Record<'_>) -> bool {
        // From the cheapest to the dearest.
        contains(self.key.as_ref(), record.key)
            && self.header.as_ref().is_none_or(|(name, finder)| {
                record.headers.clone().any(|(found, value)| found == name.as_slice() && contains(Some(finder), value))
            })
            && contains(self.value.as_ref(), record.value)
    }
}

/// Whether the bytes contain what is looked for. Nothing contains nothing.
fn contains(finder: Option<&Finder>, bytes: Option<&[u8]>) -> bool {
    finder.is_none_or(|finder| bytes.is_some_and(|bytes| finder.is_in(bytes)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn bytes_are_found_in_bytes_and_nothing_in_nothing() {
        let finder = Finder::text("b\u{e9}");
        assert!(contains(None, None) && contains(None, Some(b"a")));
        assert!(contains(Some(&finder), Some("ab\u{e9}c".as_bytes())));
        assert!(!contains(Some(&finder), Some(b"abec\xff")));
        assert!(!contains(Some(&finder), None));
        assert!(contains(Some(&Finder::text("")), Some(b"")) && !contains(Some(&Finder::text("")), None));
    }

    #[test]
    fn expressions_are_over_bytes() {
        for (expression, bytes, is_found) in [
            (r"^k[0-3]$", &b"k3"[..], true),
            (r"^k[0-3]$", b"k33", false),
            (r"(?i)ACME", b"acme-inc", true),
            (r"\d{3}", b"\xff123", true),
            (r"\xff", b"a\xffb", true),
            ("\u{e9}", "caf\u{e9}".as_bytes(), true),
        ] {
            assert_eq!(Finder::expression(expression).unwrap().is_in(bytes), is_found, "{expression}");
        }
        assert!(Finder::expression("(").is_err());
    }

    #[test]
    fn nothing_to_look_for_is_no_matching() {
        assert!(!Matching::default().is_any());
        assert!(Matching { key: Some(Finder::text("a")), ..Matching::default() }.is_any());
    }
}
