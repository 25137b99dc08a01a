//! What became of the spans: each is counted once, as exported, failed or dropped.

use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use prometheus::{IntCounter, IntCounterVec};

use crate::metrics::Metrics;

/// The counter of spans, registered in both programs; without traces it has no series.
#[derive(Clone)]
pub struct SpanMetrics {
    spans: IntCounterVec,
}

impl SpanMetrics {
    /// Registers it.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn new(metrics: &mut Metrics) -> prometheus::Result<Self> {
        let help = "Spans that ended, by result: exported (taken by the receiver), failed (not taken) or dropped (the queue was full, or the \
                    process ended); absent without traces";
        Ok(Self { spans: metrics.counter_vec("spans_total", help, &["result"])? })
    }
}

/// The counts, shared by those who end spans and by the thread that sends them. A lock for each span, and none for what has none.
#[derive(Clone)]
pub(super) struct Counts(Arc<Shared>);

struct Shared {
    exported: IntCounter,
    failed: IntCounter,
    dropped: IntCounter,
    bound: usize,
    state: Mutex<State>,
    closed: Once,
}

#[derive(Default)]
struct State {
    /// Ended, and not yet handed to the exporter.
    queued: usize,
    /// Handed to the exporter, without a result yet.
    sending: usize,
    /// Spans were dropped since this was last told.
    is_dropping: bool,
    /// Spans were dropped since a batch was begun. Under a load that lasts, each batch makes room for a moment: that is no end.
    has_dropped: bool,
    /// All is counted: what comes now would be counted twice.
    is_closed: bool,
}

impl Counts {
    /// All three at 0. `bound` is the number of spans that may wait.
    pub fn new(metrics: &SpanMetrics, bound: usize) -> Self {
        let of = |result: &str| metrics.spans.with_label_values(&[result]);
        let (exported, failed, dropped) = (of("exported"), of("failed"), of("dropped"));
        Self(Arc::new(Shared { exported, failed, dropped, bound, state: Mutex::default(), closed: Once::new() }))
    }

    /// Makes room for a span that has ended. `false` when there is none: it is dropped, and counted.
    pub fn admit(&self) -> bool {
        let mut state = self.state();
        if !state.is_closed && state.queued < self.0.bound {
            state.queued += 1;
            return true;
        }
        self.0.dropped.inc();
        state.has_dropped = true;
        if !state.is_closed && !std::mem::replace(&mut state.is_dropping, true) {
            drop(state);
            tracing::warn!(
                event = "spans_dropped",
                "spans are dropped, as {} wait to be sent: raise OTEL_BSP_MAX_QUEUE_SIZE, or trace less (OTEL_TRACES_SAMPLER)",
                self.0.bound
            );
        }
        false
    }

    /// The exporter has a batch.
    pub fn begin(&self, spans: usize) {
        let mut state = self.state();
        state.queued = state.queued.saturating_sub(spans);
        state.sending += spans;
        state.has_dropped = false;
    }

    /// What became of the batch: `rejected` of it were not taken.
    pub fn end(&self, spans: usize, rejected: usize) {
        let mut state = self.state();
        if state.is_closed {
            return;
        }
        state.sending = state.sending.saturating_sub(spans);
        let rejected = rejected.min(spans);
        self.0.exported.inc_by((spans - rejected) as u64);
        self.0.failed.inc_by(rejected as u64);
        if !state.has_dropped && std::mem::take(&mut state.is_dropping) {
            drop(state);
            tracing::info!(event = "spans_kept", dropped = self.0.dropped.get(), "no more spans are dropped");
        }
    }

    /// Counts what is still on its way as lost, and logs how many spans were lost in all, once. The last flush and those who no
    /// longer wait for it may both call this at the same moment, and the process ends when one returns: both return after the log line.
    pub fn close(&self) {
        self.0.closed.call_once(|| {
            if let Some(lost) = self.settle() {
                tracing::warn!(event = "spans_lost", spans = lost, "spans did not reach their receiver");
            }
        });
    }

