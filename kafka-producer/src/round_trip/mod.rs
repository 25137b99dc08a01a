//! `kafka-producer round-trip`: publishes a run and reads it back in the same process, so that one exit code proves connection,
//! login, rights, delivery and latency.
//!
//! In order: the topic is there and the end of each partition is known → a reader starts at these ends → the run is published →
//! the audit (the crate `auditor`, as in `kafka-consumer audit`) reads on to the end and judges.

mod report;
mod settings;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use auditor::{Audit, Beginning, Beside, Plan, State, Summary};
use common::connection::Oauth;
use common::exit::Exit;
use common::health::Health;
use common::kafka::ClientState;
use common::kafka::oauth::TokenSource;
use common::metrics::{ClientMetrics, Metrics, Program};
use common::verdict::Verdict;
use consume::LoopMetrics;
use ledger::{Judgement, Sent, Share};

use crate::config::Config;
use crate::publish::Beginnings;
use crate::stop::Stop;
use crate::tally::{Counts, Tally};

pub use report::Account;
pub use settings::reading;

/// How long the reader may take to stand at the ends of the partitions, where the run has no deadline.
const READY: Duration = Duration::from_secs(30);
/// How long the reader may take for what was acknowledged last, before the audit asks for it.
const LAST: Duration = Duration::from_secs(2);
/// Between two looks at what was read.
const LOOK: Duration = Duration::from_millis(5);
/// How long the reader may take to stop.
const STOP: Duration = Duration::from_secs(10);
/// How long the audit may take where the run has no deadline: what is acknowledged can be read at once.
const AUDIT: Duration = Duration::from_secs(60);

/// The reading half of a run that is read back.
pub struct RoundTrip {
    run_id: String,
    topic: String,
    /// What the loop is told.
    reading: consume::Settings,
    shared: Arc<Shared>,
    client: Arc<ClientState>,
    metrics: LoopMetrics,
    health: Health,
    stop: Stop,
    /// Reads while the run is published.
    beside: Mutex<Option<Beside>>,
}

/// What was read, and against what it is held: written by the work, read by whoever reports.
pub struct Shared {
    state: Arc<State>,
    /// Known when the run was published.
    plan: OnceLock<Arc<Plan>>,
}

impl Shared {
    /// Nothing was read yet.
    pub fn new(expected: Option<u64>) -> Self {
        Self { state: Arc::new(State::new(expected, Beginning::BeforeRun)), plan: OnceLock::new() }
    }

    /// What the audit has found, once the run was published.
    fn summary(&self) -> Option<Summary> {
        self.plan.get().map(|plan| self.state.summary(plan))
    }
}

impl RoundTrip {
    /// The reading half of this run. Asks no broker yet.
    ///
    /// # Errors
    /// When the tokens of the reader's login cannot be fetched at all.
    pub fn new(
        config: &Config,
        reading: consume::Settings,
        shared: Arc<Shared>,
        health: Health,
        stop: Stop,
    ) -> Result<Self, String> {
        let (client, metrics) = unseen(&config.topic, config.connection.oauth.clone())?;
        Ok(Self {
            run_id: config.run_id.clone(),
            topic: config.topic.clone(),
            reading,
            shared,
            client,
            metrics,
            health,
            stop,
            beside: Mutex::new(None),
        })
    }

    /// Judges what was published, and hands the verdict over. Only when that returns do the clients go.
    pub fn judge(self, published: Verdict, tally: &Tally, attempt: &str, finish: impl FnOnce(Verdict)) {
        let counts = tally.close();
        let can_be_judged = matches!(published.exit, Exit::Ok | Exit::Incomplete) && counts.delivered > 0;
        let read = self.beside.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(beside) = read.filter(|_| can_be_judged) else { return finish(published) };
        self.await_last(&beside, counts.delivered);
        if !beside.stop(STOP) {
            let reason = format!("topic {}: the reader did not end within {STOP:?}", self.topic);
            return finish(Verdict::new(Exit::Incomplete, reason));
        }
        let plan = Arc::new(self.plan(&counts, attempt, published.exit == Exit::Ok));
        let plan = Arc::clone(self.shared.plan.get_or_init(|| plan));
        let audit = Audit {
            plan: Arc::clone(&plan),
            state: Arc::clone(&self.shared.state),
            client: self.client,
            metrics: self.metrics,
            health: self.health,
            shutdown: self.stop.shutdown,
        };
        let shared = self.shared;
        audit.run(|audited| finish(both(published, audited, shared.summary().as_ref())));
    }

