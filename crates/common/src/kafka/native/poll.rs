//! The consumer's queue, event by event. rdkafka's `poll` returns the same nothing for "an event was served" and for "the
//! queue is empty", and drops topic and offset of an end-of-partition event; a run that has to end at the end needs both.

use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings::{
    RD_KAFKA_EVENT_ERROR, RD_KAFKA_EVENT_FETCH, RD_KAFKA_EVENT_LOG, RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH,
    RD_KAFKA_EVENT_REBALANCE, RD_KAFKA_EVENT_STATS, rd_kafka_event_destroy, rd_kafka_event_error_is_fatal,
    rd_kafka_event_error_string, rd_kafka_event_log, rd_kafka_event_message_next, rd_kafka_event_stats,
    rd_kafka_event_t, rd_kafka_event_topic_partition, rd_kafka_event_topic_partition_list, rd_kafka_event_type,
    rd_kafka_oauthbearer_set_token_failure, rd_kafka_queue_destroy, rd_kafka_queue_get_consumer, rd_kafka_queue_poll,
    rd_kafka_queue_t, rd_kafka_topic_partition_destroy,
};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::codes::event_error;
use super::{Message, TopicPartition, elements, set_token, text};

/// What one look at the queue brought to light.
pub enum Polled<'a> {
    /// A record.
    Record(Message<'a>),
    /// The fetch position of a partition met its end, behind all records that were handed over before.
    End(TopicPartition, i64),
    /// The group assigns these partitions; they are ours once they are assigned to the client.
    Assign(Vec<TopicPartition>),
    /// The group revokes these partitions; they are ours until they are unassigned from the client.
    Revoke(Vec<TopicPartition>),
    /// An error, of one partition at an offset, or of the client.
    Error(RDKafkaErrorCode, Option<(TopicPartition, i64)>, String),
    /// The client cannot go on.
    Fatal(RDKafkaErrorCode, String),
    /// An event that the callbacks have dealt with: more may wait behind it.
    Served,
    /// The queue stayed empty.
    Empty,
}

/// The queue that a consumer's records and events come to, the client's callbacks included.
pub struct RecordQueue<C: ConsumerContext + 'static> {
    /// Destroyed before the consumer, as librdkafka wants it.
    queue: *mut rd_kafka_queue_t,
    consumer: Arc<BaseConsumer<C>>,
}

impl<C: ConsumerContext> RecordQueue<C> {
    /// The queue of this consumer; `None` when it has no group, without which librdkafka has no such queue.
    pub fn of(consumer: Arc<BaseConsumer<C>>) -> Option<Self> {
        // SAFETY: the client is alive; the reference to its queue is ours.
        let queue = unsafe { rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        (!queue.is_null()).then_some(Self { queue, consumer })
    }

    /// Takes the next record or event, and waits for it this long at most, in whole milliseconds.
    pub fn poll(&self, wait: Duration) -> Polled<'_> {
        let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive.
        let event = unsafe { rd_kafka_queue_poll(self.queue, wait) };
        if event.is_null() {
            return Polled::Empty;
        }
        // SAFETY: the event is alive and ours.
        if unsafe { rd_kafka_event_type(event) } == RD_KAFKA_EVENT_FETCH {
            // SAFETY: a fetch event holds one message, which lives as long as the event; `Message` destroys it.
            return unsafe {
                let message = rd_kafka_event_message_next(event);
                if message.is_null() {
                    rd_kafka_event_destroy(event);
                    return Polled::Served;
                }
                Polled::Record(Message::new(event, message))
            };
        }
        // SAFETY: the event is alive; nothing that is returned borrows from it; it is destroyed once, here.
        unsafe {
            let polled = self.event(event);
            rd_kafka_event_destroy(event);
            polled
        }
    }

