//! The producer's part of librdkafka's callbacks: each delivery is counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::kafka::context::{self, Handler};
use common::kafka::native;
use rdkafka::message::{DeliveryResult, Message};

use crate::tally::Tally;

/// The context of the producer.
pub type Context = context::Context<Deliveries>;

/// What the callbacks write to.
pub struct Deliveries {
    /// The counts.
    pub tally: Arc<Tally>,
    /// Zero of the clock whose microseconds travel with each message.
    pub started: Instant,
}

impl Handler for Deliveries {}

impl context::Deliveries for Deliveries {
    /// When the message was sent, or should have been: microseconds after `started`. A number, because a box would be an
    /// allocation for each message.
    type Opaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, sent_us: usize) {
        match result {
            Ok(message) => {
                let now = Instant::now();
                let sent = self.started + Duration::from_micros(sent_us as u64);
                let bytes = message.payload_len() + message.key_len();
                self.tally.delivered(bytes, now.saturating_duration_since(sent), now);
            }
            Err((_, message)) => {
                let code = native::delivery_error(message);
                self.tally.undelivered(code, message.topic(), message.partition());
            }
        }
    }
}
