//! Whether this process has become a member of its group. rdkafka does not hand out the member's generation.

use rdkafka::bindings::{
    rd_kafka_consumer_group_metadata, rd_kafka_consumer_group_metadata_destroy,
    rd_kafka_consumer_group_metadata_generation_id,
};
use rdkafka::client::{Client, ClientContext};

/// The member's generation, called epoch with KIP-848; not positive before the group has admitted it.
pub fn generation<C: ClientContext>(client: &Client<C>) -> i32 {
    // SAFETY: the client is alive; what it returns is ours, null for a client without a group, and destroyed once.
    unsafe {
        let metadata = rd_kafka_consumer_group_metadata(client.native_ptr());
        if metadata.is_null() {
            return -1;
        }
        let generation = rd_kafka_consumer_group_metadata_generation_id(metadata);
        rd_kafka_consumer_group_metadata_destroy(metadata);
        generation
    }
}
