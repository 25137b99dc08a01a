//! What became of the messages: counted in librdkafka's delivery callback, read by progress, metrics and report.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::exit::Exit;
use common::kafka::error::{Class, Number, class, name, of_message, with_hint};
use common::verdict::Verdict;
use hdrhistogram::Histogram;
use prometheus::local::LocalHistogram;
use rdkafka::error::RDKafkaErrorCode;

use crate::metrics::ProducerMetrics;

/// Latencies up to this, in microseconds, are told apart; longer ones count as this.
const LONGEST_US: u64 = 3_600_000_000;
/// Deliveries between two updates of the shared metrics, which cost more than the private ones.
const FLUSH_EVERY: u64 = 1024;

/// The counts of one run. One lock for each delivery, not contended: the callbacks come from one thread.
pub struct Tally {
    metrics: ProducerMetrics,
    state: Mutex<State>,
    /// Whether `state` holds a refusal: read before each message, so without the lock.
    has_refusal: AtomicBool,
}

struct State {
    delivered: u64,
    failed: u64,
    unsent: u64,
    bytes: u64,
    latencies: Histogram<u64>,
    errors: BTreeMap<String, u64>,
    /// Deliveries that the shared metrics do not know yet.
    unflushed: u64,
    unflushed_bytes: u64,
    histogram: LocalHistogram,
    last_acknowledgement: Instant,
    /// The first refusal that concerns every message: nothing more can be sent.
    refused: Option<Verdict>,
    /// The first refusal that concerns one message, such as its size.
    refused_message: Option<Verdict>,
    fatal: bool,
}

/// The counts at one moment.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Acknowledged.
    pub delivered: u64,
    /// Transmitted, not acknowledged.
    pub failed: u64,
    /// Never transmitted, as far as librdkafka reported it.
    pub unsent: u64,
    /// Keys and values of what was delivered.
    pub bytes: u64,
    /// By librdkafka's name for the error.
    pub errors: BTreeMap<String, u64>,
    /// `None` when nothing was delivered: 50th, 95th, 99th percentile and maximum in microseconds.
    pub latencies_us: Option<[u64; 4]>,
}

impl Tally {
    /// Nothing counted yet.
    ///
    /// # Errors
    /// When the histogram cannot be made.
    pub fn new(metrics: ProducerMetrics) -> Result<Self, hdrhistogram::CreationError> {
        let mut latencies = Histogram::new_with_bounds(1, LONGEST_US, 3)?;
        latencies.auto(false);
        let state = State {
            delivered: 0,
            failed: 0,
            unsent: 0,
            bytes: 0,
            latencies,
            errors: BTreeMap::new(),
            unflushed: 0,
            unflushed_bytes: 0,
            histogram: metrics.delivery_seconds.local(),
            last_acknowledgement: Instant::now(),
            refused: None,
            refused_message: None,
            fatal: false,
        };
        Ok(Self { metrics, state: Mutex::new(state), has_refusal: AtomicBool::new(false) })
    }

    /// A message of this many bytes was acknowledged this long after it was sent, or should have been.
    pub fn delivered(&self, bytes: usize, latency: Duration, now: Instant) {
        let mut state = self.state();
        state.delivered += 1;
        state.bytes += bytes as u64;
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        state.latencies.saturating_record(micros.max(1));
        state.histogram.observe(latency.as_secs_f64());
        state.last_acknowledgement = now;
        state.unflushed += 1;
        state.unflushed_bytes += bytes as u64;
        if state.unflushed >= FLUSH_EVERY {
            self.flush_state(&mut state);
        }
    }

    /// A message was not delivered.
    pub fn undelivered(&self, code: impl Into<Number>, topic: &str, partition: i32) {
        let code = code.into();
        let mut state = self.state();
        if code == RDKafkaErrorCode::PurgeQueue.into() {
            state.unsent += 1;
        } else {
            state.failed += 1;
            self.metrics.failed.with_label_values(&[&name(code)]).inc();
        }
        self.note(&mut state, code, topic, partition);
    }

    /// librdkafka did not take a message: it was never transmitted.
    pub fn not_taken(&self, code: RDKafkaErrorCode, topic: &str, partition: i32) {
        let mut state = self.state();
        state.unsent += 1;
        self.note(&mut state, code.into(), topic, partition);
    }

    /// One message cannot be delivered, whatever is done.
    pub fn refuse_message(&self, verdict: Verdict) {
        self.state().refused_message.get_or_insert(verdict);
    }

