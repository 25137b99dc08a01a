//! `kafka-producer check`: whether everything is there that a run needs, layer by layer, without sending anything.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use common::args::Given;
use common::args::check::CheckFlags;
use common::check::rights::Feature;
use common::check::{Config, Subject};
use common::config::{Layers, Problems, units};
use common::kafka::topic::NewTopic;

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

    /// File to write the findings to as well, if it exists: Kubernetes shows it in the pod's status
    #[arg(
        long,
        env = "PRODUCER_TERMINATION_LOG",
        value_name = "FILE",
        default_value = "/dev/termination-log",
        help_heading = "Check"
    )]
    pub termination_log: PathBuf,

    /// What both programs have.
    #[command(flatten)]
    pub check: CheckFlags,
}

impl CheckArgs {
    /// Checks everything, and asks no broker. All problems go to `problems`.
    pub fn config(&self, given: Given<'_>, layers: &Layers, problems: &mut Problems) -> Config {
        let features = [
            Some(Feature::Publish),
            self.create_topic.map(|_| Feature::CreateTopic),
            self.transactional_id.as_ref().map(|_| Feature::Transaction),
            self.round_trip.then_some(Feature::RoundTrip),
        ];
        let subject = Subject {
            topics: vec![self.topic.clone()],
            group: None,
            features: features.into_iter().flatten().collect(),
            transactional_id: self.transactional_id.clone(),
            largest: self.size.map(|bytes| bytes as u64),
            termination_log: self.termination_log.clone(),
        };
        Config::new(crate::NAME, subject, &self.check, given, layers, problems)
    }
}
