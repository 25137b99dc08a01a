//! Commits, and the answers to them. rdkafka has neither: its commit that does not wait never says how it went, because
//! librdkafka answers only to a callback that rdkafka does not set; and its commit that waits does so without an end.

#![allow(unsafe_code, reason = "rdkafka has no commit whose answer comes to a queue")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::bindings::{
    RD_KAFKA_EVENT_OFFSET_COMMIT, rd_kafka_commit_queue, rd_kafka_event_destroy, rd_kafka_event_error,
    rd_kafka_event_type, rd_kafka_queue_destroy, rd_kafka_queue_new, rd_kafka_queue_poll, rd_kafka_queue_t,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use crate::context::Context;
use crate::metrics::ConsumerMetrics;

/// Commits of one consumer.
pub struct Commits {
    /// Destroyed before the consumer, as librdkafka wants it.
    queue: *mut rd_kafka_queue_t,
    consumer: Arc<BaseConsumer<Context>>,
    /// When those were sent whose answer has not come yet.
    in_flight: VecDeque<Instant>,
    metrics: ConsumerMetrics,
}

impl Commits {
    /// None yet.
    pub fn new(consumer: Arc<BaseConsumer<Context>>, metrics: ConsumerMetrics) -> Self {
        // SAFETY: the client is alive. Never null: librdkafka ends the process when memory runs out, as Rust does.
        let queue = unsafe { rd_kafka_queue_new(consumer.client().native_ptr()) };
        Self { queue, consumer, in_flight: VecDeque::new(), metrics }
    }

    /// Sends a commit; its answer comes to [`Commits::answers`].
    ///
    /// # Errors
    /// When it cannot even be sent.
    pub fn send(&mut self, offsets: &TopicPartitionList) -> KafkaResult<()> {
        let sent = Instant::now();
        // SAFETY: client, list and queue are alive; librdkafka copies the list. Without a callback the answer is an event.
        let code = unsafe {
            rd_kafka_commit_queue(
                self.consumer.client().native_ptr(),
                offsets.ptr(),
                self.queue,
                None,
                std::ptr::null_mut(),
            )
        };
        let result = as_result(code);
        match &result {
            Ok(()) => self.in_flight.push_back(sent),
            Err(_) => self.count(sent, &result),
        }
        result
    }

    /// Takes the answers that are there, and waits for the missing ones until the deadline. `false` when a commit
    /// failed: its offsets are to be committed again.
    pub fn answers(&mut self, deadline: Instant) -> bool {
        let mut all_well = true;
        while let Some(sent) = self.in_flight.front().copied() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(result) = self.answer(left) else { break };
            self.in_flight.pop_front();
            self.count(sent, &result);
            all_well &= result.is_ok();
        }
        all_well
    }

    /// Whether answers are still missing.
    pub fn is_waiting(&self) -> bool {
        !self.in_flight.is_empty()
    }

    fn answer(&self, wait: Duration) -> Option<KafkaResult<()>> {
        let deadline = Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
            // SAFETY: the queue is alive.
            let event = unsafe { rd_kafka_queue_poll(self.queue, left) };
            if event.is_null() {
                return None;
            }
            // SAFETY: the event is ours until it is destroyed, which happens once, here.
            let (kind, code) = unsafe {
                let of_event = (rd_kafka_event_type(event), rd_kafka_event_error(event));
                rd_kafka_event_destroy(event);
                of_event
            };
            if kind == RD_KAFKA_EVENT_OFFSET_COMMIT {
                return Some(as_result(code));
            }
        }
    }

    fn count(&self, sent: Instant, result: &KafkaResult<()>) {
        self.metrics.commit_seconds.observe(sent.elapsed().as_secs_f64());
        match result {
            Ok(()) => self.metrics.commits.with_label_values(&["ok"]).inc(),
            Err(error) => {
                self.metrics.commits.with_label_values(&["error"]).inc();
                tracing::warn!(
                    event = "commit_failed",
                    "offsets are not committed, and will be with the next commit: {error}"
                );
            }
        }
    }
}

impl Drop for Commits {
    fn drop(&mut self) {
        // SAFETY: it was made in `new`, is destroyed once, and before the consumer that this value keeps alive.
        unsafe { rd_kafka_queue_destroy(self.queue) };
    }
}

fn as_result(code: RDKafkaRespErr) -> KafkaResult<()> {
    match code {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        code => Err(KafkaError::ConsumerCommit(code.into())),
    }
}