    /// Gives the reader time for the last messages, whose way is measured.
    fn await_last(&self, beside: &Beside, delivered: u64) {
        let until = Instant::now() + LAST;
        while self.shared.state.records() < delivered && beside.ended().is_none() && Instant::now() < until {
            if self.stop.shutdown.requested().is_some() {
                return;
            }
            self.health.progress();
            std::thread::sleep(LOOK);
        }
    }

    fn plan(&self, counts: &Counts, attempt: &str, is_whole: bool) -> Plan {
        let left = self.stop.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.unwrap_or(AUDIT);
        let sent = Sent {
            // As the report has it, and as the stamps have it.
            attempt: u32::from_str_radix(attempt, 16).unwrap_or_default(),
            share: Share::WHOLE,
            requested: counts.requested,
            delivered: counts.delivered,
            unacknowledged: counts.unacknowledged.clone(),
        };
        Plan {
            topic: self.topic.clone(),
            run_id: self.run_id.clone(),
            expected: Some(counts.requested),
            sent: vec![sent],
            started_ms: None,
            from: Some(Beginning::BeforeRun),
            // What was not acknowledged need not come.
            wait: is_whole,
            timeout: Some(timeout),
            run: self.reading.clone(),
        }
    }
}

impl Beginnings for RoundTrip {
    /// Starts the reader where the partitions end, and waits until it reads all of them.
    fn before_the_first(&self, ends: &BTreeMap<i32, i64>) -> Result<(), Verdict> {
        let beside = Beside::start(
            &self.run_id,
            &self.reading,
            ends,
            &self.shared.state,
            Arc::clone(&self.client),
            self.metrics.clone(),
        )?;
        let until = self.stop.deadline.unwrap_or_else(|| Instant::now() + READY);
        let is_ready = beside.wait_until_ready(Some(until), || {
            self.health.progress();
            self.stop.shutdown.requested().is_some()
        });
        *self.beside.lock().unwrap_or_else(PoisonError::into_inner) = Some(beside);
        is_ready.map_err(|verdict| match self.stop.shutdown.requested() {
            Some(signal) => Verdict::new(signal.exit(), format!("{}: nothing was published yet", signal.name())),
            None if verdict.exit == Exit::Incomplete && !self.client.has_contact() => {
                self.client.unreachable(&self.reading.servers)
            }
            None => verdict,
        })
    }
}

/// State and metrics of the reader, which nobody scrapes: what it says is in the report.
fn unseen(topic: &str, oauth: Option<Oauth>) -> Result<(Arc<ClientState>, LoopMetrics), String> {
    let program = Program {
        program: crate::NAME,
        version: env!("CARGO_PKG_VERSION"),
        librdkafka: String::new(),
        features: String::new(),
        openssl: "",
    };
    let make = || {
        let mut metrics = Metrics::new("kafka_reader_", &program)?;
        Ok((ClientMetrics::new(&mut metrics)?, LoopMetrics::new(&mut metrics)?))
    };
    let (client, reader) = make().map_err(|error: prometheus::Error| error.to_string())?;
    let tokens = oauth.map(TokenSource::new).transpose()?;
    Ok((Arc::new(ClientState::new(format!("topic {topic}"), client, tokens)), reader))
}

/// The verdict on publishing and reading together: what is lost or wrong in the topic weighs more than what was not acknowledged.
fn both(published: Verdict, audited: Verdict, summary: Option<&Summary>) -> Verdict {
    if published.exit == Exit::Ok {
        return audited;
    }
    let is_wrong = summary.is_some_and(|Summary { findings, judgement, .. }| {
        let faults =
            [&findings.lost.count, &findings.written_twice.count, &findings.reordered.count, &findings.damaged.count];
        *judgement == Judgement::Faulty && faults.into_iter().any(|count| *count > 0)
    });
    if is_wrong { audited } else { published }
}
