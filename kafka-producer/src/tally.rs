//! What became of the messages: one tally, written by the sending thread and by librdkafka's delivery callback. The report can
//! be made from it at any moment, and always adds up.

mod partitions;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::exit::Exit;
use common::kafka::error::{Class, Number, Right, class, name, of_message, with_hint_of};
use common::text::grouped;
use common::verdict::Verdict;
use hdrhistogram::Histogram;
use ledger::Ranges;
use prometheus::local::LocalHistogram;
use rdkafka::error::RDKafkaErrorCode;

use crate::metrics::ProducerMetrics;
use partitions::Partitions;

/// Latencies up to this, in microseconds, are told apart; longer ones count as this.
const LONGEST_US: u64 = 3_600_000_000;
/// Deliveries between two updates of the shared metrics, which cost more than the private ones.
const FLUSH_EVERY: u64 = 1024;

/// The counts of one run. One lock for each delivery, not contended: the callbacks come from one thread at a time. The sending
/// thread takes none.
pub struct Tally {
    metrics: ProducerMetrics,
    /// Zero of the clock whose microseconds travel with each message.
    pub started: Instant,
    /// Messages of this process. Never less than what was handed over, so written before it and read after it.
    requested: AtomicU64,
    /// Whether `requested` is all of them: an input says so at its end.
    is_total: AtomicBool,
    /// Messages handed to librdkafka, each counted before librdkafka has it, so never less than what came back.
    handed_over: AtomicU64,
    /// Whether `state` holds a refusal: read before each message, so without the lock.
    has_refusal: AtomicBool,
    state: Mutex<State>,
}

struct State {
    delivered: u64,
    failed: u64,
    /// Came back and had never been transmitted.
    returned: u64,
    /// Will never be taken, so that it was not handed over.
    not_taken: u64,
    /// Which of this process's messages were not acknowledged, counted from 0: those that came back, or were not taken.
    unacknowledged: Ranges,
    confirmed: Partitions,
    bytes: u64,
    latencies: Histogram<u64>,
    errors: BTreeMap<String, u64>,
    /// What the shared metrics know already.
    shown: Shown,
    histogram: LocalHistogram,
    /// Since when something is in flight and nothing was acknowledged; `None` while nothing is in flight.
    silent_since: Option<Instant>,
    /// What is acknowledged belongs to a transaction that is not committed.
    in_transaction: bool,
    began: Option<Instant>,
    ended: Option<Instant>,
    /// The first refusal that concerns every message: nothing more can be sent.
    refused: Option<Verdict>,
    /// The first refusal that concerns one message, such as its size.
    refused_message: Option<Verdict>,
    fatal: bool,
}

#[derive(Default)]
struct Shown {
    handed_over: u64,
    delivered: u64,
    bytes: u64,
    unsent: u64,
}

/// The counts at one moment. `requested = delivered + failed + unsent + in_flight`, always.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Messages of this process, as far as they are known.
    pub requested: u64,
    /// Whether there are no more: an input says so at its end.
    pub is_total: bool,
    /// Acknowledged.
    pub delivered: u64,
    /// Transmitted, not acknowledged.
    pub failed: u64,
    /// Never transmitted.
    pub unsent: u64,
    /// Handed to librdkafka and not reported back yet.
    pub in_flight: u64,
    /// Keys and values of what was delivered.
    pub bytes: u64,
    /// By librdkafka's name for the error.
    pub errors: BTreeMap<String, u64>,
    /// Which of this process's messages were not acknowledged, counted from 0, as far as they are known. Only when the books
    /// are closed.
    pub unacknowledged: Ranges,
    /// 50th, 95th, 99th percentile and maximum in microseconds; `None` when nothing was delivered.
    pub latencies_us: Option<[u64; 4]>,
    /// From the first message to the last report.
    pub elapsed: Duration,
}

impl Counts {
    /// What is left to do, in words: how far the run has come. `None` when all is acknowledged.
    pub fn undone(&self) -> Option<String> {
        if self.is_total && self.delivered == self.requested {
            return None;
        }
        let (delivered, requested) = (grouped(self.delivered), grouped(self.requested));
        let end = if self.is_total { "" } else { " before the end of the input" };
        Some(format!("{delivered} of {requested} messages acknowledged{end}"))
    }
}