    /// # Safety
    /// The event is alive.
    unsafe fn event(&self, event: *mut rd_kafka_event_t) -> Polled<'static> {
        let context = self.consumer.client().context();
        // SAFETY, for this function: each accessor belongs to the type of the event; strings and lists are copied.
        unsafe {
            match rd_kafka_event_type(event) {
                RD_KAFKA_EVENT_LOG => {
                    let (mut facility, mut line, mut level) = (std::ptr::null(), std::ptr::null(), 0);
                    if rd_kafka_event_log(event, &mut facility, &mut line, &mut level) == 0 {
                        context.log(log_level(level), text(facility).trim(), text(line).trim());
                    }
                    Polled::Served
                }
                RD_KAFKA_EVENT_STATS => {
                    context.stats_raw(CStr::from_ptr(rd_kafka_event_stats(event)).to_bytes());
                    Polled::Served
                }
                RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH => {
                    self.refresh_token();
                    Polled::Served
                }
                RD_KAFKA_EVENT_REBALANCE => {
                    let list = rd_kafka_event_topic_partition_list(event);
                    let entries = match list.is_null() {
                        true => &[],
                        false => elements((*list).elems, usize::try_from((*list).cnt).unwrap_or(0)),
                    };
                    let partitions = entries
                        .iter()
                        .map(|element| TopicPartition::new(text(element.topic), element.partition))
                        .collect();
                    match event_error(event) {
                        Some(RDKafkaErrorCode::AssignPartitions) => Polled::Assign(partitions),
                        _ => Polled::Revoke(partitions),
                    }
                }
                RD_KAFKA_EVENT_ERROR => self.error(event),
                _ => Polled::Served,
            }
        }
    }

    /// # Safety
    /// The event is alive, and an error.
    unsafe fn error(&self, event: *mut rd_kafka_event_t) -> Polled<'static> {
        // SAFETY: as for `event`; the topic-partition is ours and destroyed once.
        unsafe {
            let Some(code) = event_error(event) else { return Polled::Served };
            let place = rd_kafka_event_topic_partition(event);
            let partition = (!place.is_null()).then(|| {
                let partition = (TopicPartition::new(text((*place).topic), (*place).partition), (*place).offset);
                rd_kafka_topic_partition_destroy(place);
                partition
            });
            if let (RDKafkaErrorCode::PartitionEOF, Some((partition, offset))) = (code, &partition) {
                return Polled::End(partition.clone(), *offset);
            }
            let reason = text(rd_kafka_event_error_string(event)).trim().to_owned();
            let fatal = rd_kafka_event_error_is_fatal(event) != 0;
            // An offset that does not exist is the loop's to decide about.
            if code != RDKafkaErrorCode::AutoOffsetReset || partition.is_none() {
                self.consumer.client().context().error(KafkaError::Global(code), &reason);
            }
            if fatal { Polled::Fatal(code, reason) } else { Polled::Error(code, partition, reason) }
        }
    }

    /// Answers librdkafka's wish for a new token.
    fn refresh_token(&self) {
        let client = self.consumer.client();
        let token = client.context().generate_oauth_token(None).map_err(|error| error.to_string());
        let set = token.and_then(|token| set_token(client, &token));
        if let Err(reason) = set {
            let reason = CString::new(reason.replace('\0', " ")).unwrap_or_default();
            // SAFETY: the string lives for the call, which copies it.
            unsafe { rd_kafka_oauthbearer_set_token_failure(client.native_ptr(), reason.as_ptr()) };
        }
    }
}

impl<C: ConsumerContext> Drop for RecordQueue<C> {
    fn drop(&mut self) {
        // SAFETY: the reference was taken in `of`, is given back once, and before the consumer that this value keeps alive.
        unsafe { rd_kafka_queue_destroy(self.queue) };
    }
}

/// Syslog's levels, which librdkafka uses.
fn log_level(level: i32) -> RDKafkaLogLevel {
    match level {
        0 => RDKafkaLogLevel::Emerg,
        1 => RDKafkaLogLevel::Alert,
        2 => RDKafkaLogLevel::Critical,
        3 => RDKafkaLogLevel::Error,
        4 => RDKafkaLogLevel::Warning,
        5 => RDKafkaLogLevel::Notice,
        6 => RDKafkaLogLevel::Info,
        _ => RDKafkaLogLevel::Debug,
    }
}