    fn settle(&self) -> Option<u64> {
        let mut state = self.state();
        if std::mem::replace(&mut state.is_closed, true) {
            return None;
        }
        self.0.failed.inc_by(std::mem::take(&mut state.sending) as u64);
        self.0.dropped.inc_by(std::mem::take(&mut state.queued) as u64);
        Some(self.0.failed.get() + self.0.dropped.get()).filter(|lost| *lost > 0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::{Context, SubscriberExt};

    use super::*;
    use crate::metrics::Program;

    #[test]
    fn every_span_is_counted_once_whatever_becomes_of_it() {
        let program =
            Program { program: "test", version: "1", librdkafka: String::new(), features: String::new(), openssl: "3" };
        let mut metrics = Metrics::new("test", &program).unwrap();
        let counts = Counts::new(&SpanMetrics::new(&mut metrics).unwrap(), 3);
        let numbers = || [&counts.0.exported, &counts.0.failed, &counts.0.dropped].map(IntCounter::get);
        assert_eq!(numbers(), [0, 0, 0]);
        assert_eq!([(); 5].map(|()| counts.admit()), [true, true, true, false, false]);
        counts.begin(3);
        assert!(counts.admit(), "the queue has room while a batch is sent");
        counts.end(3, 1);
        assert_eq!(numbers(), [2, 1, 2]);
        counts.begin(1);
        assert!(counts.admit() && counts.admit());
        assert_eq!(counts.settle(), Some(6));
        assert_eq!(numbers(), [2, 2, 4], "one was being sent, two waited");
        counts.end(1, 0);
        assert!(!counts.admit());
        assert_eq!((numbers(), counts.settle()), ([2, 2, 5], None), "no result comes after the end");
    }

    #[test]
    fn the_end_of_drops_is_told_when_none_was_dropped_during_a_batch() {
        let program =
            Program { program: "test", version: "1", librdkafka: String::new(), features: String::new(), openssl: "3" };
        let mut metrics = Metrics::new("test", &program).unwrap();
        let counts = Counts::new(&SpanMetrics::new(&mut metrics).unwrap(), 1);
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = tracing_subscriber::registry().with(Told(Arc::clone(&told)));
        tracing::subscriber::with_default(log, || {
            assert!(counts.admit());
            for _ in 0..5 {
                counts.begin(1);
                assert!(counts.admit() && !counts.admit(), "more come than are sent");
                counts.end(1, 0);
            }
            assert_eq!(told.lock().unwrap().as_slice(), [tracing::Level::WARN]);
            counts.begin(1);
            counts.end(1, 0);
            assert_eq!(told.lock().unwrap().as_slice(), [tracing::Level::WARN, tracing::Level::INFO]);
        });
    }

    /// The levels of what is logged.
    struct Told(Arc<Mutex<Vec<tracing::Level>>>);

    impl<S: tracing::Subscriber> Layer<S> for Told {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(*event.metadata().level());
        }
    }

    /// A log that takes its time.
    struct SlowLog {
        entered: Sender<()>,
        go_on: Mutex<Receiver<()>>,
    }

    impl<S: tracing::Subscriber> Layer<S> for SlowLog {
        fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
            self.entered.send(()).unwrap();
            self.go_on.lock().unwrap().recv().unwrap();
        }
    }

    #[test]
    fn nobody_goes_on_before_the_loss_is_logged() {
        let program =
            Program { program: "test", version: "1", librdkafka: String::new(), features: String::new(), openssl: "3" };
        let mut metrics = Metrics::new("test", &program).unwrap();
        let counts = Counts::new(&SpanMetrics::new(&mut metrics).unwrap(), 3);
        assert!(counts.admit());
        let ((entered, is_logging), (release, go_on)) = (channel(), channel());
        let log = tracing_subscriber::registry().with(SlowLog { entered, go_on: Mutex::new(go_on) });
        std::thread::scope(|scope| {
            scope.spawn(|| tracing::subscriber::with_default(log, || counts.close()));
            is_logging.recv().unwrap();
            let (returned, has_returned) = channel();
            let other = counts.clone();
            scope.spawn(move || {
                other.close();
                returned.send(()).unwrap();
            });
            assert!(has_returned.recv_timeout(Duration::from_millis(200)).is_err(), "it did not wait for the log line");
            release.send(()).unwrap();
            has_returned.recv().unwrap();
        });
    }
}
