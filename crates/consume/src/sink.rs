//! The seam: what is done with records, and what can go wrong with it.

use std::time::{Duration, Instant};

use common::kafka::native::{Headers, Message, TopicPartition};
use common::stamp::{self, Stamp};
use common::telemetry::traceparent::{TRACEPARENT, trace_id};
use common::verdict::Verdict;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Timestamp;

/// A record, borrowed from librdkafka, with the marks of our own headers parsed once.
#[derive(Clone)]
pub struct Record<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// The partition's number.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// The record's own time.
    pub timestamp: Timestamp,
    /// The key, if there is one.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// All headers, our own included.
    pub headers: Headers<'a>,
    /// What the producer says of the message, if it is one of ours.
    pub stamp: Option<Stamp<'a>>,
    /// The trace that the message belongs to.
    pub trace_id: Option<&'a str>,
    /// The header that says so, as it came.
    pub traceparent: Option<&'a [u8]>,
    /// The trace, if this record's work is recorded in it: for exemplars.
    pub sampled: Option<[u8; 16]>,
}

impl<'a> Record<'a> {
    /// The parts of a message.
    pub fn of(message: &'a Message<'_>) -> Self {
        let headers = message.headers();
        let (mut stamp, mut traceparent) = (None, None);
        for (name, value) in headers.clone() {
            let Some(value) = value else { continue };
            if name == stamp::HEADER.as_bytes() {
                stamp = stamp.or_else(|| Stamp::parse(value));
            } else if name == TRACEPARENT.as_bytes() {
                traceparent = Some(value);
            }
        }
        Self {
            topic: message.topic(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp(),
            key: message.key(),
            value: message.value(),
            headers,
            stamp,
            trace_id: traceparent.and_then(trace_id),
            traceparent,
            sampled: None,
        }
    }

    /// Bytes of key and value.
    pub fn size(&self) -> usize {
        self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len)
    }
}

/// Why no more records can be taken.
#[derive(Debug)]
pub enum Stop {
    /// Nobody wants any more: a good end.
    Closed,
    /// It cannot go on.
    Failed(Verdict),
}

/// What went wrong with a record or a batch.
#[derive(Debug)]
pub enum Fault {
    /// Not now: the same again after this time, and why. The partitions stand still meanwhile, the group is tended.
    Retry(Duration, String),
    /// Not ever, and that is no reason to stop: it counts as done.
    Skip(String),
    /// No more.
    Stop(Stop),
}

/// A commit that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    /// When it was sent.
    pub sent: Instant,
    /// When the answer was there.
    pub answered: Instant,
    /// How it went.
    pub result: Result<(), RDKafkaErrorCode>,
}

/// What became of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It is read from now on.
    Assigned {
        /// The topic's name and the partition's number.
        place: TopicPartition,
        /// The offset that it is read from; `None` where only the brokers know.
        start: Option<i64>,
        /// Where its log starts, if that was asked for.
        earliest: Option<i64>,
        /// Where a one-shot run ends.
        end: Option<i64>,
    },
    /// Retention deleted so many records before they were read.
    Skipped {
        /// The topic's name and the partition's number.
        place: TopicPartition,
        /// How many.
        records: u64,
    },
}

/// What is done with records. Offsets are committed only for records whose flush succeeded.
///
/// The loop calls all of it on one thread: [`Sink::record`] for each record, and [`Sink::flush`] when the sink is full or
/// nothing more waits, always before partitions are revoked and before offsets are stored.
pub trait Sink {
    /// The loop asks for records from now on, or has asked since then. For those who time it.
    fn polls(&mut self, _since: Instant) {}

    /// A commit was answered. It covers what was flushed before it was sent.
    fn committed(&mut self, _commit: &Commit) {}

    /// Something became of a partition, before its next record.
    fn told(&mut self, _news: &News) {}

    /// Takes a record.
    ///
    /// # Errors
    /// The fault says what the loop does next.
    fn record(&mut self, record: &Record<'_>) -> Result<(), Fault>;

    /// Brings all records that were taken to where they are safe.
    ///
    /// # Errors
    /// None of what was taken since the last flush may be committed; the fault says what the loop does next.
    fn flush(&mut self) -> Result<(), Fault>;

    /// Forgets what was taken since the last flush: its partitions have gone, and another member gets it again.
    fn discard(&mut self);

    /// Whether nothing was taken since the last flush.
    fn is_empty(&self) -> bool;

    /// Whether it is time to flush.
    fn is_full(&self) -> bool;

    /// How many of the records that were taken since the start are passed over, as nobody asked for them: they are read, and
    /// count towards no limit.
    fn passed(&self) -> u64 {
        0
    }

    /// Whether nobody wants any more records. Asked while no records come.
    fn is_closed(&mut self) -> bool {
        false
    }
}
