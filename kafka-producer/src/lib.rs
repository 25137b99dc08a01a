//! `kafka-producer`: publishes a number of messages and says honestly what became of each.
//!
//! The data flow: `args` (as typed) → `config` (checked) → `source` → `publish` → `tally` → `report` → exit code.
#![forbid(unsafe_code)]

mod account;
pub mod args;
pub mod check;
pub mod config;
mod context;
mod dry_run;
pub mod metrics;
mod progress;
pub mod publish;
pub mod pushed;
pub mod report;
mod round_trip;
pub mod source;
mod stop;
mod tally;
pub mod traces;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{ArgMatches, FromArgMatches};
use common::args::{Given, LogArgs};
use common::config::{Layers, Problems, SecretVariable};
use common::health::Health;
use common::kafka::ClientState;
use common::kafka::rotation::OnChange;
use common::life::{self, Finish, Job, Parts, Registered, Settings};
use common::metrics::Program;
use common::report::Outlet;
use common::telemetry::Tracer;

use account::Account;
use args::{ReportFormat, RunArgs};
use check::CheckArgs;
use config::Config;
use metrics::ProducerMetrics;
use publish::{Beginnings, Publisher};
use pushed::RunPushes;
use round_trip::RoundTrip;
use source::{Source, SourceError};
use stop::Stop;
use tally::Tally;

/// The program's name.
pub const NAME: &str = "kafka-producer";
/// The publish loop moves at least once a second, whatever the brokers do.
const STALL_LIMIT: Duration = Duration::from_secs(60);

/// The whole life of the process.
pub fn main() -> ExitCode {
    life::main::<Producer>()
}

/// What the runner is given.
struct Producer;

/// The flags, as typed.
enum Typed {
    Run(Box<RunArgs>),
    RoundTrip(Box<RunArgs>),
    Check(Box<CheckArgs>),
}

/// What is to be done, checked.
enum Task {
    Run(Box<Run>),
    Check(Box<common::check::Config>),
}

/// A run, checked.
struct Run {
    config: Config,
    /// How the topic is read, where the run is read back.
    reading: Option<consume::Settings>,
}

/// The names of the subcommands.
const ROUND_TRIP: &str = "round-trip";
const CHECK: &str = "check";

impl life::Program for Producer {
    const NAME: &'static str = NAME;
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Args = Typed;
    type Config = Task;
    type Metrics = ProducerMetrics;

    fn command(version: String) -> clap::Command {
        args::command(version)
    }

    fn args(subcommand: Option<&str>, flags: &ArgMatches) -> Result<Typed, clap::Error> {
        let run = || RunArgs::from_arg_matches(flags).map(Box::new);
        Ok(match subcommand {
            Some(CHECK) => Typed::Check(Box::new(CheckArgs::from_arg_matches(flags)?)),
            Some(ROUND_TRIP) => Typed::RoundTrip(run()?),
            _ => Typed::Run(run()?),
        })
    }

    fn log(args: &Typed) -> &LogArgs {
        match args {
            Typed::Run(args) | Typed::RoundTrip(args) => &args.log,
            Typed::Check(args) => &args.check.log,
        }
    }

    fn configure(args: &Typed, given: Given<'_>, layers: &Layers, problems: &mut Problems) -> Task {
        match args {
            Typed::Run(args) => {
                let config = Config::new(args, given, layers, problems);
                Task::Run(Box::new(Run { config, reading: None }))
            }
            Typed::RoundTrip(args) => {
                let config = Config::new(args, given, layers, problems);
                let reading = Some(round_trip::reading(args, &config, problems));
                Task::Run(Box::new(Run { config, reading }))
            }
            Typed::Check(args) => Task::Check(Box::new(args.config(given, layers, problems))),
        }
    }

    fn settings(task: &Task) -> Settings<'_> {
        let config = match task {
            Task::Run(run) => &run.config,
            Task::Check(check) => return check.settings(),
        };
        let table = match config.report {
            ReportFormat::Table => true,
            ReportFormat::Json => false,
            ReportFormat::Auto => std::io::stdout().is_terminal(),
        };
        Settings {
            listen: config.listen,
            connection: &config.connection,
            properties: &config.properties,
            subject: subject(config),
            drain_timeout: config.drain_timeout,
            stall_limit: STALL_LIMIT,
            endless: false,
            weakened: &config.weakened,
            termination_log: &config.termination_log,
            outlet: Outlet::Stdout { table },
            // A dry run sends nothing, so there is nothing to trace.
            traces: config.traces.as_ref().filter(|_| !config.dry_run),
            sandbox: config.sandbox,
            // It has an end of its own.
            on_credential_change: OnChange::Warn(None),
            inputs: config.spec.files(),
        }
    }

    fn secrets() -> &'static [SecretVariable] {
        &args::SECRETS
    }

    fn register(program: &Program) -> prometheus::Result<Registered<ProducerMetrics>> {
        let metrics::Registered { metrics, producer, client, http, log, spans } = metrics::register(program)?;
        Ok(Registered { metrics, work: producer, client, http, log, spans })
    }

    fn start(task: Task, parts: Parts<ProducerMetrics>) -> Result<Job, String> {
        let Run { config, reading } = match task {
            Task::Run(run) => *run,
            Task::Check(check) => return Ok(check.job(parts)),
        };
        let Parts { client, metrics, health, shutdown, tracer } = parts;
        let tally = Tally::new(metrics.clone(), config.own_messages()).map_err(|error| error.to_string())?;
        let tally = Arc::new(tally);
        let stop = Stop::new(shutdown, config.timeout, config.drain_timeout);
        // What only shows is no run.
        let gateway = config.gateway.as_ref().filter(|_| !config.dry_run);
        let pushes = gateway.map(|gateway| RunPushes::start(gateway, &config)).transpose()?;
        let account = Account::new(&config, Arc::clone(&tally), pushes);
        let (account, reader) = match reading {
            None => (Arc::new(account) as Arc<dyn life::Account>, None),
            Some(reading) => {
                let shared = Arc::new(round_trip::Shared::new(config.messages));
                let account = Arc::new(round_trip::Account::new(account, Arc::clone(&shared)));
                (account as Arc<dyn life::Account>, Some((reading, shared)))
            }
        };
        let account = (!config.dry_run).then_some(account);
        let reader =
            reader.map(|(reading, shared)| RoundTrip::new(&config, reading, shared, health.clone(), stop.clone()));
        let work = Work { config, client, tally, metrics, health, stop, tracer, reader: reader.transpose()? };
        Ok(Job { account, routes: Default::default(), run: Box::new(move |finish| work.run(finish)) })
    }
}

