//! The hot loop: each message of the share, filled, wrapped and handed over once, at its time.

use std::time::{Duration, Instant};

use common::exit::Exit;
use common::kafka::error::code;
use common::kafka::topic::{self, Known};
use common::telemetry::traceparent::BYTES;
use common::verdict::Verdict;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseRecord, Producer};

use super::client::Client;
use super::envelope::Envelope;
use super::{End, NAP, PAUSE, Publisher, SILENCE};
use crate::config::with_causes;
use crate::source::{Clock, Filled, Message, Source};
use crate::traces::Traces;

/// Messages between two looks of the sending thread at the delivery reports.
const SERVE_EVERY: u64 = 64;

impl Publisher<'_> {
    /// Sends message after message until there are no more, or a reason to end.
    pub(super) fn send_all(&self, client: &Client, source: &mut Source, mut traces: Option<Traces>) -> End {
        let limit = self.config.own_messages();
        let started = self.tally.started;
        let began = Instant::now();
        let mut message = Message::default();
        let mut clock = Clock::new();
        let mut envelope = Envelope::new(self.config.stamp.clone());
        for nth in 0.. {
            if limit.is_some_and(|limit| nth >= limit) {
                break;
            }
            let sequence = self.config.share.sequence(nth);
            let due = self.config.rate.map(|rate| began + Duration::from_secs_f64(sequence as f64 / rate));
            match self.wait_until(due) {
                Ok(now) => clock.set(now),
                Err(end) => return end,
            }
            match source.fill(sequence, &mut clock, &mut message) {
                Ok(Filled::Message) => {}
                Ok(Filled::End) => {
                    self.tally.request_no_more(nth);
                    break;
                }
                // Only silence can end while it is looked at again.
                Ok(Filled::Stopped) => return self.reason_to_end(Instant::now()).unwrap_or(End::Silence),
                Err(error) => return End::Failed(Verdict::new(Exit::Usage, with_causes(&error))),
            }
            if limit.is_none() {
                self.tally.request(nth + 1);
            }
            let sent = due.unwrap_or(clock.now()).saturating_duration_since(started).as_micros() as usize;
            let traced = traces.as_mut().map(|traces| traces.begin(&message, sent));
            let header = traced.as_ref().and_then(|traced| traced.header.as_ref());
            let headers = envelope.wrap(sequence, clock.us(), &message, header.map(<[u8; BYTES]>::as_slice));
            let opaque = traced.map_or(sent, |traced| traced.opaque);
            if let Err(end) = self.send(client, nth, &message, headers, opaque) {
                return end;
            }
            if nth % SERVE_EVERY == 0 {
                // With a rate this thread mostly sleeps, and the other one takes the reports as they come.
                if due.is_none() {
                    client.serve(Duration::ZERO);
                }
                self.health.progress();
            }
        }
        End::Done
    }

    /// Hands one message over. A full queue holds it up, never drops it. What librdkafka does not take is noted as unsent.
    fn send(
        &self,
        client: &Client,
        nth: u64,
        message: &Message,
        headers: Option<OwnedHeaders>,
        sent: usize,
    ) -> Result<(), End> {
        let topic = self.config.topic.as_str();
        let mut record: BaseRecord<'_, [u8], [u8], usize> = BaseRecord::with_opaque_to(topic, sent);
        record.key = message.key();
        record.payload = message.value();
        record.partition = message.partition.or(self.config.partition);
        record.timestamp = message.timestamp_ms;
        record.headers = headers;
        let mut waited = false;
        loop {
            self.tally.hand_over();
            let Err((error, again)) = client.producer.send(record) else { return Ok(()) };
            let code = code(&error).unwrap_or(RDKafkaErrorCode::Unknown);
            match code {
                RDKafkaErrorCode::QueueFull => {
                    self.tally.hand_back();
                    if !waited {
                        waited = true;
                        self.metrics.queue_full.inc();
                    }
                    client.serve(PAUSE);
                    self.health.progress();
                    if let Some(end) = self.reason_to_end_waiting(Instant::now()) {
                        client.producer.context().handler.give_up(again.delivery_opaque, code);
                        return Err(end);
                    }
                    record = again;
                }
                code => {
                    client.producer.context().handler.give_up(again.delivery_opaque, code);
                    if let (RDKafkaErrorCode::Fatal, Some(fatal)) = (code, client.producer.client().fatal_error()) {
                        self.tally.hand_back();
                        return Err(End::Failed(self.fatal(fatal)));
                    }
                    let partition = message.partition.or(self.config.partition).unwrap_or(-1);
                    self.tally.not_taken(nth, code, topic, partition);
                    // Only metadata tell a number that is out of range from a partition that has no leader for now.
                    if code == RDKafkaErrorCode::UnknownPartition
                        && self.tally.refused_message().is_none()
                        && let Known::Partitions(count) = topic::ask(client.producer.client(), topic)
                        && let Err(refusal) = topic::check_partition(topic, count, partition)
                    {
                        self.tally.refuse_message(refusal);
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Sleeps until a message is due, in naps. `Err` when there is a reason to end meanwhile.
    fn wait_until(&self, due: Option<Instant>) -> Result<Instant, End> {
        loop {
            let now = Instant::now();
            if let Some(end) = self.reason_to_end(now) {
                return Err(end);
            }
            match due {
                Some(due) if due > now => {
                    if self.tally.silence(now) >= SILENCE {
                        return Err(End::Silence);
                    }
                    self.health.progress();
                    std::thread::sleep((due - now).min(NAP));
                }
                _ => return Ok(now),
            }
        }
    }
}
