//! The validated settings of an audit.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use common::args::Given;
use common::args::sandbox::Sandbox;
use common::config::{Layers, Problems, Properties};
use common::connection::{self, Connection};
use common::kafka::native::Isolation;
use common::kafka::promises::{self, Weakness};
use common::kafka::{self, defaults};
use common::stamp;
use consume::{FIXED, Reset, Settings, Subscription};
use ledger::{MOST_MESSAGES, Sent};

use super::reports::Reports;
use crate::args::Start;
use crate::args::audit::{AuditArgs, VerdictFormat};
use crate::config::{NO_GROUP, tuned};

/// The clocks of producers and brokers differ by less.
const EARLIER_MS: i64 = 60_000;
/// How long closing the client may take after a signal.
const DRAIN: Duration = Duration::from_secs(10);
/// How long the loop may hang before the process counts as dead.
pub const STALL_LIMIT: Duration = Duration::from_secs(300);

/// Where an audit starts to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// At the oldest record.
    Earliest,
    /// At a time in milliseconds since 1970.
    Time(i64),
}

/// An audit, checked.
pub struct Config {
    /// The topic.
    pub topic: String,
    /// The run.
    pub run_id: String,
    /// Messages of the run, if anybody says.
    pub expected: Option<u64>,
    /// What the reports say.
    pub sent: Vec<Sent>,
    /// When the run started, in milliseconds since 1970, by its reports.
    pub started_ms: Option<i64>,
    /// Where to start, if somebody says.
    pub from: Option<Beginning>,
    /// Go on until nothing is missing.
    pub wait: bool,
    /// For the whole audit.
    pub timeout: Option<Duration>,
    /// Whether the verdict is a table.
    pub table: bool,
    /// Where Kubernetes looks for it.
    pub termination_log: PathBuf,
    /// How far the process confines itself.
    pub sandbox: Sandbox,
    /// Brokers and login.
    pub connection: Connection,
    /// Which settings weaken what the program promises by default.
    pub weakened: Vec<Weakness>,
    /// What the loop is told, but for where it starts and how long it may take.
    pub run: Settings,
}

impl Config {
    /// Checks everything, and asks no broker. All problems go to `problems`.
    pub fn new(args: &AuditArgs, given: Given<'_>, layers: &Layers, problems: &mut Problems) -> Self {
        problems.note(kafka::topic::check_name(&args.topic).map_err(|error| format!("--topic: {error}")));
        let run_id = args.run.clone().unwrap_or_default();
        if args.run.is_none() {
            problems.add(
                "--run (AUDIT_RUN) is not set: give the run's id, as the producer's report and its messages have it",
            );
        } else if !stamp::is_run_id(&run_id) {
            problems.add(format!(
                "--run (AUDIT_RUN): expected 1 to {} bytes without semicolons and control characters",
                stamp::RUN_ID_BYTES
            ));
        }
        let reports = Reports::read(&args.reports, &run_id, &args.topic, problems);
        let expected = expected(args, &reports, problems);
        if args.wait && args.timeout.is_none() {
            problems.add("--wait needs --timeout: a message that is lost never comes");
        }
        if args.wait && expected.is_none() && args.no_expect {
            problems.add("--wait needs --expect or a --report with a total: without one nothing is missing");
        }
        let mut properties = Properties::new();
        let connection =
            connection::resolve(&args.connection, "kafka-consumer", given, layers, &mut properties, problems);
        reading(args, &mut properties, problems);
        kafka::check(&mut properties, problems);
        let weakened = promises::check(&properties, problems);
        let run = Settings {
            subscription: Subscription::Partitions { topics: vec![args.topic.clone()], partitions: None },
            from: consume::Start::Earliest,
            positions: HashMap::new(),
            // What retention deletes while it is read is told, and is a reason to prove nothing.
            reset: Reset::Earliest,
            isolation: Isolation::ReadCommitted,
            max_records: None,
            exit_at_end: true,
            until: None,
            timeout: args.timeout,
            commit_interval: DRAIN,
            drain_timeout: DRAIN,
            servers: connection.bootstrap_servers.clone(),
            properties,
        };
        Self {
            topic: args.topic.clone(),
            run_id,
            expected,
            sent: reports.sent,
            started_ms: reports.started_ms,
            from: from(args, problems),
            wait: args.wait,
            timeout: args.timeout,
            table: match args.format {
                VerdictFormat::Auto => std::io::stdout().is_terminal(),
                VerdictFormat::Json => false,
                VerdictFormat::Table => true,
            },
            termination_log: args.termination_log.clone(),
            sandbox: args.sandbox.sandbox,
            connection,
            weakened,
            run,
        }
    }

    /// Where to start when nobody says.
    pub fn default_from(&self) -> Beginning {
        self.started_ms
            .map_or(Beginning::Earliest, |started| Beginning::Time(started.saturating_sub(EARLIER_MS).max(0)))
    }
}

fn expected(args: &AuditArgs, reports: &Reports, problems: &mut Problems) -> Option<u64> {
    match (args.expect, reports.total) {
        (Some(expected), _) if expected > MOST_MESSAGES => {
            problems.add(format!("--expect is {expected}: an audit takes at most {MOST_MESSAGES} messages"));
        }
        (Some(expected), Some(total)) if expected != total => {
            problems.add(format!("--expect is {expected}, but the reports say that the run has {total} messages"));
        }
        (None, None) if !args.no_expect && args.reports.is_empty() => {
            problems.add("nothing says what was sent: give --report, --expect, or --no-expect to look for faults only");
        }
        (None, None) if !args.no_expect => problems.add(
            "the reports do not say how many messages the run has, as its input did not end or was divided: add --expect or \
             --no-expect",
        ),
        _ => {}
    }
    args.expect.or(reports.total)
}

fn from(args: &AuditArgs, problems: &mut Problems) -> Option<Beginning> {
    match args.from? {
        Start::Earliest => Some(Beginning::Earliest),
        Start::Time(ms) => Some(Beginning::Time(ms)),
        Start::Committed | Start::Latest | Start::Offset(_) => {
            problems.add("--from (AUDIT_FROM): expected earliest, time:2026-11-23T11:00:00Z or time:-1h");
            None
        }
    }
}

/// What the audit rests on: whole batches, of committed transactions only, and nothing that is kept anywhere.
fn reading(args: &AuditArgs, properties: &mut Properties, problems: &mut Problems) {
    let rests_on = [("group.id", NO_GROUP), ("isolation.level", "read_committed"), ("check.crcs", "true")];
    for (key, value) in rests_on.into_iter().chain(FIXED) {
        properties.fixed(key, value, problems);
    }
    tuned(properties);
    defaults::connections(properties, args.timeout);
    defaults::answers(properties);
}
