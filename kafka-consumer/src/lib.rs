//! `kafka-consumer`: logs every record of Kafka topics and serves metrics and health.
//!
//! The way of the data: `args` (as typed) → `config` (checked) → `poll` → `batch` (`record_log`) → `output` → offsets
//! stored → commit.

pub mod args;
mod assignment;
mod batch;
mod commits;
pub mod config;
mod context;
mod headers;
mod membership;
pub mod metrics;
mod output;
mod partitions;
pub mod poll;
mod preflight;
pub mod record_log;
pub mod report;

use std::process::ExitCode;
use std::sync::Arc;

use clap::FromArgMatches;
use common::admin::{self, Admin};
use common::args::{Given, SECRETS};
use common::config::{Problems, show};
use common::exit::Exit;
use common::health::Health;
use common::kafka::{self, ClientState};
use common::life::{self, Said, Surroundings};
use common::metrics::Program;
use common::shutdown::Shutdown;

use args::Command;
use config::Config;
use poll::{Polled, Poller};
use report::Report;

/// The program's name.
pub const NAME: &str = "kafka-consumer";

/// The whole life of the process, in order.
pub fn main() -> ExitCode {
    run().unwrap_or_else(|exit| exit).into()
}

fn run() -> Result<Exit, Exit> {
    let program = kafka::program(NAME, env!("CARGO_PKG_VERSION"));
    let command = || args::command(life::version(&program));
    let Said { matches, layers, mut problems } = life::said(command)?;
    let typed = args::Args::from_arg_matches(&matches).map_err(|_| Exit::Usage)?;
    let (run_args, matches, only_show) = match (&typed.command, matches.subcommand()) {
        (Some(Command::Healthcheck(args)), _) => return Ok(healthcheck(args.listen)),
        (Some(Command::Config(run)), Some((_, matches))) => (run.as_ref().clone(), matches.clone(), true),
        _ => (typed.run.clone(), matches, false),
    };
    problems.note(common::logging::start(&run_args.log));
    let config = Config::new(&run_args, Given(&matches), &layers, &mut problems);
    if only_show {
        print!("{}", show::settings(&command(), &matches, &layers, &SECRETS, &config.properties));
    }
    problems.into_result().map_err(|problems: Problems| life::report_problems(NAME, &problems))?;
    if only_show {
        return Ok(Exit::Ok);
    }
    for miss in layers.near_misses() {
        tracing::warn!(event = "unknown_variable", "{miss}");
    }
    start(config, program)
}

fn healthcheck(listen: common::args::Listen) -> Exit {
    match admin::healthcheck(listen) {
        Ok(()) => Exit::Ok,
        Err(reason) => {
            eprintln!("{NAME}: {reason}");
            Exit::Incomplete
        }
    }
}

fn start(config: Config, program: Program) -> Result<Exit, Exit> {
    let usage = |message: String| {
        let mut problems = Problems::new();
        problems.add(message);
        life::report_problems(NAME, &problems)
    };
    let registered = metrics::register(&program).map_err(|error| usage(error.to_string()))?;
    let shutdown = Shutdown::new();
    // Beyond this the group gives the partitions to others: then a restart is better than waiting on.
    let health = Health::new(config.max_poll_interval, "starting: no broker has answered yet");
    let listener = admin::bind(config.listen).map_err(usage)?;
    let admin = listener.map(|listener| {
        let (http, registry) = (registered.http.clone(), registered.metrics.registry().clone());
        (listener, Admin { registry, http, health: health.clone(), program })
    });
    let client = life::client_state(config.subject(), registered.client.clone(), config.connection.oauth.clone())
        .map_err(usage)?;
    if matches!(config.subscription, config::Subscription::Partitions { .. }) {
        client.without_group();
    }
    let drain_limit = config.drain_timeout;
    let surroundings = Surroundings { admin, health: health.clone(), shutdown: shutdown.clone(), drain_limit };
    let work = Work { config, client, metrics: registered.consumer, health, shutdown };
    Ok(life::live(surroundings, move || work.run()))
}

/// What the work thread takes with it.
struct Work {
    config: Config,
    client: Arc<ClientState>,
    metrics: metrics::ConsumerMetrics,
    health: Health,
    shutdown: Shutdown,
}

impl Work {
    fn run(self) -> Exit {
        let polled = match Poller::new(&self.config, self.client, &self.metrics, &self.health, &self.shutdown) {
            Ok(poller) => poller.run(),
            Err(failure) => Polled {
                records: 0,
                bytes: 0,
                elapsed: std::time::Duration::ZERO,
                exit: failure.exit,
                message: failure.because,
            },
        };
        if let Some(message) = &polled.message {
            let (outcome, exit_code) = (polled.exit.outcome(), polled.exit.code());
            tracing::error!(event = "failed", outcome, exit_code, "{message}");
        }
        let exit = polled.exit;
        if self.config.one_shot() {
            Report::new(&self.config, polled).show();
        } else {
            tracing::info!(event = "stopped", records = polled.records, exit_code = exit.code(), "stopped");
        }
        exit
    }
}