/// What the work's thread takes with it.
struct Work {
    config: Config,
    client: Arc<ClientState>,
    tally: Arc<Tally>,
    metrics: ProducerMetrics,
    health: Health,
    stop: Stop,
    tracer: Option<Tracer>,
    reader: Option<RoundTrip>,
}

impl Work {
    fn run(mut self, finish: Finish) {
        let (client, tally) = (Arc::clone(&self.client), Arc::clone(&self.tally));
        let patience = patience(client, tally, self.health.clone(), self.stop.clone());
        let mut source = match Source::open(&self.config.spec, Arc::clone(&patience)) {
            Ok(source) => source,
            Err(SourceError::Stopped) if self.config.dry_run => {
                return finish.silently(dry_run::stopped(&self.stop));
            }
            Err(SourceError::Stopped) => return finish.with(self.publisher().stopped_early()),
            Err(error) => return finish.refuse(config::with_causes(&error)),
        };
        if let Some(bytes) = source.known_size() {
            self.config.make_room(bytes);
        }
        if self.config.dry_run {
            return finish.silently(dry_run::print(&self.config, &mut source, &self.stop, &patience));
        }
        let mut client = None;
        let verdict = {
            let total = self.config.own_messages();
            let _progress = progress::Progress::start(Arc::clone(&self.tally), self.metrics.clone(), total);
            self.publisher().run(&mut client, &mut source)
        };
        match (self.reader.take(), &self.config.stamp) {
            (Some(reader), Some(stamp)) => {
                reader.judge(verdict, &self.tally, stamp.attempt(), |verdict| finish.with(verdict));
            }
            _ => finish.with(verdict),
        }
        // Only now, as it can hang.
        drop(client);
    }

    fn publisher(&self) -> Publisher<'_> {
        Publisher {
            config: &self.config,
            client: Arc::clone(&self.client),
            tally: Arc::clone(&self.tally),
            metrics: &self.metrics,
            health: &self.health,
            stop: self.stop.clone(),
            tracer: self.tracer.as_ref(),
            reader: self.reader.as_ref().map(|reader| reader as &dyn Beginnings),
        }
    }
}

/// Whether to go on waiting for the input. To wait is progress, as long as nobody wants the run to end.
fn patience(client: Arc<ClientState>, tally: Arc<Tally>, health: Health, stop: Stop) -> source::Patience {
    Arc::new(move || {
        health.progress();
        let now = Instant::now();
        let refused = client.has_refusal() || tally.has_refusal();
        !refused && !stop.requested(now) && tally.silence(now) < publish::SILENCE
    })
}

/// What the run is about, for messages of the client as a whole: a broker that refuses a transactional id does not name it.
fn subject(config: &Config) -> String {
    match config.properties.get("transactional.id") {
        Some(id) => format!("topic {}, transactional id {id}", config.topic),
        None => format!("topic {}", config.topic),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use common::shutdown::{Shutdown, Signal};

    use super::*;

    #[test]
    fn to_wait_for_input_is_progress_until_somebody_wants_the_run_to_end() {
        let program =
            Program { program: "test", version: "1", librdkafka: String::new(), features: String::new(), openssl: "3" };
        let registered = metrics::register(&program).unwrap();
        let client = Arc::new(ClientState::new("topic test".to_owned(), registered.client, None));
        let tally = Arc::new(Tally::new(registered.producer, None).unwrap());
        let health = Health::new(Duration::from_millis(200), "starting");
        let shutdown = Shutdown::new();
        let stop = Stop::new(shutdown.clone(), None, Duration::ZERO);
        let goes_on = patience(client, tally, health.clone(), stop);
        while health.live().is_ok() {
            std::thread::yield_now();
        }
        assert!(goes_on());
        assert_eq!(health.live(), Ok(()), "a run that waits for its input is alive");
        shutdown.request(Signal::Terminate);
        assert!(!goes_on());
    }
}
