//! Which records are shown: those with all that is looked for. The others are read and passed over.

use std::time::Instant;

use consume::{Commit, Fault, News, Record, Sink};

use crate::matching::Matching;

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