    /// The transaction was not committed: what was acknowledged in it is not delivered.
    pub fn take_back(&self) {
        let mut state = self.state();
        self.flush_state(&mut state);
        let delivered = std::mem::take(&mut state.delivered);
        state.failed += delivered;
        state.bytes = 0;
        state.latencies.reset();
        if delivered > 0 {
            *state.errors.entry("TransactionAborted".to_owned()).or_default() += delivered;
        }
    }

    /// Whether going on is useless.
    pub fn has_refusal(&self) -> bool {
        self.has_refusal.load(Ordering::Acquire)
    }

    /// The refusal that makes going on useless, if there was one.
    pub fn refused(&self) -> Option<Verdict> {
        self.state().refused.clone()
    }

    /// The refusal of single messages, if there was one.
    pub fn refused_message(&self) -> Option<Verdict> {
        self.state().refused_message.clone()
    }

    /// Whether librdkafka reported a fatal error, which the client can be asked for.
    pub fn fatal(&self) -> bool {
        self.state().fatal
    }

    /// How long ago the last acknowledgement came, or the run began.
    pub fn since_acknowledgement(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.state().last_acknowledgement)
    }

    /// The time before now does not count as a wait for an acknowledgement.
    pub fn begin(&self) {
        self.state().last_acknowledgement = Instant::now();
    }

    /// Brings the shared metrics up to date and returns the counts.
    pub fn counts(&self) -> Counts {
        let mut state = self.state();
        self.flush_state(&mut state);
        let quantile = |q| state.latencies.value_at_quantile(q).min(state.latencies.max());
        let latencies_us =
            (state.delivered > 0).then(|| [quantile(0.5), quantile(0.95), quantile(0.99), state.latencies.max()]);
        Counts {
            delivered: state.delivered,
            failed: state.failed,
            unsent: state.unsent,
            bytes: state.bytes,
            errors: state.errors.clone(),
            latencies_us,
        }
    }

    /// How many were acknowledged, or given up, so far.
    pub fn settled(&self) -> u64 {
        let state = self.state();
        state.delivered + state.failed + state.unsent
    }

    /// Keeps why a message was not delivered.
    fn note(&self, state: &mut State, code: Number, topic: &str, partition: i32) {
        *state.errors.entry(name(code)).or_default() += 1;
        if code == RDKafkaErrorCode::Fatal.into() {
            state.fatal = true;
        }
        if class(code) != Class::Refused {
            return;
        }
        let place = if partition < 0 { topic.to_owned() } else { format!("{topic} partition {partition}") };
        let failure = Verdict::new(Exit::Refused, with_hint(&format!("{place}: {code}"), code));
        if of_message(code) {
            state.refused_message.get_or_insert(failure);
        } else {
            state.refused.get_or_insert(failure);
            self.has_refusal.store(true, Ordering::Release);
        }
    }

    fn flush_state(&self, state: &mut State) {
        state.histogram.flush();
        self.metrics.delivered.inc_by(std::mem::take(&mut state.unflushed));
        self.metrics.delivered_bytes.inc_by(std::mem::take(&mut state.unflushed_bytes));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use common::metrics::Program;

    use super::*;
    use crate::metrics::register;

    #[test]
    fn what_was_never_transmitted_is_unsent_and_no_failure() {
        let program = Program { program: "test", version: "1", librdkafka: String::new(), features: String::new() };
        let metrics = register(&program).unwrap().producer;
        let tally = Tally::new(metrics.clone()).unwrap();
        tally.not_taken(RDKafkaErrorCode::MessageSizeTooLarge, "test", 0);
        tally.undelivered(RDKafkaErrorCode::PurgeQueue, "test", 0);
        tally.undelivered(RDKafkaErrorCode::PurgeInflight, "test", 0);
        tally.undelivered(RDKafkaErrorCode::MessageSizeTooLarge, "test", 0);
        let counts = tally.counts();
        assert_eq!((counts.delivered, counts.failed, counts.unsent), (0, 2, 2));
        assert_eq!(counts.errors["MessageSizeTooLarge"], 2, "the report names both");
        let failed = |error: &str| metrics.failed.with_label_values(&[error]).get();
        assert_eq!((failed("MessageSizeTooLarge"), failed("PurgeInflight"), failed("PurgeQueue")), (1, 1, 0));
        assert!(
            !tally.has_refusal() && tally.refused_message().is_some(),
            "one message too large is no end of the run"
        );
    }
}
