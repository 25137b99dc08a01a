//! What a run reads and when it ends, as plain data.

use std::collections::HashMap;
use std::time::Duration;

use common::config::Properties;
use common::kafka::native::Isolation;

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// Topics, assigned by a consumer group.
    Group {
        /// Names, or regular expressions that begin with `^`.
        topics: Vec<String>,
        /// The group's name.
        group: String,
    },
    /// Partitions of topics, outside any group.
    Partitions {
        /// The topics, by name.
        topics: Vec<String>,
        /// The partitions of each; `None`: all that it has when it is found.
        partitions: Option<Vec<i32>>,
    },
}

impl Subscription {
    /// Whether a group assigns the partitions and keeps committed offsets.
    pub const fn is_group(&self) -> bool {
        matches!(self, Self::Group { .. })
    }

    /// The topics that are given by name.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Group { topics, .. } => topics.iter().filter(|topic| !topic.starts_with('^')).cloned().collect(),
            Self::Partitions { topics, .. } => topics.clone(),
        }
    }
}

/// Where to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The group's committed offset, else what `auto.offset.reset` says.
    Committed,
    /// The oldest record there is.
    Earliest,
    /// The next record that comes.
    Latest,
    /// This offset, in each partition.
    Offset(i64),
    /// The first record at or after this time, in milliseconds since 1970.
    Time(i64),
    /// So many offsets before the end of each partition.
    Tail(u64),
}

/// Where a run ends that does not read to the ends of the partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Before this offset, in each partition.
    Offset(i64),
    /// Before the first record at or after this time, in milliseconds since 1970.
    Time(i64),
}

/// What to do about an offset that a partition does not have: `auto.offset.reset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Go on at the oldest record.
    Earliest,
    /// Go on at the next record that comes.
    Latest,
    /// End the run.
    Error,
}

/// A run of the loop.
#[derive(Clone)]
pub struct Settings {
    /// What is read.
    pub subscription: Subscription,
    /// Where the first assignment of this process starts.
    pub from: Start,
    /// Partitions that start at these offsets instead: a run that goes on where another one ended.
    pub positions: HashMap<i32, i64>,
    /// What to do about an offset that does not exist.
    pub reset: Reset,
    /// Which records of transactions are read.
    pub isolation: Isolation,
    /// Stop after so many records.
    pub max_records: Option<u64>,
    /// Stop at the ends that the partitions have when they are assigned.
    pub exit_at_end: bool,
    /// With `exit_at_end`: stop here, where that is before the end.
    pub until: Option<Until>,
    /// For a one-shot run as a whole.
    pub timeout: Option<Duration>,
    /// Between commits.
    pub commit_interval: Duration,
    /// For writing, committing and leaving the group.
    pub drain_timeout: Duration,
    /// The bootstrap servers, for messages.
    pub servers: String,
    /// librdkafka's settings.
    pub properties: Properties,
}

impl Settings {
    /// Whether the run has an end of its own.
    pub const fn is_one_shot(&self) -> bool {
        self.max_records.is_some() || self.exit_at_end
    }
}

/// What the loop rests on: librdkafka's settings that are not the user's to change, each with its value.
///
/// Offsets are committed by the loop, for what was flushed, and ends are told by events.
pub const FIXED: [(&str, &str); 3] =
    [("enable.auto.offset.store", "false"), ("enable.auto.commit", "false"), ("enable.partition.eof", "true")];

/// A run without a group has no name for one, but librdkafka's consumer wants one.
pub const NO_GROUP: &str = "kafka-consumer-without-group";

/// How much is fetched, for whoever reads.
pub fn tuned(properties: &mut Properties) {
    // By default a fast consumer is parked for a whole second each time its queue is full: 180,000 records/s instead of
    // 1,370,000 (measured with 100-byte values).
    properties.fallback("fetch.queue.backoff.ms", 10);
    properties.fallback("queued.min.messages", 20_000);
    // 64 MiB by default. Counted are a record's bytes, not the 500 or so that librdkafka takes to keep it: with records of 100
    // bytes from a hundred partitions, a process of 120 MiB has 16 MiB in the queue, and one of 55 MiB has 4, at the same rate.
    properties.fallback("queued.max.messages.kbytes", 4 * 1024);
    // New partitions, and topics that a regular expression matches, are found within a minute, not five.
    properties.fallback("topic.metadata.refresh.interval.ms", 60_000);
}
