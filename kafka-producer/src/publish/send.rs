//! The hot loop: each message of the share, filled, wrapped and handed over once, at its time.

use std::time::{Duration, Instant};

use common::exit::Exit;
use common::kafka::error::code;
use common::kafka::topic::{self, Known};
use common::verdict::Verdict;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseRecord, Producer};

use super::client::Client;
use super::envelope::Envelope;
use super::{End, NAP, PAUSE, Publisher, epoch_us};
use crate::config::with_causes;
use crate::source::{Filled, Message, Source};

/// Messages between two looks of the sending thread at the delivery reports.
const SERVE_EVERY: u64 = 64;

impl Publisher<'_> {
    /// Sends message after message until there are no more, or a reason to end.
    pub(super) fn send_all(
        &self,
        client: &Client,
        source: &mut Source,
        started: Instant,
        requested: &mut u64,
        enqueued: &mut u64,
    ) -> End {
        let limit = self.config.own_messages();
        let began = Instant::now();
        let mut message = Message::default();
        let mut clock = Clock::new();
        let mut envelope = Envelope::new(self.config.run_headers.then_some(self.config.run_id.as_str()));
        for nth in 0.. {
            if limit.is_some_and(|limit| nth >= limit) {
                break;
            }
            let sequence = self.config.share.sequence(nth);
            let due = self.config.rate.map(|rate| began + Duration::from_secs_f64(sequence as f64 / rate));
            let now = match self.wait_until(due) {
                Ok(now) => now,
                Err(end) => return end,
            };
            let sent_us = clock.us(now);
            match source.fill(sequence, sent_us, &mut message) {
                Ok(Filled::Message) => {}
                Ok(Filled::End) => {
                    *requested = nth;
                    break;
                }
                Ok(Filled::Stopped) => return self.reason_to_end(Instant::now()).unwrap_or(End::Signal),
                Err(error) => {
                    *requested = (*requested).max(nth);
                    return End::Failed(Verdict::new(Exit::Usage, with_causes(&error)));
                }
            }
            if limit.is_none() {
                *requested = nth + 1;
            }
            let sent = due.unwrap_or(now).saturating_duration_since(started).as_micros() as usize;
            let headers = envelope.wrap(sequence, sent_us, &message);
            match self.send(client, &message, headers, sent) {
                Ok(true) => *enqueued += 1,
                // Never handed over: counted as unsent by its code.
                Ok(false) => *enqueued += 1,
                Err(end) => return end,
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

    /// Hands one message over. A full queue holds it up, never drops it. `false` when librdkafka does not take it.
    fn send(
        &self,
        client: &Client,
        message: &Message,
        headers: Option<OwnedHeaders>,
        sent: usize,
    ) -> Result<bool, End> {
        let topic = self.config.topic.as_str();
        let mut record: BaseRecord<'_, [u8], [u8], usize> = BaseRecord::with_opaque_to(topic, sent);
        record.key = message.key();
        record.payload = message.value();
        record.partition = message.partition.or(self.config.partition);
        record.timestamp = message.timestamp_ms;
        record.headers = headers;
        let mut waited = false;
        loop {
            let (error, again) = match client.producer.send(record) {
                Ok(()) => {
                    self.metrics.enqueued.inc();
                    return Ok(true);
                }
                Err(refused) => refused,
            };
            let code = code(&error).unwrap_or(RDKafkaErrorCode::Unknown);
            match code {
                RDKafkaErrorCode::QueueFull => {
                    if !waited {
                        waited = true;
                        self.metrics.queue_full.inc();
                    }
                    client.serve(PAUSE);
                    self.health.progress();
                    if let Some(end) = self.reason_to_end_waiting(Instant::now()) {
                        return Err(end);
                    }
                    record = again;
                }
                code => {
                    if let (RDKafkaErrorCode::Fatal, Some(fatal)) = (code, client.producer.client().fatal_error()) {
                        return Err(End::Failed(self.fatal(fatal)));
                    }
                    let partition = message.partition.or(self.config.partition).unwrap_or(-1);
                    self.tally.not_taken(code, topic, partition);
                    // Only metadata tell a number that is out of range from a partition that has no leader for now.
                    if code == RDKafkaErrorCode::UnknownPartition
                        && self.tally.refused_message().is_none()
                        && let Known::Partitions(count) = topic::ask(client.producer.client(), topic)
                        && let Err(refusal) = topic::check_partition(topic, count, partition)
                    {
                        self.tally.refuse_message(refusal);
                    }
                    return Ok(false);
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
                    if let Some(failure) = self.silence(now) {
                        return Err(End::Failed(failure));
                    }
                    self.health.progress();
                    std::thread::sleep((due - now).min(NAP));
                }
                _ => return Ok(now),
            }
        }
    }
}

/// The time of day of an instant: each message needs both, and to ask for one of them is enough.
struct Clock {
    instant: Instant,
    us: i64,
}

impl Clock {
    /// The system's time is asked again after this long, as it may be corrected meanwhile.
    const VALID: Duration = Duration::from_millis(100);

    fn new() -> Self {
        Self { instant: Instant::now(), us: epoch_us() }
    }

    /// Microseconds since 1970.
    fn us(&mut self, now: Instant) -> i64 {
        let mut since = now.saturating_duration_since(self.instant);
        if since >= Self::VALID {
            *self = Self::new();
            since = Duration::ZERO;
        }
        self.us + since.as_micros() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_follows_both_clocks() {
        let mut clock = Clock::new();
        let (instant, us) = (clock.instant, clock.us);
        assert_eq!(clock.us(instant + Duration::from_micros(1500)), us + 1500);
        let later = clock.us(instant + Clock::VALID);
        assert!((later - epoch_us()).abs() < 1_000_000, "asked again, not reckoned");
    }
}
