//! `kafka-consumer check`: whether everything is there that reading needs, layer by layer, without joining a group.

use std::path::PathBuf;

use common::args::Given;
use common::args::check::CheckFlags;
use common::check::rights::Feature;
use common::check::{Config, Subject};
use common::config::{Layers, Problems};

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

    /// File to write the findings to as well, if it exists: Kubernetes shows it in the pod's status
    #[arg(
        long,
        env = "CONSUMER_TERMINATION_LOG",
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
        let topics = self.topics.iter().flat_map(|flag| flag.split(',')).map(|topic| topic.trim().to_owned());
        let group = self.group.as_deref().map(str::trim).filter(|group| !group.is_empty()).map(str::to_owned);
        let subject = Subject {
            topics: topics.filter(|topic| !topic.is_empty()).collect(),
            features: vec![if group.is_some() { Feature::ReadInGroup } else { Feature::Read }],
            group,
            transactional_id: None,
            largest: None,
            termination_log: self.termination_log.clone(),
        };
        Config::new(crate::NAME, subject, &self.check, given, layers, problems)
    }
}
