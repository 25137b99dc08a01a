//! All calls of librdkafka that rdkafka lacks or makes unsafely. The only folder with `unsafe`; what leaves it is safe.
//!
//! rdkafka keeps a partition's number of an end-of-partition event and drops its topic and offset, panics on a header name
//! that is not UTF-8, never says how a commit went nor whether a message was transmitted, and has no ListOffsets, DescribeTopics, DescribeCluster
//! and DescribeConsumerGroups.

#![allow(unsafe_code, reason = "the one place that calls librdkafka directly")]

mod answers;
mod ask;
mod brokers;
mod codes;
mod commit;
mod credentials;
mod delivery;
mod member;
mod memory;
mod message;
mod operations;
mod poll;
mod token;

use std::ffi::CStr;
use std::os::raw::c_char;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

pub use answers::{Answer, ClusterAnswer, GroupAnswer, Isolation, PartitionAnswer, TopicAnswer, TopicId};
pub use ask::Questions;
pub use brokers::add_brokers;
pub use codes::delivery_error;
#[cfg(test)]
pub(crate) use codes::described_codes;
pub use commit::Commits;
pub use credentials::set_credentials;
pub use delivery::was_attempted;
pub use member::generation;
pub(super) use memory::release_memory;
pub use message::{Headers, Message};
pub use operations::{Operation, Operations};
pub use poll::{Polled, RecordQueue};
pub use token::set_token;

/// A topic and the number of one of its partitions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
}

impl TopicPartition {
    /// A partition of a topic.
    pub fn new(topic: impl Into<String>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition)
    }
}

/// `None` for librdkafka's "no error".
fn error_code(code: RDKafkaRespErr) -> Option<RDKafkaErrorCode> {
    (code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| code.into())
}

/// A copy of a string of librdkafka's; empty for a null pointer.
///
/// # Safety
/// The pointer is null, or points to a string that ends with a NUL and lives for the call.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// # Safety
/// `pointer` is null or points to `count` elements that live for `'a`.
unsafe fn elements<'a, T>(pointer: *const T, count: usize) -> &'a [T] {
    // SAFETY: the caller's promise.
    if pointer.is_null() || count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(pointer, count) } }
}
