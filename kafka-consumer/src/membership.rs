//! Whether this process has become a member of its group. rdkafka does not hand out the member's generation.

#![allow(unsafe_code, reason = "rdkafka does not hand out the generation of a group's member")]

use std::time::{Duration, Instant};

use rdkafka::bindings::{
    rd_kafka_consumer_group_metadata, rd_kafka_consumer_group_metadata_destroy,
    rd_kafka_consumer_group_metadata_generation_id,
};
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::context::Context;

/// A member's partitions come right after its admission: with none after this time it has none for now.
const PATIENCE: Duration = Duration::from_secs(3);

/// Watches for a member that was admitted and has no part to do. With KIP-848 librdkafka tells that by nothing else: an
/// assignment that stays empty is no change, and so no rebalance.
#[derive(Default)]
pub struct Membership {
    admitted: Option<Instant>,
}

impl Membership {
    /// Whether the group has admitted this member a while ago.
    pub fn is_old(&mut self, consumer: &BaseConsumer<Context>) -> bool {
        if generation(consumer) <= 0 {
            self.admitted = None;
            return false;
        }
        self.admitted.get_or_insert_with(Instant::now).elapsed() >= PATIENCE
    }
}

/// The member's generation, called epoch with KIP-848; not positive before the group has admitted it.
fn generation(consumer: &BaseConsumer<Context>) -> i32 {
    // SAFETY: the client is alive; what it returns is ours, null for a client without a group, and destroyed once.
    unsafe {
        let metadata = rd_kafka_consumer_group_metadata(consumer.client().native_ptr());
        if metadata.is_null() {
            return -1;
        }
        let generation = rd_kafka_consumer_group_metadata_generation_id(metadata);
        rd_kafka_consumer_group_metadata_destroy(metadata);
        generation
    }
}