impl Tally {
    /// The tally of a run of so many messages, as far as that is known.
    ///
    /// # Errors
    /// When the histogram cannot be made.
    pub fn new(metrics: ProducerMetrics, requested: Option<u64>) -> Result<Self, hdrhistogram::CreationError> {
        let mut latencies = Histogram::new_with_bounds(1, LONGEST_US, 3)?;
        latencies.auto(false);
        let state = State {
            delivered: 0,
            failed: 0,
            returned: 0,
            not_taken: 0,
            unacknowledged: Ranges::default(),
            confirmed: Partitions::default(),
            bytes: 0,
            latencies,
            errors: BTreeMap::new(),
            shown: Shown::default(),
            histogram: metrics.delivery_seconds.local(),
            silent_since: None,
            in_transaction: false,
            began: None,
            ended: None,
            refused: None,
            refused_message: None,
            fatal: false,
        };
        metrics.requested.set(i64::try_from(requested.unwrap_or(0)).unwrap_or(i64::MAX));
        Ok(Self {
            metrics,
            started: Instant::now(),
            requested: AtomicU64::new(requested.unwrap_or(0)),
            is_total: AtomicBool::new(requested.is_some()),
            handed_over: AtomicU64::new(0),
            has_refusal: AtomicBool::new(false),
            state: Mutex::new(state),
        })
    }

    /// The first message comes now.
    pub fn begin(&self) {
        self.state().began = Some(Instant::now());
    }

    /// The last report has come, or is no longer waited for.
    pub fn end(&self) {
        self.state().ended = Some(Instant::now());
    }

    /// There are at least so many messages.
    pub fn request(&self, messages: u64) {
        self.requested.store(messages, Ordering::Release);
    }

    /// The input has ended: there are so many messages, and no more.
    pub fn request_no_more(&self, messages: u64) {
        self.request(messages);
        self.is_total.store(true, Ordering::Release);
    }

