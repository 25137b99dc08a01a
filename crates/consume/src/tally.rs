//! What a run has read: counted by the loop, read by whoever makes the report, at any moment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The counts of one run.
#[derive(Debug)]
pub struct Tally {
    started: Instant,
    records: AtomicU64,
    bytes: AtomicU64,
    passed: AtomicU64,
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Records flushed.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Those of the records that the sink has passed over.
    pub passed: u64,
    /// Since the start.
    pub elapsed: Duration,
}

impl Counts {
    /// The records that the sink has not passed over.
    pub const fn shown(&self) -> u64 {
        self.records.saturating_sub(self.passed)
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            passed: AtomicU64::new(0),
        }
    }
}

impl Tally {
    /// Nothing read yet; the run starts now.
    pub fn new() -> Self {
        Self::default()
    }

    /// So many records with so many bytes were flushed in all, so many of them passed over.
    pub(crate) fn flushed(&self, records: u64, bytes: u64, passed: u64) {
        self.passed.store(passed, Ordering::Relaxed);
        self.records.store(records, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// How long the run has lasted.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The counts now.
    pub fn counts(&self) -> Counts {
        Counts {
            records: self.records.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            passed: self.passed.load(Ordering::Relaxed),
            elapsed: self.started.elapsed(),
        }
    }
}
