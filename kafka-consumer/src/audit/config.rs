//! The validated settings of an audit.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auditor::{Beginning, Plan};
use common::args::Given;
use common::args::sandbox::Sandbox;
use common::config::{Layers, Problems, Properties};
use common::connection::{self, Connection};
use common::kafka;
use common::kafka::promises::{self, Weakness};
use common::stamp;
use ledger::MOST_MESSAGES;

use super::reports::Reports;
use crate::args::audit::{AuditArgs, VerdictFormat};
use crate::args::values::Start;

/// How long the loop may hang before the process counts as dead.
pub const STALL_LIMIT: Duration = Duration::from_secs(300);

/// An audit, checked.
pub struct Config {
    /// What is looked for, and how the topic is read.
    pub plan: Arc<Plan>,
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
        auditor::properties(&mut properties, args.timeout, problems);
        kafka::check(&mut properties, problems);
        let weakened = promises::check(&properties, problems);
        let run = Plan::settings(&args.topic, &connection.bootstrap_servers, properties, args.timeout);
        let plan = Plan {
            topic: args.topic.clone(),
            run_id,
            expected,
            sent: reports.sent,
            started_ms: reports.started_ms,
            from: from(args, problems),
            wait: args.wait,
            timeout: args.timeout,
            run,
        };
        Self {
            plan: Arc::new(plan),
            table: match args.format {
                VerdictFormat::Auto => std::io::stdout().is_terminal(),
                VerdictFormat::Json => false,
                VerdictFormat::Table => true,
            },
            termination_log: args.termination_log.clone(),
            sandbox: args.sandbox.sandbox,
            connection,
            weakened,
        }
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
