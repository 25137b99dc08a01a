//! Where the records of an audit go: each is looked at, none is kept.

use common::stamp;
use common::text::epoch_us;
use consume::{Fault, News, Record, Sink, Stop};
use ledger::Mark;
use rdkafka::message::Timestamp;

use crate::state::{Noted, State};

/// Records between two looks at the state, which others read too.
const BATCH: usize = 1024;

/// Notes what each record is to the run.
pub struct AuditSink<'a> {
    run_id: &'a str,
    state: &'a State,
    batch: Vec<Noted>,
    /// The partition of the last record, and those that a record has come of.
    last: Option<i32>,
    seen: Vec<i32>,
    /// Whether reading started at a time: only the times of producers can be compared with when the run started.
    by_time: bool,
    /// Whether the brokers put times of their own on records.
    pub is_append_time: bool,
    /// Whether it is measured how long each message took.
    is_timed: bool,
}

impl<'a> AuditSink<'a> {
    /// A sink for one way through the topic.
    pub fn new(run_id: &'a str, state: &'a State, by_time: bool) -> Self {
        let batch = Vec::with_capacity(BATCH);
        Self { run_id, state, batch, last: None, seen: Vec::new(), by_time, is_append_time: false, is_timed: false }
    }

    /// The same, with the time that each message of the run took from being sent to being read.
    pub fn timed(mut self) -> Self {
        self.is_timed = true;
        self
    }

    /// How long a message of the run took, in microseconds. Clocks of one machine: it can only be negative when they are set.
    fn latency_us(&self, record: &Record<'_>) -> Option<u64> {
        let stamp = record.stamp.filter(|stamp| self.is_timed && stamp.run_id == self.run_id)?;
        u64::try_from(epoch_us().saturating_sub(stamp.sent_us)).ok()
    }

    /// The time of a partition's first record.
    fn first_ms(&mut self, record: &Record<'_>) -> Option<i64> {
        if self.last == Some(record.partition) {
            return None;
        }
        self.last = Some(record.partition);
        if self.seen.contains(&record.partition) {
            return None;
        }
        self.seen.push(record.partition);
        record.timestamp.to_millis()
    }
}

impl Sink for &mut AuditSink<'_> {
    fn told(&mut self, news: &News) {
        match news {
            News::Assigned { place, start, earliest, end } => {
                self.state.assigned(place.partition, *start, *earliest, *end);
            }
            News::Skipped { records, .. } => self.state.skipped(*records),
        }
    }

    fn record(&mut self, record: &Record<'_>) -> Result<(), Fault> {
        if self.by_time && matches!(record.timestamp, Timestamp::LogAppendTime(_)) {
            self.is_append_time = true;
            return Err(Fault::Stop(Stop::Closed));
        }
        // The first of them: behind it may be those of earlier runs.
        let stamp = record.headers.clone().find(|(name, _)| *name == stamp::HEADER.as_bytes());
        let mark = Mark::of(self.run_id, stamp.and_then(|(_, value)| value), record.key, record.value);
        let first_ms = self.first_ms(record);
        let latency_us = self.latency_us(record);
        self.batch.push(Noted { partition: record.partition, offset: record.offset, first_ms, latency_us, mark });
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.state.note(&self.batch);
        self.batch.clear();
        Ok(())
    }

    fn discard(&mut self) {
        self.batch.clear();
    }

    fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    fn is_full(&self) -> bool {
        self.batch.len() >= BATCH
    }
}
