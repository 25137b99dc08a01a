//! The producer's part of librdkafka's callbacks: each delivery is counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::kafka::context::{self, Handler};
use common::kafka::error::{self, Number};
use common::kafka::native;
use common::stamp::{self, Stamp};
use ledger::Share;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{BorrowedMessage, DeliveryResult, Headers, Message};

use crate::tally::Tally;
use crate::traces::{Open, Sent};

/// The context of the producer.
pub type Context = context::Context<Deliveries>;

/// What the callbacks write to.
pub struct Deliveries {
    /// The counts.
    pub tally: Arc<Tally>,
    /// The messages that are traced, if there are traces.
    pub traces: Option<Arc<Open>>,
    /// Which messages of the run are this process's.
    pub share: Share,
}

impl Deliveries {
    /// The time of a message that came back, and its span, if it has one.
    fn taken(&self, opaque: usize) -> (usize, Option<(&Open, Sent)>) {
        let sent = self.traces.as_deref().and_then(|open| Some((open, open.take(opaque)?)));
        (sent.as_ref().map_or(opaque, |(_, sent)| sent.sent_us), sent)
    }

    /// A message that librdkafka did not take, and that is not tried again.
    pub fn give_up(&self, opaque: usize, code: RDKafkaErrorCode) {
        if let (_, Some((open, sent))) = self.taken(opaque) {
            open.failed(&sent, -1, error::name(code));
        }
    }
}

impl Handler for Deliveries {}

impl context::Deliveries for Deliveries {
    /// When the message was sent, or should have been: microseconds after the tally's start; or, of a message that is traced, its
    /// place among those. A number, because a box would be an allocation for each message.
    type Opaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let (sent_us, traced) = self.taken(opaque);
        match result {
            Ok(message) => {
                let now = Instant::now();
                let sent = self.tally.started + Duration::from_micros(sent_us as u64);
                let bytes = message.payload_len() + message.key_len();
                let latency = now.saturating_duration_since(sent);
                self.tally.delivered(bytes, latency, now);
                if let Some((open, sent)) = traced {
                    self.tally.exemplar(latency, sent.trace_id());
                    open.delivered(&sent, message.partition(), message.offset());
                }
            }
            Err((_, message)) => {
                let code = native::delivery_error(message);
                let transmitted = is_of_a_request(code) || native::was_attempted(message);
                if let Some(seq) = sequence(message) {
                    self.tally.unacknowledged(self.share.nth(seq));
                }
                self.tally.undelivered(code, transmitted, message.topic(), message.partition());
                if let Some((open, sent)) = traced {
                    open.failed(&sent, message.partition(), error::name(code));
                }
            }
        }
    }
}

/// The number of a message, from its own stamp: what travels with a message has no room for it, and the sending thread would pay
/// for a list of all. A stamp that the message brought along stands behind its own.
fn sequence(message: &BorrowedMessage<'_>) -> Option<u64> {
    let header = message.headers()?.iter().next().filter(|header| header.key == stamp::HEADER)?;
    Some(Stamp::parse(header.value?)?.seq)
}

/// Whether an error can only come from a request: a broker's answer, or a request that was given up.
fn is_of_a_request(code: Number) -> bool {
    code == RDKafkaErrorCode::PurgeInflight.into() || code.0 > RDKafkaErrorCode::End as i32
}
