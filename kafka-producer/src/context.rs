//! The producer's part of librdkafka's callbacks: each delivery is counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::kafka::context::{self, Handler};
use common::kafka::error::Number;
use common::kafka::native;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{DeliveryResult, Message};

use crate::ledger::Ledger;

/// The context of the producer.
pub type Context = context::Context<Deliveries>;

/// What the callbacks write to.
pub struct Deliveries {
    /// The counts.
    pub ledger: Arc<Ledger>,
}

impl Handler for Deliveries {}

impl context::Deliveries for Deliveries {
    /// When the message was sent, or should have been: microseconds after the ledger's start. A number, because a box would be an
    /// allocation for each message.
    type Opaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, sent_us: usize) {
        match result {
            Ok(message) => {
                let now = Instant::now();
                let sent = self.ledger.started + Duration::from_micros(sent_us as u64);
                let bytes = message.payload_len() + message.key_len();
                self.ledger.delivered(bytes, now.saturating_duration_since(sent), now);
            }
            Err((_, message)) => {
                let code = native::delivery_error(message);
                let transmitted = is_of_a_request(code) || native::was_attempted(message);
                self.ledger.undelivered(code, transmitted, message.topic(), message.partition());
            }
        }
    }
}

/// Whether an error can only come from a request: a broker's answer, or a request that was given up.
fn is_of_a_request(code: Number) -> bool {
    code == RDKafkaErrorCode::PurgeInflight.into() || code.0 > RDKafkaErrorCode::End as i32
}
