//! After the last message: wait for the report of each one in flight, as long as the reason for the end allows.

use std::time::{Duration, Instant};

use common::exit::Exit;
use rdkafka::producer::{Producer, PurgeConfig};

use super::client::Client;
use super::{End, PAUSE, Publisher};

/// The longest look at what is in flight.
const LONGEST: Duration = Duration::from_millis(10);

/// How long purged messages may take to be reported back.
const PURGE: Duration = Duration::from_secs(5);
/// At the deadline, no acknowledgement for this long means that the brokers were away, not that the run was too long.
const AWAY: Duration = Duration::from_secs(5);

impl Publisher<'_> {
    /// Waits for the report of every message in flight, as long as the reason for the end allows, then purges.
    pub(super) fn drain(&self, client: &Client, mut end: End) -> End {
        let producer = &client.producer;
        let began = Instant::now();
        let drain_deadline = began + self.config.drain_timeout;
        // To end a transaction waits for reports too, and leaves it to others to take them.
        if !self.config.transactional {
            client.serve_alone();
        }
        loop {
            // Tells the broker threads not to linger; returns at once.
            let flushed = producer.flush(Duration::ZERO).is_ok();
            self.health.progress();
            self.client.hand_over_token(producer.client());
            if flushed && producer.in_flight_count() == 0 {
                return match producer.client().fatal_error() {
                    Some(fatal) if self.tally.fatal() => End::Failed(self.fatal(fatal)),
                    _ => end,
                };
            }
            let now = Instant::now();
            if let End::Done = end
                && let Some(reason) = self.reason_to_end_waiting(now)
            {
                end = reason;
                // A signal during the wait begins the drain; its deadline starts now.
                if matches!(end, End::Signal) {
                    return self.drain(client, end);
                }
            }
            let over = match &end {
                End::Done => false,
                End::Signal => {
                    now >= drain_deadline
                        || self.stop.shutdown.at_once()
                        || self.stop.overdue(now)
                        || self.refused().is_some()
                }
                // A bad line does not take back what was sent before it.
                End::Failed(failure) => {
                    failure.exit != Exit::Usage || now >= drain_deadline || self.refused().is_some()
                }
                End::Deadline => true,
            };
            if over {
                break;
            }
            // Longer and longer looks: many while a short run ends, few while a long one does.
            client.await_reports(((now - began) / 8).clamp(PAUSE, LONGEST));
        }
        if matches!(end, End::Deadline) && self.tally.since_acknowledgement(Instant::now()) >= self.away() {
            end = End::Failed(self.client.unreachable(&self.config.connection.bootstrap_servers));
        }
        producer.purge(PurgeConfig::default().queue().inflight());
        let purged = Instant::now();
        while producer.in_flight_count() > 0 && purged.elapsed() < PURGE {
            client.serve(PAUSE);
        }
        end
    }

    fn away(&self) -> Duration {
        self.config.timeout.map_or(AWAY, |timeout| AWAY.min(timeout / 2))
    }
}