    /// A message goes to librdkafka now. Only the sending thread calls this, so that it needs no atomic addition.
    pub fn hand_over(&self) {
        self.handed_over.store(self.handed_over.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// librdkafka did not take the message that went to it: its queue is full.
    pub fn hand_back(&self) {
        self.handed_over.store(self.handed_over.load(Ordering::Relaxed) - 1, Ordering::Release);
    }

    /// librdkafka will never take this process's message number `nth`, so that it was never transmitted.
    pub fn not_taken(&self, nth: u64, code: RDKafkaErrorCode, topic: &str, partition: i32) {
        self.hand_back();
        let mut state = self.state();
        state.not_taken += 1;
        state.unacknowledged.insert(nth);
        self.show_unsent(&mut state, 1);
        self.note(&mut state, code.into(), topic, partition);
    }

    /// A message of this many bytes was acknowledged in this partition, this long after it was sent, or should have been.
    pub fn delivered(&self, partition: i32, bytes: usize, latency: Duration, now: Instant) {
        let mut state = self.state();
        state.confirmed.insert(partition);
        state.delivered += 1;
        state.bytes += bytes as u64;
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        state.latencies.saturating_record(micros.max(1));
        state.histogram.observe(latency.as_secs_f64());
        state.silent_since = (self.in_flight_of(&state) > 0).then_some(now);
        if state.delivered - state.shown.delivered >= FLUSH_EVERY {
            self.show(&mut state);
        }
    }

    /// Whether the brokers have acknowledged a message in this partition.
    pub fn is_confirmed(&self, partition: i32) -> bool {
        self.state().confirmed.contains(partition)
    }

    /// The latency of a message that was traced, after it was counted.
    pub fn exemplar(&self, latency: Duration, trace_id: [u8; 16]) {
        self.metrics.delivery_exemplars.record(latency.as_secs_f64(), trace_id);
    }

    /// It is this process's message number `nth` that comes back now without an acknowledgement.
    pub fn unacknowledged(&self, nth: u64) {
        self.state().unacknowledged.insert(nth);
    }

    /// A message came back without an acknowledgement.
    pub fn undelivered(&self, code: impl Into<Number>, transmitted: bool, topic: &str, partition: i32) {
        let code = code.into();
        let mut state = self.state();
        if transmitted {
            state.failed += 1;
            self.metrics.failed.with_label_values(&[&name(code)]).inc();
        } else {
            state.returned += 1;
            self.show_unsent(&mut state, 1);
        }
        if self.in_flight_of(&state) == 0 {
            state.silent_since = None;
        }
        self.note(&mut state, code, topic, partition);
    }

    /// A transaction begins: nothing is delivered before it is committed.
    pub fn begin_transaction(&self) {
        self.state().in_transaction = true;
    }

    /// The transaction is committed.
    pub fn commit(&self) {
        self.state().in_transaction = false;
    }

    /// The counts of a run that is over, also where it was left behind. What is in flight may have been transmitted: it failed.
    /// What was acknowledged in a transaction that is not committed failed too.
    pub fn close(&self) -> Counts {
        {
            let mut state = self.state();
            if std::mem::take(&mut state.in_transaction) {
                self.show(&mut state);
                let delivered = std::mem::take(&mut state.delivered);
                (state.shown.delivered, state.shown.bytes, state.bytes) = (0, 0, 0);
                state.failed += delivered;
                state.latencies.reset();
                if let Some(last) = self.requested.load(Ordering::Acquire).checked_sub(1) {
                    state.unacknowledged.insert_range(0, last);
                }
                if delivered > 0 {
                    *state.errors.entry("TransactionAborted".to_owned()).or_default() += delivered;
                }
            }
        }
        let mut counts = self.counts();
        counts.failed += std::mem::take(&mut counts.in_flight);
        // What was never begun, too.
        let mut state = self.state();
        let more = counts.unsent.saturating_sub(state.shown.unsent);
        self.show_unsent(&mut state, more);
        counts.unacknowledged = state.unacknowledged.clone();
        let begun = self.handed_over.load(Ordering::Acquire) + state.not_taken;
        if begun < counts.requested {
            counts.unacknowledged.insert_range(begun, counts.requested - 1);
        }
        counts
    }

    /// Messages that librdkafka has, and has not reported back.
    pub fn in_flight(&self) -> u64 {
        self.in_flight_of(&self.state())
    }

    /// How long nothing was acknowledged though messages were in flight; zero while none is.
    ///
    /// Looked at wherever the run waits. A pause of the input, or until a message's time, is no silence: the time begins when
    /// something has come into flight.
    pub fn silence(&self, now: Instant) -> Duration {
        let mut state = self.state();
        if self.in_flight_of(&state) == 0 {
            state.silent_since = None;
            return Duration::ZERO;
        }
        now.saturating_duration_since(*state.silent_since.get_or_insert(now))
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

    /// Brings the shared metrics up to date and returns the counts.
    pub fn counts(&self) -> Counts {
        let mut state = self.state();
        self.show(&mut state);
        let in_flight = self.in_flight_of(&state);
        let handed_over = state.delivered + state.failed + state.returned + in_flight;
        // After `handed_over`, which is never more.
        let requested = self.requested.load(Ordering::Acquire);
        let quantile = |q| state.latencies.value_at_quantile(q).min(state.latencies.max());
        let latencies_us =
            (state.delivered > 0).then(|| [quantile(0.5), quantile(0.95), quantile(0.99), state.latencies.max()]);
        let ended = state.ended.unwrap_or_else(Instant::now);
        Counts {
            requested,
            is_total: self.is_total.load(Ordering::Acquire),
            delivered: state.delivered,
            failed: state.failed,
            unsent: state.returned + (requested - handed_over),
            in_flight,
            bytes: state.bytes,
            errors: state.errors.clone(),
            unacknowledged: Ranges::default(),
            latencies_us,
            elapsed: state.began.map_or(Duration::ZERO, |began| ended.saturating_duration_since(began)),
        }
    }

    /// Messages that librdkafka has. With the lock held nothing comes back, and what came back was handed over before.
    fn in_flight_of(&self, state: &State) -> u64 {
        self.handed_over.load(Ordering::Acquire) - (state.delivered + state.failed + state.returned)
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
        let failure = Verdict::new(Exit::Refused, with_hint_of(&format!("{place}: {code}"), code, Right::Write));
        if of_message(code) {
            state.refused_message.get_or_insert(failure);
        } else {
            state.refused.get_or_insert(failure);
            self.has_refusal.store(true, Ordering::Release);
        }
    }

    /// One message cannot be delivered, whatever is done.
    pub fn refuse_message(&self, verdict: Verdict) {
        self.state().refused_message.get_or_insert(verdict);
    }

    /// Brings the shared metrics up to date.
    fn show(&self, state: &mut State) {
        state.histogram.flush();
        let handed_over = self.handed_over.load(Ordering::Relaxed);
        self.metrics.delivered.inc_by(state.delivered - state.shown.delivered);
        self.metrics.delivered_bytes.inc_by(state.bytes - state.shown.bytes);
        // Less than before where the queue was full in between.
        self.metrics.enqueued.inc_by(handed_over.saturating_sub(state.shown.handed_over));
        state.shown = Shown {
            handed_over: handed_over.max(state.shown.handed_over),
            delivered: state.delivered,
            bytes: state.bytes,
            ..state.shown
        };
    }

    /// So many more messages will never be transmitted.
    fn show_unsent(&self, state: &mut State, more: u64) {
        state.shown.unsent += more;
        self.metrics.unsent.inc_by(more);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
