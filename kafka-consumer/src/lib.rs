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
mod ledger;
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

use common::args::{Given, LogArgs};
use common::config::{Layers, Problems};
use common::health::Health;
use common::kafka::ClientState;
use common::life::{self, Finish, Job, Parts, Registered, Settings};
use common::metrics::Program;
use common::report::Outlet;
use common::shutdown::Shutdown;

use args::RunArgs;
use config::Config;
use ledger::Ledger;
use metrics::ConsumerMetrics;
use poll::Poller;
use report::Account;

/// The program's name.
pub const NAME: &str = "kafka-consumer";

/// The whole life of the process.
pub fn main() -> ExitCode {
    life::main::<Consumer>()
}

/// What the runner is given.
struct Consumer;

impl life::Program for Consumer {
    const NAME: &'static str = NAME;
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Args = RunArgs;
    type Config = Config;
    type Metrics = ConsumerMetrics;

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
        Settings {
            listen: config.listen,
            connection: &config.connection,
            properties: &config.properties,
            subject: config.subject(),
            drain_timeout: config.drain_timeout,
            // Beyond this the group gives the partitions to others: then a restart is better than waiting on.
            stall_limit: config.max_poll_interval,
            endless: !config.one_shot(),
            termination_log: &config.termination_log,
            outlet: if config.one_shot() { Outlet::Stderr } else { Outlet::TerminationLog },
        }
    }

    fn register(program: &Program) -> prometheus::Result<Registered<ConsumerMetrics>> {
        let metrics::Registered { metrics, consumer, client, http, log } = metrics::register(program)?;
        Ok(Registered { metrics, work: consumer, client, http, log })
    }

    fn start(config: Config, parts: Parts<ConsumerMetrics>) -> Result<Job, String> {
        let Parts { client, metrics, health, shutdown } = parts;
        let ledger = Arc::new(Ledger::new());
        let account = Arc::new(Account::new(&config, Arc::clone(&ledger)));
        let work = Work { config, client, metrics, health, shutdown, ledger };
        Ok(Job { account: Some(account), routes: Default::default(), run: Box::new(move |finish| work.run(finish)) })
    }
}

/// What the work's thread takes with it.
struct Work {
    config: Config,
    client: Arc<ClientState>,
    metrics: ConsumerMetrics,
    health: Health,
    shutdown: Shutdown,
    ledger: Arc<Ledger>,
}

impl Work {
    fn run(self, finish: Finish) {
        match Poller::new(&self.config, self.client, &self.metrics, &self.health, &self.shutdown, &self.ledger) {
            Err(verdict) => finish.with(verdict),
            Ok(mut poller) => {
                finish.with(poller.run());
                // Only now does the client go with the poller, as it can hang.
            }
        }
    }
}
