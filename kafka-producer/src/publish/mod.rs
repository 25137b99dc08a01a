//! The publish loop: warm up, send each message once, wait for every delivery report, and give a verdict.

mod client;
mod drain;
pub mod envelope;
mod send;
mod transaction;
mod warm_up;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::exit::Exit;
use common::health::Health;
use common::kafka::ClientState;
use common::verdict::Verdict;
use rdkafka::error::RDKafkaErrorCode;

use crate::config::Config;
use crate::context::{Context, Deliveries};
use crate::metrics::ProducerMetrics;
use crate::source::Source;
use crate::stop::Stop;
use crate::tally::Tally;
use client::Client;

/// How long one look at a full queue, or at what is in flight, pauses.
const PAUSE: Duration = Duration::from_millis(1);
/// The longest sleep before a scheduled message, so that a signal is seen.
const NAP: Duration = Duration::from_millis(50);
/// No acknowledgement for this long, with messages in flight, means that there is no broker.
const SILENCE: Duration = Duration::from_secs(120);

/// What the loop needs beside its settings.
pub struct Publisher<'a> {
    /// The run.
    pub config: &'a Config,
    /// Connections and refusals.
    pub client: Arc<ClientState>,
    /// The counts.
    pub tally: Arc<Tally>,
    /// Metrics of the loop itself.
    pub metrics: &'a ProducerMetrics,
    /// Told of progress.
    pub health: &'a Health,
    /// When to end early.
    pub stop: Stop,
}

/// How the loop ended.
#[derive(Debug)]
pub struct Published {
    /// Messages of this process, as far as they are known.
    pub requested: u64,
    /// Messages handed to librdkafka.
    pub enqueued: u64,
    /// From the first message to the last acknowledgement.
    pub elapsed: Duration,
    /// The verdict.
    pub exit: Exit,
    /// Why, if not well.
    pub message: Option<String>,
}

/// Why no further message is sent.
enum End {
    /// All were sent.
    Done,
    /// A signal.
    Signal,
    /// `--timeout`.
    Deadline,
    /// The broker, or the input, makes going on useless.
    Failed(Verdict),
}

impl Publisher<'_> {
    /// Publishes the run. Blocks until the verdict is known.
    pub fn run(&self, source: &mut Source) -> Published {
        let started = Instant::now();
        let mut requested = self.config.own_messages().unwrap_or(0);
        let context = Context::new(Arc::clone(&self.client), Deliveries { tally: Arc::clone(&self.tally), started });
        let fail = |failure: Verdict| Published {
            requested,
            enqueued: 0,
            elapsed: Duration::ZERO,
            exit: failure.exit,
            message: failure.because,
        };
        let client = match Client::start(context, self.config) {
            Ok(client) => client,
            Err(failure) => return fail(failure),
        };
        if let Err(failure) = self.warm_up(&client.producer) {
            return fail(failure);
        }
        if self.config.transactional
            && let Err(failure) = self.begin_transaction(&client.producer)
        {
            return fail(failure);
        }
        self.health.ready();
        tracing::info!(
            event = "publishing",
            topic = self.config.topic,
            run_id = self.config.run_id,
            "publishing starts"
        );
        self.tally.begin();
        let first = Instant::now();
        let mut enqueued = 0;
        let mut end = self.send_all(&client, source, started, &mut requested, &mut enqueued);
        let all_sent = matches!(end, End::Done);
        end = self.drain(&client, end);
        if self.config.transactional {
            end = self.end_transaction(&client.producer, end);
        }
        let elapsed = first.elapsed();
        let (exit, message) = self.verdict(end, requested, all_sent);
        Published { requested, enqueued, elapsed, exit, message }
    }

    /// Looked at before each message, so it costs a few loads and no lock.
    fn reason_to_end(&self, now: Instant) -> Option<End> {
        if self.stop.shutdown.requested().is_some() {
            return Some(End::Signal);
        }
        if self.stop.overdue(now) {
            return Some(End::Deadline);
        }
        if self.tally.has_refusal() || self.client.has_refusal() {
            return self.refused().map(End::Failed);
        }
        None
    }

    /// Looked at wherever the loop waits; silence builds up nowhere else.
    fn reason_to_end_waiting(&self, now: Instant) -> Option<End> {
        self.reason_to_end(now).or_else(|| self.silence(now).map(End::Failed))
    }

    fn refused(&self) -> Option<Verdict> {
        self.tally.refused().or_else(|| self.client.refused())
    }

    /// The failure of a cluster that has acknowledged nothing for two minutes, though messages are in flight.
    fn silence(&self, now: Instant) -> Option<Verdict> {
        let in_flight = self.metrics.enqueued.get() > self.tally.settled();
        (in_flight && self.tally.since_acknowledgement(now) >= SILENCE)
            .then(|| self.client.unreachable(&self.config.connection.bootstrap_servers))
    }

    fn fatal(&self, (code, reason): (RDKafkaErrorCode, String)) -> Verdict {
        self.refused().unwrap_or_else(|| self.client.fatal(code, &reason))
    }

    /// The first that applies: interrupted, refused, unreachable, incomplete. All acknowledged is well in any case.
    ///
    /// How many messages an input has is known at its end only: before it, all acknowledged so far is not all.
    fn verdict(&self, end: End, requested: u64, all_sent: bool) -> (Exit, Option<String>) {
        let counts = self.tally.counts();
        let missing = requested.saturating_sub(counts.delivered);
        let undone = match missing {
            0 => "the end of the input".to_owned(),
            _ => format!("{missing} of {requested} messages were acknowledged"),
        };
        let refused = self.refused().or_else(|| self.tally.refused_message());
        match end {
            End::Failed(failure) if failure.exit == Exit::Usage => (failure.exit, failure.because),
            _ if all_sent && missing == 0 => (Exit::Ok, None),
            End::Signal => {
                let signal = self.stop.shutdown.requested();
                let exit = signal.map_or(Exit::Incomplete, common::shutdown::Signal::exit);
                let name = signal.map_or("a signal", common::shutdown::Signal::name);
                (exit, Some(format!("{name} came before {undone}")))
            }
            _ if refused.is_some() => (Exit::Refused, refused.and_then(|failure| failure.because)),
            End::Failed(failure) => (failure.exit, failure.because),
            End::Deadline => (Exit::Incomplete, Some(format!("--timeout passed before {undone}"))),
            End::Done => (Exit::Incomplete, Some(format!("{missing} of {requested} messages were not acknowledged"))),
        }
    }
}

/// Microseconds since 1970.
pub fn epoch_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
