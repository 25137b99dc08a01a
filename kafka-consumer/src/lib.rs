//! `kafka-consumer`: logs every record of Kafka topics and serves metrics and health.
//!
//! The data flow: `args` (as typed) → `config` (checked) → the loop (`consume`) → `sinks` (`record_log` → `output`) → commit.

#![forbid(unsafe_code)]

pub mod args;
pub mod audit;
pub mod check;
pub mod config;
pub mod matching;
pub mod metrics;
mod output;
pub mod record_log;
pub mod report;
mod sinks;
mod status;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{ArgMatches, FromArgMatches};
use common::admin::Routes;
use common::args::{Given, Listen, LogArgs};
use common::config::{Layers, Problems};
use common::health::Health;
use common::kafka::ClientState;
use common::kafka::rotation::OnChange;
use common::life::{self, Finish, Job, Parts, Registered, Settings};
use common::metrics::Program;
use common::report::Outlet;
use common::shutdown::Shutdown;
use common::telemetry::Tracer;

use consume::{Deps, Poller, Subscription, Tally};

use args::RunArgs;
use args::audit::AuditArgs;
use check::CheckArgs;
use config::Config;
use metrics::ConsumerMetrics;
use report::Account;
use sinks::{LogSink, MatchSink, TraceSink, Traces};

/// The program's name.
pub const NAME: &str = "kafka-consumer";

/// The whole life of the process.
pub fn main() -> ExitCode {
    life::main::<Consumer>()
}

/// What the runner is given.
struct Consumer;

/// The flags, as typed.
enum Typed {
    Run(Box<RunArgs>),
    Audit(Box<AuditArgs>),
    Check(Box<CheckArgs>),
}

/// What is to be done, checked.
enum Task {
    Run(Box<Config>),
    Audit(Box<audit::Config>),
    Check(Box<common::check::Config>),
}

/// The names of the subcommands.
const AUDIT: &str = "audit";
const CHECK: &str = "check";

impl life::Program for Consumer {
    const NAME: &'static str = NAME;
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Args = Typed;
    type Config = Task;
    type Metrics = ConsumerMetrics;

    fn command(version: String) -> clap::Command {
        args::command(version)
    }

    fn args(subcommand: Option<&str>, flags: &ArgMatches) -> Result<Typed, clap::Error> {
        Ok(match subcommand {
            Some(AUDIT) => Typed::Audit(Box::new(AuditArgs::from_arg_matches(flags)?)),
            Some(CHECK) => Typed::Check(Box::new(CheckArgs::from_arg_matches(flags)?)),
            _ => Typed::Run(Box::new(RunArgs::from_arg_matches(flags)?)),
        })
    }

    fn log(args: &Typed) -> &LogArgs {
        match args {
            Typed::Run(args) => &args.log,
            Typed::Audit(args) => &args.log,
            Typed::Check(args) => &args.check.log,
        }
    }

    fn configure(args: &Typed, given: Given<'_>, layers: &Layers, problems: &mut Problems) -> Task {
        match args {
            Typed::Run(args) => Task::Run(Box::new(Config::new(args, given, layers, problems))),
            Typed::Audit(args) => Task::Audit(Box::new(audit::Config::new(args, given, layers, problems))),
            Typed::Check(args) => Task::Check(Box::new(args.config(given, layers, problems))),
        }
    }

