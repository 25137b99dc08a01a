//! `kafka-producer`: publishes a number of messages and says honestly what became of each.
//!
//! The way of the data: `args` (as typed) → `config` (checked) → `source` → `publish` → `tally` → `report` → exit code.
#![forbid(unsafe_code)]

mod account;
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

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use common::args::{Given, LogArgs};
use common::config::{Layers, Problems};
use common::health::Health;
use common::kafka::ClientState;
use common::life::{self, Finish, Job, Parts, Registered, Settings};
use common::metrics::Program;
use common::report::Outlet;
use common::verdict::Verdict;

use account::Account;
use args::{ReportFormat, RunArgs};
use config::Config;
use metrics::ProducerMetrics;
use publish::{Published, Publisher};
use source::Source;
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

impl life::Program for Producer {
    const NAME: &'static str = NAME;
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Args = RunArgs;
    type Config = Config;
    type Metrics = ProducerMetrics;

    fn command(version: String) -> clap::Command {
        args::command(version)
    }

    fn log(args: &RunArgs) -> &LogArgs {
        &args.log
    }

    fn configure(args: &RunArgs, given: Given<'_>, layers: &Layers, problems: &mut Problems) -> Config {
        Config::new(args, given, layers, problems)
    }

    fn settings(config: &Config) -> Settings<'_> {
        let table = match config.report {
            ReportFormat::Table => true,
            ReportFormat::Json => false,
            ReportFormat::Auto => std::io::stdout().is_terminal(),
        };
        Settings {
            listen: config.listen,
            connection: &config.connection,
            properties: &config.properties,
            subject: format!("topic {}", config.topic),
            drain_timeout: config.drain_timeout,
            stall_limit: STALL_LIMIT,
            endless: false,
            termination_log: &config.termination_log,
            outlet: Outlet::Stdout { table },
        }
    }

    fn register(program: &Program) -> prometheus::Result<Registered<ProducerMetrics>> {
        let metrics::Registered { metrics, producer, client, http, log } = metrics::register(program)?;
        Ok(Registered { metrics, work: producer, client, http, log })
    }

    fn start(mut config: Config, parts: Parts<ProducerMetrics>) -> Result<Job, String> {
        let Parts { client, metrics, health, shutdown } = parts;
        let tally = Arc::new(Tally::new(metrics.clone()).map_err(|error| error.to_string())?);
        let stop = Stop::new(shutdown, config.timeout);
        config.spec.stop = stop.clone();
        let account = Arc::new(Account::new(&config, Arc::clone(&tally), metrics.clone()));
        let shared = (!config.dry_run).then(|| Arc::clone(&account) as Arc<dyn life::Account>);
        let work = Work { config, client, tally, account, metrics, health, stop };
        Ok(Job { account: shared, routes: Default::default(), run: Box::new(move |finish| work.run(finish)) })
    }
}

/// What the work's thread takes with it.
struct Work {
    config: Config,
    client: Arc<ClientState>,
    tally: Arc<Tally>,
    account: Arc<Account>,
    metrics: ProducerMetrics,
    health: Health,
    stop: Stop,
}

impl Work {
    fn run(self, finish: Finish) {
        let mut source = match Source::open(&self.config.spec) {
            Ok(source) => source,
            Err(error) => return finish.refuse(config::with_causes(&error)),
        };
        if self.config.dry_run {
            return finish.silently(dry_run::print(&self.config, &mut source));
        }
        let own = self.config.own_messages();
        self.metrics.requested.set(i64::try_from(own.unwrap_or(0)).unwrap_or(i64::MAX));
        let mut client = None;
        let published = {
            let _progress = progress::Progress::start(Arc::clone(&self.tally), self.metrics.clone(), own);
            let publisher = Publisher {
                config: &self.config,
                client: self.client,
                tally: Arc::clone(&self.tally),
                metrics: &self.metrics,
                health: &self.health,
                stop: self.stop,
            };
            publisher.run(&mut client, &mut source)
        };
        let Published { requested, enqueued, elapsed, exit, message } = published;
        self.account.ended(report::Progress { requested, enqueued, elapsed });
        finish.with(Verdict { exit, because: message });
        // Only now, as it can hang.
        drop(client);
    }
}
