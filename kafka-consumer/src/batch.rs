//! From a polled message to a line in the batch: the consumer's hot path. Nothing is allocated or locked for a record.

use std::time::{SystemTime, UNIX_EPOCH};

use common::kafka::headers::{TRACEPARENT, trace_id};
use common::stamp::{self, Stamp};
use prometheus::local::LocalHistogram;
use rdkafka::message::{BorrowedMessage, Message, Timestamp};

use crate::headers::Headers;
use crate::metrics::ConsumerMetrics;
use crate::output::{Output, Unwritable};
use crate::partitions::Partitions;
use crate::record_log::{Options, Record, RecordLog, RecordTimestamp};

/// Records between two looks at the clock, within a batch.
const CLOCK_EVERY: u64 = 16;

/// Lines that wait to be written, and what they mean for offsets and metrics once they are.
pub struct Batch {
    log: RecordLog,
    /// The lines.
    pub output: Output,
    /// What may be stored.
    pub partitions: Partitions,
    metrics: ConsumerMetrics,
    latency: LocalHistogram,
    /// When the clock was last asked.
    now_us: i64,
    /// Records taken since the start, those included that wait to be written.
    pub records: u64,
    bytes: u64,
    /// Records written since the start, and their keys and values in bytes.
    pub written: (u64, u64),
}

impl Batch {
    /// An empty batch.
    pub fn new(options: Options, metrics: &ConsumerMetrics) -> Self {
        Self {
            log: RecordLog::new(options),
            output: Output::default(),
            partitions: Partitions::new(metrics.clone()),
            latency: metrics.latency.local(),
            now_us: 0,
            metrics: metrics.clone(),
            records: 0,
            bytes: 0,
            written: (0, 0),
        }
    }

    /// Adds the line of a record, unless the record is not to be logged.
    pub fn add(&mut self, message: &BorrowedMessage<'_>) {
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        let bytes = message.key_len() + message.payload_len();
        if !self.partitions.take(topic, partition, offset, bytes) {
            return;
        }
        let headers = Headers::of(message);
        let (stamp, trace_id) = envelope(headers.clone());
        let timestamp = match message.timestamp() {
            Timestamp::NotAvailable => None,
            Timestamp::CreateTime(ms) => Some(RecordTimestamp::Create(ms)),
            Timestamp::LogAppendTime(ms) => Some(RecordTimestamp::LogAppend(ms)),
        };
        let now_us = self.now_us();
        let sent_us = stamp.map(|stamp| stamp.sent_us).or(timestamp.map(|timestamp| match timestamp {
            RecordTimestamp::Create(ms) | RecordTimestamp::LogAppend(ms) => ms.saturating_mul(1000),
        }));
        let latency_us = sent_us.map(|sent_us| now_us.saturating_sub(sent_us));
        if let Some(latency_us) = latency_us {
            self.latency.observe(latency_us.max(0) as f64 / 1e6);
        }
        let record = Record {
            topic,
            partition,
            offset,
            timestamp,
            key: message.key(),
            value: message.payload(),
            headers,
            stamp,
            latency_us,
            trace_id,
        };
        self.log.line(now_us, &record, &mut self.output.buffer);
        self.records += 1;
        self.bytes += bytes as u64;
    }

    /// The time of logging. Records that wait together are logged within microseconds, and to ask for the time of each costs
    /// more than to format it; the first of a batch, and so each one of a trickle, has its own.
    fn now_us(&mut self) -> i64 {
        if self.output.buffer.is_empty() || self.records.is_multiple_of(CLOCK_EVERY) {
            self.now_us = epoch_us();
        }
        self.now_us
    }

    /// Writes the lines, however long the reader takes.
    ///
    /// # Errors
    /// When nothing more can be written.
    pub fn write(&mut self) -> Result<(), Unwritable> {
        let written = self.output.write()?;
        self.metrics.output_bytes.inc_by(written as u64);
        self.latency.flush();
        self.written = (self.records, self.bytes);
        Ok(())
    }
}

/// The message's stamp and the trace it belongs to, as its headers say. A message that was published again has the stamp
/// of its last run first.
fn envelope<'a>(headers: Headers<'a>) -> (Option<Stamp<'a>>, Option<&'a str>) {
    let (mut stamp, mut trace) = (None, None);
    for (name, value) in headers {
        let Some(value) = value else { continue };
        if name == stamp::HEADER.as_bytes() {
            stamp = stamp.or_else(|| Stamp::parse(value));
        } else if name == TRACEPARENT.as_bytes() {
            trace = trace_id(value);
        }
    }
    (stamp, trace)
}

/// Microseconds since 1970.
fn epoch_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