    fn settings(task: &Task) -> Settings<'_> {
        let config = match task {
            Task::Run(config) => config,
            Task::Audit(config) => return of_audit(config),
            Task::Check(check) => return check.settings(),
        };
        Settings {
            listen: config.listen,
            connection: &config.connection,
            properties: &config.run.properties,
            subject: config.subject(),
            drain_timeout: config.run.drain_timeout,
            // Beyond this the group gives the partitions to others: then a restart is better than waiting on.
            stall_limit: config.max_poll_interval,
            endless: !config.run.is_one_shot(),
            weakened: &config.weakened,
            termination_log: &config.termination_log,
            traces: config.traces.as_ref(),
            sandbox: config.sandbox,
            on_credential_change: config.on_credential_change,
            inputs: Vec::new(),
            outlet: if config.run.is_one_shot() { Outlet::Stderr } else { Outlet::TerminationLog },
        }
    }

    fn register(program: &Program) -> prometheus::Result<Registered<ConsumerMetrics>> {
        let metrics::Registered { metrics, consumer, client, http, log, spans } = metrics::register(program)?;
        Ok(Registered { metrics, work: consumer, client, http, log, spans })
    }

    fn start(task: Task, parts: Parts<ConsumerMetrics>) -> Result<Job, String> {
        let config = match task {
            Task::Run(config) => *config,
            Task::Check(check) => return Ok(check.job(parts)),
            Task::Audit(config) => {
                let Parts { client, metrics, health, shutdown, .. } = parts;
                let plan = config.plan;
                let state = Arc::new(auditor::State::new(plan.expected, plan.beginning()));
                let account = auditor::Account::new(Arc::clone(&plan), Arc::clone(&state));
                let audit = auditor::Audit { plan, state, client, metrics: metrics.consume, health, shutdown };
                let run = Box::new(move |finish: Finish| audit.run(|verdict| finish.with(verdict)));
                return Ok(Job { account: Some(Arc::new(account)), routes: Routes::default(), run });
            }
        };
        let Parts { client, metrics, health, shutdown, tracer } = parts;
        let told = health.clone();
        metrics.ready.by(move || f64::from(u8::from(told.readiness().is_ok())));
        metrics.info.with_label_values(&config.identity()).set(1);
        let tally = Arc::new(Tally::new());
        let account = Arc::new(Account::new(&config, Arc::clone(&tally)));
        let routes = status_page(&config, &metrics, &health, &tally);
        let work = Work { config, client, metrics, health, shutdown, tally, tracer };
        Ok(Job { account: Some(account), routes, run: Box::new(move |finish| work.run(finish)) })
    }
}

/// What the runner needs to know of an audit: it has an end of its own, and nobody watches it over HTTP.
fn of_audit(config: &audit::Config) -> Settings<'_> {
    Settings {
        listen: Listen::Off,
        connection: &config.connection,
        properties: &config.plan.run.properties,
        subject: format!("topic {}", config.plan.topic),
        drain_timeout: config.plan.run.drain_timeout,
        stall_limit: audit::STALL_LIMIT,
        endless: false,
        weakened: &config.weakened,
        termination_log: &config.termination_log,
        sandbox: config.sandbox,
        on_credential_change: OnChange::Warn(None),
        // The reports are read with the settings.
        inputs: Vec::new(),
        traces: None,
        outlet: Outlet::Stdout { table: config.table },
    }
}

/// The status page, where there is a server to show it.
fn status_page(config: &Config, metrics: &ConsumerMetrics, health: &Health, tally: &Arc<Tally>) -> Routes {
    if config.listen == Listen::Off {
        return Routes::default();
    }
    let property = |name: &str| config.run.properties.get(name).map(str::to_owned);
    status::routes(status::Source {
        program: metrics.program.clone(),
        // Without a group it has a placeholder.
        group: property("group.id").filter(|_| config.run.subscription.is_group()),
        client_id: property("client.id").unwrap_or_default(),
        health: health.clone(),
        registry: metrics.registry.clone(),
        prefix: metrics::PREFIX,
        latency: metrics.latency.clone(),
        tally: Arc::clone(tally),
        board: Arc::clone(&metrics.consume.board),
        history: Default::default(),
    })
}

/// What the work's thread takes with it.
struct Work {
    config: Config,
    client: Arc<ClientState>,
    metrics: ConsumerMetrics,
    health: Health,
    shutdown: Shutdown,
    tally: Arc<Tally>,
    tracer: Option<Tracer>,
}

impl Work {
    fn run(self, finish: Finish) {
        if let Subscription::Partitions { partitions, .. } = &self.config.run.subscription {
            let what = if partitions.is_some() { "the partitions given" } else { "all partitions" };
            tracing::info!(event = "no_group", "{what} are read without a group, and no offset is committed");
        }
        if self.config.assumes_utc {
            tracing::info!(event = "utc_assumed", "a time without a zone is taken as UTC");
        }
        let sink = LogSink::new(self.config.log.clone(), &self.metrics);
        let Self { config, client, metrics, health, shutdown, tally, tracer } = self;
        let sink = TraceSink::new(sink, tracer.map(|tracer| Traces::new(tracer, &config)));
        let sink = MatchSink::new(sink, config.matching.clone());
        let deps = Deps { client, metrics: metrics.consume, health, shutdown, tally };
        match Poller::new(&config.run, sink, deps) {
            Err(verdict) => finish.with(verdict),
            // Only when the verdict was handed over does the client go with the poller, as that can hang.
            Ok(mut poller) => finish.with(poller.run()),
        }
    }
}
