//! From a record to a line on stdout: the consumer's hot path. Nothing is allocated or locked for a record.

use common::exit::Exit;
use common::metrics::Exemplars;
use common::text::epoch_us;
use common::verdict::Verdict;
use consume::{Fault, Sink, Stop};
use prometheus::IntCounter;
use prometheus::local::LocalHistogram;
use rdkafka::message::Timestamp;

use crate::metrics::ConsumerMetrics;
use crate::output::{Output, Unwritable};
use crate::record_log::{Options, Record, RecordLog, RecordTimestamp};

/// Records between two looks at the clock, within a batch.
const CLOCK_EVERY: u64 = 16;

/// Lines that wait to be written.
pub struct LogSink {
    log: RecordLog,
    output: Output,
    output_bytes: IntCounter,
    latency: LocalHistogram,
    exemplars: Exemplars,
    /// When the clock was last asked.
    now_us: i64,
    /// Records since the start.
    records: u64,
}

impl LogSink {
    /// No lines yet.
    pub fn new(options: Options, metrics: &ConsumerMetrics) -> Self {
        Self {
            log: RecordLog::new(options),
            output: Output::default(),
            output_bytes: metrics.output_bytes.clone(),
            latency: metrics.latency.local(),
            exemplars: metrics.latency_exemplars.clone(),
            now_us: 0,
            records: 0,
        }
    }

    /// The time of logging. Records that wait together are logged within microseconds, and to ask for the time of each costs
    /// more than to format it; the first of a batch, and so each one of a trickle, has its own.
    fn now_us(&mut self) -> i64 {
        if self.output.buffer.is_empty() || self.records.is_multiple_of(CLOCK_EVERY) {
            self.now_us = epoch_us();
        }
        self.now_us
    }
}

impl Sink for LogSink {
    fn record(&mut self, record: &consume::Record<'_>) -> Result<(), Fault> {
        let timestamp = match record.timestamp {
            Timestamp::NotAvailable => None,
            Timestamp::CreateTime(ms) => Some(RecordTimestamp::Create(ms)),
            Timestamp::LogAppendTime(ms) => Some(RecordTimestamp::LogAppend(ms)),
        };
        let now_us = self.now_us();
        let sent_us = record.stamp.map(|stamp| stamp.sent_us).or(timestamp.map(|timestamp| match timestamp {
            RecordTimestamp::Create(ms) | RecordTimestamp::LogAppend(ms) => ms.saturating_mul(1000),
        }));
        let latency_us = sent_us.map(|sent_us| now_us.saturating_sub(sent_us));
        if let Some(latency_us) = latency_us {
            let seconds = latency_us.max(0) as f64 / 1e6;
            self.latency.observe(seconds);
            if let Some(trace_id) = record.sampled {
                self.exemplars.record(seconds, trace_id);
            }
        }
        let record = Record {
            topic: record.topic,
            partition: record.partition,
            offset: record.offset,
            timestamp,
            key: record.key,
            value: record.value,
            headers: record.headers.clone(),
            stamp: record.stamp,
            latency_us,
            trace_id: record.trace_id,
        };
        self.log.line(now_us, &record, &mut self.output.buffer);
        self.records += 1;
        Ok(())
    }

    /// Writes the lines, however long the reader takes.
    fn flush(&mut self) -> Result<(), Fault> {
        let written = self.output.write().map_err(|error| {
            Fault::Stop(match error {
                Unwritable::Closed => Stop::Closed,
                Unwritable::Failed(error) => Stop::Failed(Verdict::new(
                    Exit::Incomplete,
                    format!("cannot write records to stdout: {error}; the last batch is not committed and will be read again"),
                )),
            })
        })?;
        self.output_bytes.inc_by(written as u64);
        self.latency.flush();
        Ok(())
    }

    fn discard(&mut self) {
        self.output.buffer.clear();
        self.latency.clear();
    }

    fn is_empty(&self) -> bool {
        self.output.buffer.is_empty()
    }

    fn is_full(&self) -> bool {
        self.output.is_full()
    }

    fn is_closed(&mut self) -> bool {
        self.output.is_closed()
    }
}
