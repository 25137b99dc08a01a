//! `kafka-producer check`: whether everything is there that a run needs, layer by layer, without sending anything.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use common::args::check::CheckFlags;
use common::args::sandbox::SandboxArgs;
use common::args::{ConnectionArgs, Given, Listen, LogArgs};
use common::check::rights::Feature;
use common::check::{Check, Wanted};
use common::config::{Layers, Problems, Properties, units};
use common::connection::{self, Connection};
use common::kafka;
use common::kafka::promises::{self, Weakness};
use common::kafka::rotation::OnChange;
use common::kafka::topic::NewTopic;
use common::life::{Job, Parts, Settings};
use common::report::Outlet;

use crate::metrics::ProducerMetrics;

/// The flags of a check.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// Topic to publish to
    #[arg(long, short = 't', env = "KAFKA_TOPIC", value_name = "TOPIC", default_value = "test", help_heading = "Run")]
    pub topic: String,

    /// The run creates the topic if it does not exist
    #[arg(long, env = "PRODUCER_CREATE_TOPIC", value_name = "PARTITIONS[:REPLICATION]", help_heading = "Run")]
    pub create_topic: Option<NewTopic>,

    /// The run sends its messages in a transaction
    #[arg(long, env = "PRODUCER_TRANSACTIONAL_ID", value_name = "ID", help_heading = "Run")]
    pub transactional_id: Option<String>,

    /// The run sends values of this many bytes
    #[arg(long, env = "PRODUCER_SIZE", value_name = "BYTES", value_parser = units::bytes, help_heading = "Run")]
    pub size: Option<usize>,

    /// Also what round-trip needs
    #[arg(long, env = "CHECK_ROUND_TRIP", value_parser = BoolishValueParser::new(), help_heading = "Run")]
    pub round_trip: bool,

    /// How long, and in which form.
    #[command(flatten)]
    pub check: CheckFlags,

    /// How to reach the brokers.
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// File to write the findings to as well, if it exists: Kubernetes shows it in the pod's status
    #[arg(
        long,
        env = "PRODUCER_TERMINATION_LOG",
        value_name = "FILE",
        default_value = "/dev/termination-log",
        help_heading = "Check"
    )]
    pub termination_log: PathBuf,

    /// How far the process confines itself.
    #[command(flatten)]
    pub sandbox: SandboxArgs,

    /// The program's own log.
    #[command(flatten)]
    pub log: LogArgs,
}

/// A check, its settings checked.
pub struct Config {
    wanted: Wanted,
    connection: Connection,
    properties: Properties,
    weakened: Vec<Weakness>,
    args: CheckArgs,
}

impl Config {
    /// Checks everything, and asks no broker. All problems go to `problems`.
    pub fn new(args: &CheckArgs, given: Given<'_>, layers: &Layers, problems: &mut Problems) -> Self {
        problems.note(kafka::topic::check_name(&args.topic).map_err(|error| format!("--topic: {error}")));
        let mut properties = Properties::new();
        let connection = connection::resolve(&args.connection, crate::NAME, given, layers, &mut properties, problems);
        kafka::check(&mut properties, problems);
        let weakened = promises::check(&properties, problems);
        let features = [
            Some(Feature::Publish),
            args.create_topic.map(|_| Feature::CreateTopic),
            args.transactional_id.as_ref().map(|_| Feature::Transaction),
            args.round_trip.then_some(Feature::RoundTrip),
        ];
        let wanted = Wanted {
            servers: connection.bootstrap_servers.clone(),
            topics: vec![args.topic.clone()],
            group: None,
            features: features.into_iter().flatten().collect(),
            transactional_id: args.transactional_id.clone(),
            largest: args.size.map(|bytes| bytes as u64),
            timeout: args.check.timeout,
            wait: args.check.wait,
        };
        Self { wanted, connection, properties, weakened, args: args.clone() }
    }

    /// What the runner needs to know.
    pub fn settings(&self) -> Settings<'_> {
        Settings {
            listen: Listen::Off,
            connection: &self.connection,
            properties: &self.properties,
            subject: format!("topic {}", self.args.topic),
            drain_timeout: common::check::DRAIN,
            stall_limit: common::check::STALL_LIMIT,
            endless: false,
            weakened: &self.weakened,
            termination_log: &self.args.termination_log,
            outlet: Outlet::Stdout { table: !self.args.check.json },
            traces: None,
            sandbox: self.args.sandbox.sandbox,
            on_credential_change: OnChange::Warn(None),
            inputs: Vec::new(),
        }
    }

    /// The work.
    pub fn job(self, parts: Parts<ProducerMetrics>) -> Job {
        let Parts { client, health, shutdown, .. } = parts;
        Check::new(self.wanted, &self.connection, &self.properties, client, health, shutdown).job()
    }
}
