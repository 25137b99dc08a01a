//! `kafka-consumer check`: whether everything is there that reading needs, layer by layer, without joining a group.

use std::path::PathBuf;

use common::args::check::CheckFlags;
use common::args::sandbox::SandboxArgs;
use common::args::{ConnectionArgs, Given, Listen, LogArgs};
use common::check::rights::Feature;
use common::check::{Check, Wanted};
use common::config::{Layers, Problems, Properties};
use common::connection::{self, Connection};
use common::kafka;
use common::kafka::promises::{self, Weakness};
use common::kafka::rotation::OnChange;
use common::life::{Job, Parts, Settings};
use common::report::Outlet;

use crate::metrics::ConsumerMetrics;

/// The flags of a check.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// Topics to read, by their names, comma-separated; may be repeated
    #[arg(
        long = "topic",
        short = 't',
        env = "KAFKA_TOPIC",
        value_name = "TOPIC,..",
        value_delimiter = ',',
        default_value = "test",
        help_heading = "Run"
    )]
    pub topics: Vec<String>,

    /// Consumer group, which is not joined: its state, and committed offset, end and lag of each partition
    #[arg(long, short = 'g', env = "KAFKA_CONSUMER_GROUP", value_name = "GROUP", help_heading = "Run")]
    pub group: Option<String>,

    /// How long, and in which form.
    #[command(flatten)]
    pub check: CheckFlags,

    /// How to reach the brokers.
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// File to write the findings to as well, if it exists: Kubernetes shows it in the pod's status
    #[arg(
        long,
        env = "CONSUMER_TERMINATION_LOG",
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
        let topics = args.topics.iter().flat_map(|flag| flag.split(',')).map(|topic| topic.trim().to_owned());
        let topics: Vec<String> = topics.filter(|topic| !topic.is_empty()).collect();
        if topics.is_empty() {
            problems.add("--topic (KAFKA_TOPIC) is empty");
        }
        for topic in &topics {
            if topic.starts_with('^') {
                problems.add(format!("--topic {topic}: a check takes topics by their names, not by an expression"));
            } else {
                problems.note(kafka::topic::check_name(topic).map_err(|error| format!("--topic: {error}")));
            }
        }
        let group = args.group.as_deref().map(str::trim).filter(|group| !group.is_empty()).map(str::to_owned);
        let mut properties = Properties::new();
        let connection = connection::resolve(&args.connection, crate::NAME, given, layers, &mut properties, problems);
        kafka::check(&mut properties, problems);
        let weakened = promises::check(&properties, problems);
        let feature = if group.is_some() { Feature::ReadInGroup } else { Feature::Read };
        let wanted = Wanted {
            servers: connection.bootstrap_servers.clone(),
            topics,
            group,
            features: vec![feature],
            transactional_id: None,
            largest: None,
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
            subject: format!("topic {}", self.wanted.topics.join(",")),
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
    pub fn job(self, parts: Parts<ConsumerMetrics>) -> Job {
        let Parts { client, health, shutdown, .. } = parts;
        Check::new(self.wanted, &self.connection, &self.properties, client, health, shutdown).job()
    }
}
