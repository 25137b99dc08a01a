//! What was read so far: written by the loop, reported at any moment, also when the loop hangs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The counts of a run.
pub struct Ledger {
    started: Instant,
    records: AtomicU64,
    bytes: AtomicU64,
}

impl Ledger {
    /// A run that begins now.
    pub fn new() -> Self {
        Self { started: Instant::now(), records: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    /// So many records were written in all, with so many bytes in keys and values.
    pub fn wrote(&self, (records, bytes): (u64, u64)) {
        self.records.store(records, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Records written.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Their keys and values, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
