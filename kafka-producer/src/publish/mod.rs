//! The publish loop: warm up, send each message once, wait for every delivery report, and give a verdict.

mod beside;
mod client;
mod drain;
pub mod envelope;
mod identity;
mod leaders;
mod send;
mod transaction;
mod verdict;
mod warm_up;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use common::health::Health;
use common::kafka::ClientState;
use common::shutdown::Deadline;
use common::telemetry::Tracer;
use common::verdict::Verdict;

use crate::config::Config;
use crate::context::{Context, Deliveries};
use crate::metrics::ProducerMetrics;
use crate::source::Source;
use crate::stop::Stop;
use crate::tally::Tally;
use crate::traces::Traces;
pub use client::Client;
use identity::Identity;

/// How long one look at a full queue, or at what is in flight, pauses.
const PAUSE: Duration = Duration::from_millis(1);
/// The longest sleep before a scheduled message, so that a signal is seen.
const NAP: Duration = Duration::from_millis(50);
/// No acknowledgement for this long, with messages in flight all the time, means that there is no broker.
pub const SILENCE: Duration = Duration::from_secs(120);

/// What wants to be ready before the first message.
pub trait Beginnings {
    /// The partitions end here, as far as their leaders have told.
    ///
    /// # Errors
    /// Nothing is to be sent.
    fn before_the_first(&self, ends: &BTreeMap<i32, i64>) -> Result<(), Verdict>;
}

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
    /// Takes spans, if there are traces.
    pub tracer: Option<&'a Tracer>,
    /// Who reads what is sent, if somebody does.
    pub reader: Option<&'a dyn Beginnings>,
}

/// Why no further message is sent.
enum End {
    /// All were sent.
    Done,
    /// A signal.
    Signal,
    /// `--timeout`.
    Deadline,
    /// Nothing was acknowledged for [`SILENCE`].
    Silence,
    /// The broker, or the input, makes going on useless.
    Failed(Verdict),
}

/// How the loop ended, as far as that is known.
struct Ended {
    end: End,
    /// Why messages were not acknowledged, where the brokers were asked.
    why: Option<Verdict>,
    /// By when all has to be over.
    deadline: Deadline,
}

impl Publisher<'_> {
    /// Publishes the run. Blocks until the verdict is known. The client is left in `kept`: to drop it can hang, which must not
    /// hold up the verdict.
    pub fn run(&self, kept: &mut Option<Client>, source: &mut Source) -> Verdict {
        let traces = self.tracer.map(|tracer| Traces::new(tracer.clone(), self.config));
        let deliveries = Deliveries {
            tally: Arc::clone(&self.tally),
            traces: traces.as_ref().map(|traces| Arc::clone(&traces.open)),
            share: self.config.share,
            has_guessed: AtomicBool::new(false),
        };
        let context = Context::new(Arc::clone(&self.client), deliveries);
        let client = match Client::start(context, self.config) {
            Ok(client) => &*kept.insert(client),
            Err(verdict) => return verdict,
        };
        let begun = self.warm_up(&client.producer).and_then(|ends| match self.reader {
            Some(reader) => reader.before_the_first(&ends),
            None => Ok(()),
        });
        let begun = begun.and_then(|()| match self.config.transactional {
            true => self.begin_transaction(&client.producer),
            false => Ok(()),
        });
        if let Err(verdict) = begun {
            return verdict;
        }
        let mut identity = Identity::ask(Arc::clone(&client.producer), &self.config.topic);
        self.health.ready();
        tracing::info!(
            event = "publishing",
            topic = self.config.topic,
            run_id = self.config.run_id,
            "publishing starts"
        );
        self.tally.begin();
        let end = self.send_all(client, source, traces);
        let all_sent = matches!(end, End::Done);
        let mut ended = self.drain(client, end);
        if self.config.transactional {
            self.end_transaction(&client.producer, &mut ended, all_sent);
        }
        self.tally.end();
        let verdict = self.verdict(ended);
        self.check_identity(&mut identity, verdict)
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
        self.reason_to_end(now).or_else(|| (self.tally.silence(now) >= SILENCE).then_some(End::Silence))
    }

    fn refused(&self) -> Option<Verdict> {
        self.tally.refused().or_else(|| self.client.refused())
    }
}
