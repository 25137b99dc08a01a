//! After the last message: wait for the report of each one in flight, as long as the reason for the end allows.

use std::time::{Duration, Instant};

use common::exit::Exit;
use common::shutdown::Deadline;
use common::verdict::Verdict;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{Producer, PurgeConfig};

use super::client::Client;
use super::{End, Ended, PAUSE, Publisher};

/// The longest look at what is in flight.
const LONGEST: Duration = Duration::from_millis(10);
/// How long purged messages may take to be reported back. A broker's thread that hangs, as in a look-up of a name, reports
/// nothing; what it has then counts as failed.
const PURGE: Duration = Duration::from_secs(1);
/// The same where the drain has used all its time.
const LEAST_PURGE: Duration = Duration::from_millis(100);
/// The part of the drain's time that is kept for what comes behind it: to purge, or to end a transaction.
const KEPT: u32 = 10;
const KEPT_FOR_TRANSACTION: u32 = 2;
/// At the deadline, no acknowledgement for this long means that something keeps the brokers from it, not that the run was too
/// long.
const AWAY: Duration = Duration::from_secs(5);

impl Publisher<'_> {
    /// Waits for the report of every message in flight, as long as the reason for the end allows, then purges.
    pub(super) fn drain(&self, client: &Client, mut end: End) -> Ended {
        let producer = &client.producer;
        let began = Instant::now();
        let mut deadline = self.stop.drain();
        // To end a transaction waits for reports too, and leaves it to others to take them.
        if !self.config.transactional {
            client.serve_alone();
        }
        let all_back = loop {
            // Tells the broker threads not to linger; returns at once. Whether all are back is what the tally knows: librdkafka
            // counts each line of its log that waits too, and with `debug` set each look makes more of them.
            let _ = producer.flush(Duration::ZERO);
            self.health.progress();
            self.client.tend(producer.client());
            if self.tally.in_flight() == 0 {
                break true;
            }
            let now = Instant::now();
            if let End::Done = end
                && let Some(reason) = self.reason_to_end_waiting(now)
            {
                end = reason;
                deadline = self.stop.drain();
            }
            let over = match &end {
                End::Done => false,
                End::Signal => {
                    now >= self.last_wait(deadline) || self.stop.shutdown.at_once() || self.stop.overdue(now)
                }
                // A bad line does not take back what was sent before it.
                End::Failed(failure) => failure.exit != Exit::Usage || now >= self.last_wait(deadline),
                End::Deadline | End::Silence => true,
            };
            if over || (!matches!(end, End::Done) && self.refused().is_some()) {
                break false;
            }
            // Longer and longer looks: many while a short run ends, few while a long one does.
            client.await_reports(((now - began) / 8).clamp(PAUSE, LONGEST));
        };
        if all_back {
            if self.tally.fatal()
                && let Some(fatal) = producer.client().fatal_error()
            {
                end = End::Failed(self.fatal(fatal));
            }
            return Ended { end, why: None, deadline };
        }
        let silent = self.tally.silence(Instant::now()) >= self.away();
        let why = match end {
            End::Silence => Some(self.why_not_acknowledged(producer)),
            End::Deadline if silent => Some(self.why_not_acknowledged(producer)),
            _ => None,
        };
        // Without waiting for the brokers' threads, which may hang.
        producer.purge(PurgeConfig::default().queue().inflight().non_blocking());
        let purged = Instant::now();
        let limit = deadline.left().clamp(LEAST_PURGE, PURGE);
        while self.tally.in_flight() > 0 && purged.elapsed() < limit {
            client.await_reports(PAUSE);
        }
        Ended { end, why, deadline }
    }

    /// Until when the drain may wait for reports.
    fn last_wait(&self, deadline: Deadline) -> Instant {
        let kept = if self.config.transactional { KEPT_FOR_TRANSACTION } else { KEPT };
        let instant = deadline.instant();
        instant.checked_sub(self.stop.drain_timeout / kept).unwrap_or(instant)
    }

    fn away(&self) -> Duration {
        self.config.timeout.map_or(AWAY, |timeout| AWAY.min(timeout / 2))
    }

    /// The verdict on a client that librdkafka gave up.
    pub(super) fn fatal(&self, (code, reason): (RDKafkaErrorCode, String)) -> Verdict {
        self.refused().unwrap_or_else(|| self.client.fatal(code, &reason))
    }
}
