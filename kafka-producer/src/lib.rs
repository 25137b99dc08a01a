//! `kafka-producer`: publishes a number of messages and says honestly what became of each.
//!
//! The way of the data: `args` (as typed) → `config` (checked) → `source` → `publish` → `tally` → `report` → exit code.

pub mod args;
pub mod config;
mod context;
mod dry_run;
pub mod metrics;
mod progress;
pub mod publish;
pub mod report;
pub mod source;
mod stop;
mod tally;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::FromArgMatches;
use common::admin::{self, Admin};
use common::args::{Given, SECRETS};
use common::config::{Problems, show};
use common::exit::Exit;
use common::health::Health;
use common::kafka::promises::{self, Guarantees};
use common::kafka::{self, ClientState};
use common::life::{self, Said, Surroundings};
use common::metrics::Program;
use common::shutdown::Shutdown;

use args::Command;
use config::Config;
use progress::Progress;
use publish::{Published, Publisher};
use report::{Ending, Report};
use source::Source;
use stop::Stop;
use tally::Tally;

/// The program's name.
pub const NAME: &str = "kafka-producer";
/// The publish loop moves at least once a second, whatever the brokers do.
const STALL_LIMIT: Duration = Duration::from_secs(60);
/// Time for the report after the drain deadline.
const REPORT_TIME: Duration = Duration::from_secs(8);

/// The whole life of the process, in order.
pub fn main() -> ExitCode {
    run().unwrap_or_else(|exit| exit).into()
}

fn run() -> Result<Exit, Exit> {
    let program = kafka::program(NAME, env!("CARGO_PKG_VERSION"));
    let Said { command, matches, layers, mut problems } = life::said(args::command(life::version(&program)))?;
    let typed = args::Args::from_arg_matches(&matches).map_err(|error| error.exit_code()).map_err(|_| Exit::Usage)?;
    let (run_args, matches, only_show) = match (&typed.command, matches.subcommand()) {
        (Some(Command::Config(run)), Some((_, matches))) => (run.as_ref().clone(), matches.clone(), true),
        _ => (typed.run.clone(), matches, false),
    };
    problems.note(common::logging::start(&run_args.log));
    let config = Config::new(&run_args, Given(&matches), &layers, &mut problems);
    let shown =
        only_show.then(|| life::print(&show::settings(&command, &matches, &layers, &SECRETS, &config.properties)));
    problems.into_result().map_err(|problems: Problems| life::report_problems(NAME, &problems))?;
    if let Some(exit) = shown {
        return Ok(exit);
    }
    for miss in layers.near_misses() {
        tracing::warn!(event = "unknown_variable", "{miss}");
    }
    promises::warn(&config.weakened);
    start(config, program)
}

fn start(mut config: Config, program: Program) -> Result<Exit, Exit> {
    let usage = |message: String| {
        let mut problems = Problems::new();
        problems.add(message);
        life::report_problems(NAME, &problems)
    };
    let registered = metrics::register(&program).map_err(|error| usage(error.to_string()))?;
    let shutdown = Shutdown::new();
    let health = Health::new(STALL_LIMIT, "starting: no broker has answered yet");
    let listener = admin::bind(config.listen).map_err(usage)?;
    let admin = listener.map(|listener| {
        let (http, registry) = (registered.http.clone(), registered.metrics.registry().clone());
        (listener, Admin { registry, http, health: health.clone(), program })
    });
    let client = life::client_state(
        format!("topic {}", config.topic),
        registered.client.clone(),
        config.connection.oauth.clone(),
    )
    .map_err(usage)?;
    let tally = Tally::new(registered.producer.clone()).map_err(|error| usage(error.to_string()))?;
    let drain_limit = config.drain_timeout + REPORT_TIME;
    let stop = Stop::new(shutdown.clone(), config.timeout);
    config.spec.stop = stop.clone();
    let surroundings = Surroundings { admin, health: health.clone(), shutdown, drain_limit };
    let work = Work { config, client, tally: Arc::new(tally), metrics: registered.producer, health, stop };
    Ok(life::live(surroundings, move || work.run()))
}

/// What the work thread takes with it.
struct Work {
    config: Config,
    client: Arc<ClientState>,
    tally: Arc<Tally>,
    metrics: metrics::ProducerMetrics,
    health: Health,
    stop: Stop,
}

impl Work {
    fn run(mut self) -> Exit {
        let mut source = match Source::open(&self.config.spec) {
            Ok(source) => source,
            Err(error) => {
                let mut problems = Problems::new();
                problems.add(config::with_causes(&error));
                return life::report_problems(NAME, &problems);
            }
        };
        if let Some(bytes) = source.known_size() {
            self.config.make_room(bytes);
        }
        if self.config.dry_run {
            return dry_run::print(&self.config, &mut source);
        }
        let own = self.config.own_messages();
        self.metrics.requested.set(i64::try_from(own.unwrap_or(0)).unwrap_or(i64::MAX));
        let published = {
            let _progress = Progress::start(Arc::clone(&self.tally), self.metrics.clone(), own);
            let publisher = Publisher {
                config: &self.config,
                client: self.client,
                tally: Arc::clone(&self.tally),
                metrics: &self.metrics,
                health: &self.health,
                stop: self.stop,
            };
            publisher.run(&mut source)
        };
        let Published { requested, enqueued, elapsed, exit, message } = published;
        if let Some(message) = &message {
            tracing::error!(event = "failed", outcome = exit.outcome(), exit_code = exit.code(), "{message}");
        }
        let counts = self.tally.counts();
        let report = Report::new(
            &self.config.run_id,
            &self.config.topic,
            Ending { requested, enqueued, counts, elapsed, exit, message },
        )
        .with(Guarantees::of(&self.config.weakened));
        report.show(self.config.report);
        report.leave(&self.config.termination_log);
        exit
    }
}
