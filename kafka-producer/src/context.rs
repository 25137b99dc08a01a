//! The producer's part of librdkafka's callbacks: each delivery is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// It was said that librdkafka guesses.
    pub has_guessed: AtomicBool,
}

impl Deliveries {
    /// The time of a message that came back, and its span, if it has one.
    fn taken(&self, opaque: usize) -> (usize, Option<(&Open, Sent)>) {
        let sent = self.traces.as_deref().and_then(|open| Some((open, open.take(opaque)?)));
        (sent.as_ref().map_or(opaque, |(_, sent)| sent.sent_us), sent)
    }

    /// Whether no broker has acknowledged this message, nor any before it in its partition.
    ///
    /// Where a batch was refused or not answered and the next one of its partition was accepted, librdkafka takes the first for
    /// written too: numbers rise without gaps. Such a message has no offset. But a broker that knows nothing of a producer
    /// accepts whatever number comes first. So a first batch that came to a leader which did not know yet that it is one is
    /// lost, and the second is accepted a moment later.
    fn is_a_guess(&self, message: &BorrowedMessage<'_>) -> bool {
        message.offset() < 0 && !self.tally.is_confirmed(message.partition())
    }

    fn say_guess(&self, message: &BorrowedMessage<'_>) {
        if !self.has_guessed.swap(true, Ordering::Relaxed) {
            let (topic, partition) = (message.topic(), message.partition());
            tracing::warn!(
                event = "unconfirmed",
                topic,
                partition,
                "the first messages of {topic}[{partition}] count as failed: their batch was refused or not answered, and that the \
                 next one was accepted does not prove that they are there"
            );
        }
    }

    fn undelivered(
        &self,
        message: &BorrowedMessage<'_>,
        code: Number,
        transmitted: bool,
        traced: Option<(&Open, Sent)>,
    ) {
        if let Some(seq) = sequence(message) {
            self.tally.unacknowledged(self.share.nth(seq));
        }
        self.tally.undelivered(code, transmitted, message.topic(), message.partition());
        if let Some((open, sent)) = traced {
            open.failed(&sent, message.partition(), error::name(code));
        }
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
            Ok(message) if self.is_a_guess(message) => {
                self.say_guess(message);
                self.undelivered(message, RDKafkaErrorCode::Inconsistent.into(), true, traced);
            }
            Ok(message) => {
                let now = Instant::now();
                let sent = self.tally.started + Duration::from_micros(sent_us as u64);
                let bytes = message.payload_len() + message.key_len();
                let latency = now.saturating_duration_since(sent);
                self.tally.delivered(message.partition(), bytes, latency, now);
                if let Some((open, sent)) = traced {
                    self.tally.exemplar(latency, sent.trace_id());
                    open.delivered(&sent, message.partition(), message.offset());
                }
            }
            Err((_, message)) => {
                let code = native::delivery_error(message);
                let transmitted = is_of_a_request(code) || native::was_attempted(message);
                self.undelivered(message, code, transmitted, traced);
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
