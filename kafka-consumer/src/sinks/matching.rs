//! Which records are shown: those with all that is looked for. The others are read and passed over.

use std::time::Instant;

use consume::{Commit, Fault, News, Record, Sink};
use memchr::memmem::Finder;

/// What is looked for in a record, as bytes; a searcher is made once and not for each record.
#[derive(Clone, Debug, Default)]
pub struct Matching {
    key: Option<Finder<'static>>,
    value: Option<Finder<'static>>,
    header: Option<(Vec<u8>, Finder<'static>)>,
}

impl Matching {
    /// Looks for these texts; `None` when there are none. A header is its name and what its value contains.
    pub fn new(key: Option<&str>, value: Option<&str>, header: Option<(&str, &str)>) -> Option<Self> {
        let finder = |text: &str| Finder::new(text.as_bytes()).into_owned();
        let matching = Self {
            key: key.map(finder),
            value: value.map(finder),
            header: header.map(|(name, value)| (name.as_bytes().to_vec(), finder(value))),
        };
        let is_any = matching.key.is_some() || matching.value.is_some() || matching.header.is_some();
        is_any.then_some(matching)
    }

    fn is_met(&self, record: &Record<'_>) -> bool {
        // From the cheapest to the dearest.
        contains(self.key.as_ref(), record.key)
            && self.header.as_ref().is_none_or(|(name, finder)| {
                record.headers.clone().any(|(found, value)| found == name.as_slice() && contains(Some(finder), value))
            })
            && contains(self.value.as_ref(), record.value)
    }
}

/// Whether the bytes contain what is looked for. Nothing contains nothing.
fn contains(finder: Option<&Finder<'_>>, bytes: Option<&[u8]>) -> bool {
    finder.is_none_or(|finder| bytes.is_some_and(|bytes| finder.find(bytes).is_some()))
}

/// A sink that gets the records that match.
pub struct MatchSink<S> {
    inner: S,
    matching: Option<Matching>,
    /// Records passed over since the start, and how many of them are not taken back when a batch is discarded.
    passed: u64,
    settled: u64,
}

impl<S> MatchSink<S> {
    /// Without anything to look for, the inner sink gets all.
    pub const fn new(inner: S, matching: Option<Matching>) -> Self {
        Self { inner, matching, passed: 0, settled: 0 }
    }
}

impl<S: Sink> Sink for MatchSink<S> {
    fn polls(&mut self, since: Instant) {
        if self.inner.is_empty() {
            self.settled = self.passed;
        }
        self.inner.polls(since);
    }

    fn committed(&mut self, commit: &Commit) {
        self.inner.committed(commit);
    }

    fn told(&mut self, news: &News) {
        self.inner.told(news);
    }

    fn record(&mut self, record: &Record<'_>) -> Result<(), Fault> {
        if self.matching.as_ref().is_some_and(|matching| !matching.is_met(record)) {
            self.passed += 1;
            return Ok(());
        }
        self.inner.record(record)
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.inner.flush()?;
        self.settled = self.passed;
        Ok(())
    }

    fn discard(&mut self) {
        self.passed = self.settled;
        self.inner.discard();
    }

    fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    fn is_full(&self) -> bool {
        self.inner.is_full()
    }

    fn is_closed(&mut self) -> bool {
        self.inner.is_closed()
    }

    fn passed(&self) -> u64 {
        self.passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_found_in_bytes_and_nothing_in_nothing() {
        let finder = Finder::new("b\u{e9}");
        assert!(contains(None, None) && contains(None, Some(b"a")));
        assert!(contains(Some(&finder), Some("ab\u{e9}c".as_bytes())));
        assert!(!contains(Some(&finder), Some(b"abec\xff")));
        assert!(!contains(Some(&finder), None));
        assert!(contains(Some(&Finder::new("")), Some(b"")) && !contains(Some(&Finder::new("")), None));
    }

    #[test]
    fn nothing_to_look_for_is_no_matching() {
        assert!(Matching::new(None, None, None).is_none());
        assert!(Matching::new(None, None, Some(("a", ""))).is_some());
    }
}
