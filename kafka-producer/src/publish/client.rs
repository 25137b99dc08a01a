//! The client, and who serves its callbacks: the sending thread at full speed, a thread of its own whenever that one waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use common::exit::Exit;
use common::kafka;
use common::verdict::Verdict;
use rdkafka::producer::{BaseProducer, Producer};

use crate::config::Config;
use crate::context::Context;
use crate::source::ValueSpec;

/// How long the delivery callbacks wait for work at a time; also how long the end of the thread may take.
/// A little more than whole milliseconds: rdkafka hands what is left of a wait to librdkafka in whole ones and spins through
/// the rest, which would be most of one in ten.
const SERVE: Duration = Duration::from_micros(10_100);

/// What rdkafka spins through, added to the sending thread's own waits for the same reason.
const SPUN: Duration = Duration::from_micros(100);

/// How long the sending thread may stay away before its callbacks are served for it: no latency is measured longer than
/// that for want of somebody who takes the report.
const TAKE_OVER: Duration = Duration::from_millis(1);

/// The same where the sending thread waits for nothing, neither for input nor for a message's time: only other processes hold it
/// up then, and a thread that steps in on a busy machine makes it busier.
const TAKE_OVER_RARELY: Duration = Duration::from_millis(10);

/// The client and the thread that serves its callbacks.
pub struct Client {
    pub(super) producer: Arc<BaseProducer<Context>>,
    /// The sending thread has served the callbacks lately.
    served: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    pub(super) fn start(context: Context, config: &Config) -> Result<Self, Verdict> {
        let producer: BaseProducer<Context> = kafka::create(&config.properties, context)?;
        let producer = Arc::new(producer);
        let ended = Arc::new(AtomicBool::new(false));
        let served = Arc::new(AtomicBool::new(false));
        let waits = config.rate.is_some() || matches!(config.spec.value, ValueSpec::Lines { .. });
        let take_over = if waits { TAKE_OVER } else { TAKE_OVER_RARELY };
        let serve = {
            let (producer, served, ended) = (Arc::clone(&producer), Arc::clone(&served), Arc::clone(&ended));
            move || {
                while !ended.load(Ordering::Relaxed) {
                    producer.context().client.tend(producer.client());
                    if served.swap(false, Ordering::Relaxed) {
                        std::thread::sleep(take_over);
                    } else {
                        producer.poll(SERVE);
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("deliveries".to_owned()).spawn(serve).map_err(|error| {
            Verdict::new(Exit::Incomplete, format!("the thread for deliveries cannot start: {error}"))
        })?;
        Ok(Self { producer, served, ended, thread: Some(thread) })
    }

    /// Serves the callbacks on the sending thread. A message's memory is then freed where it was allocated; freed by another
    /// thread, it costs a third more CPU a message with headers, and the two threads wait for each other's locks. The other
    /// thread takes over when this one has not come for a while: it waits for its input, or for a message's time.
    pub(super) fn serve(&self, wait: Duration) {
        self.served.store(true, Ordering::Relaxed);
        let before = self.producer.in_flight_count();
        let mut left = before;
        // `poll` serves one event: the messages of one batch, which with many partitions are few. All that wait are served, or
        // a full queue would let in only as many messages as one batch had, and the next batches would be as small.
        loop {
            self.producer.poll(Duration::ZERO);
            let now = self.producer.in_flight_count();
            if now >= left {
                break;
            }
            left = now;
        }
        // Not by `poll`, which spins through a wait of a millisecond; and not when there is room now.
        if left == before && !wait.is_zero() {
            std::thread::sleep(wait);
        }
    }

    /// From now on the sending thread does nothing but wait for reports: the other one ends.
    pub(super) fn serve_alone(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Serves what comes within this time, and sleeps meanwhile: less than a wake-up for each millisecond, which many producers
    /// on few cores take from each other.
    pub(super) fn await_reports(&self, wait: Duration) {
        self.producer.poll(wait + SPUN);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
