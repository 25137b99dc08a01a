//! Commits, and the answers to them. rdkafka's commit that does not wait never says how it went, because librdkafka answers
//! only to a callback that rdkafka does not set; and its commit that waits does so without an end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::bindings::{
    RD_KAFKA_EVENT_OFFSET_COMMIT, rd_kafka_commit_queue, rd_kafka_event_destroy, rd_kafka_event_type,
    rd_kafka_queue_destroy, rd_kafka_queue_new, rd_kafka_queue_poll, rd_kafka_queue_t,
};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::codes::event_error;
use super::error_code;

/// The commits of one consumer that are on their way.
pub struct Commits<C: ConsumerContext + 'static> {
    /// Destroyed before the consumer, as librdkafka wants it.
    queue: *mut rd_kafka_queue_t,
    consumer: Arc<BaseConsumer<C>>,
    /// When those were sent whose answer has not come yet.
    in_flight: VecDeque<Instant>,
}

impl<C: ConsumerContext> Commits<C> {
    /// Nothing on its way.
    pub fn new(consumer: Arc<BaseConsumer<C>>) -> Self {
        // SAFETY: the client is alive. Never null: librdkafka ends the process when memory runs out, as Rust does.
        let queue = unsafe { rd_kafka_queue_new(consumer.client().native_ptr()) };
        Self { queue, consumer, in_flight: VecDeque::new() }
    }

    /// Sends a commit; its answer comes to [`Commits::answer`].
    ///
    /// # Errors
    /// When it cannot even be sent.
    pub fn send(&mut self, offsets: &TopicPartitionList) -> KafkaResult<()> {
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
        match error_code(code) {
            None => {
                self.in_flight.push_back(Instant::now());
                Ok(())
            }
            Some(code) => Err(KafkaError::ConsumerCommit(code)),
        }
    }

    /// The answer to the oldest commit whose answer is missing, and how long it took. `None` when there is no such commit, or
    /// no answer by the deadline.
    pub fn answer(&mut self, deadline: Instant) -> Option<(Duration, Result<(), RDKafkaErrorCode>)> {
        let sent = *self.in_flight.front()?;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Rounded up: rounded down, the last millisecond would be spun through.
            let left = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
            // SAFETY: the queue is alive.
            let event = unsafe { rd_kafka_queue_poll(self.queue, left) };
            if event.is_null() {
                return None;
            }
            // SAFETY: the event is ours until it is destroyed, which happens once, here.
            let (kind, code) = unsafe {
                let of_event = (rd_kafka_event_type(event), event_error(event));
                rd_kafka_event_destroy(event);
                of_event
            };
            if kind == RD_KAFKA_EVENT_OFFSET_COMMIT {
                self.in_flight.pop_front();
                return Some((sent.elapsed(), code.map_or(Ok(()), Err)));
            }
        }
    }

    /// Whether answers are still missing.
    pub fn is_waiting(&self) -> bool {
        !self.in_flight.is_empty()
    }
}

impl<C: ConsumerContext> Drop for Commits<C> {
    fn drop(&mut self) {
        // SAFETY: it was made in `new`, is destroyed once, and before the consumer that this value keeps alive.
        unsafe { rd_kafka_queue_destroy(self.queue) };
    }
}
