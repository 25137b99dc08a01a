//! A topic that is being written: a record every so often, or some at once, until it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

use super::{NewRecord, TIMEOUT, base_record};

/// Records on their way into one topic, with the numbers from 0 on as their values. Dropped, it stops.
pub struct Trickle {
    acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Trickle {
    /// Starts: one record every `pause`, over these partitions in turn.
    pub fn start(config: &ClientConfig, topic: &str, partitions: &[i32], pause: Duration) -> Result<Self> {
        Self::bursts(config, topic, partitions, 1, pause)
    }

    /// Starts: this many records at once every `pause`. To wait less than a millisecond for each would keep a core busy.
    pub fn bursts(config: &ClientConfig, topic: &str, partitions: &[i32], burst: u64, pause: Duration) -> Result<Self> {
        let (acknowledged, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut config = config.clone();
        // Each one at once, however many wait for their acknowledgement.
        config.set("linger.ms", "0");
        let producer: BaseProducer<Acknowledged> =
            config.create_with_context(Acknowledged(Arc::clone(&acknowledged)))?;
        let (topic, partitions, ending) = (topic.to_owned(), partitions.to_vec(), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            for (number, partition) in (0_u64..).zip(partitions.iter().cycle()) {
                if ending.load(Ordering::Relaxed) {
                    break;
                }
                let record = NewRecord::value(number.to_string()).partition(*partition);
                producer.send(base_record(&topic, &record)).map_err(|(error, _)| error)?;
                if (number + 1) % burst != 0 {
                    continue;
                }
                let next = Instant::now() + pause;
                while let Some(left) = next.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                    producer.poll(left);
                }
            }
            producer.flush(TIMEOUT).context("the last records were not acknowledged")
        });
        Ok(Self { acknowledged, stop, thread: Some(thread) })
    }

    /// How many were acknowledged until now.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until so many were acknowledged.
    pub fn wait_for(&self, count: u64, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        while self.acknowledged() < count {
            let seen = self.acknowledged();
            ensure!(Instant::now() < deadline, "{seen} of {count} records were acknowledged within {timeout:?}");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Stops, and returns how many there are in all.
    pub fn finish(mut self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the thread does not panic")?;
        }
        Ok(self.acknowledged())
    }
}

impl Drop for Trickle {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Counts what was acknowledged.
struct Acknowledged(Arc<AtomicU64>);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}
