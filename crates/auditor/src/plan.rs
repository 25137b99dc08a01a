//! What an audit looks for, and how it reads the topic.

use std::collections::HashMap;
use std::time::Duration;

use common::config::{Problems, Properties};
use common::kafka::defaults;
use common::kafka::native::Isolation;
use consume::{FIXED, NO_GROUP, Reset, Settings, Subscription, tuned};
use ledger::Sent;

/// The clocks of producers and brokers differ by less.
const EARLIER_MS: i64 = 60_000;
/// How long closing the client may take after a signal.
const DRAIN: Duration = Duration::from_secs(10);

/// Where an audit starts to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// At the oldest record.
    Earliest,
    /// At a time in milliseconds since 1970.
    Time(i64),
    /// Where each partition ended before the run began: nothing of the run is before it.
    BeforeRun,
}

/// What is looked for, and how the topic is read.
pub struct Plan {
    /// The topic.
    pub topic: String,
    /// The run.
    pub run_id: String,
    /// Messages of the run, if anybody says.
    pub expected: Option<u64>,
    /// What the reports say.
    pub sent: Vec<Sent>,
    /// When the run started, in milliseconds since 1970, by its reports.
    pub started_ms: Option<i64>,
    /// Where to start, if somebody says.
    pub from: Option<Beginning>,
    /// Go on until nothing is missing.
    pub wait: bool,
    /// For the whole audit.
    pub timeout: Option<Duration>,
    /// What the loop is told, but for where it starts and how long it may take.
    pub run: Settings,
}

impl Plan {
    /// Where to start.
    pub fn beginning(&self) -> Beginning {
        self.from.unwrap_or_else(|| {
            let a_little_earlier = |started: i64| Beginning::Time(started.saturating_sub(EARLIER_MS).max(0));
            self.started_ms.map_or(Beginning::Earliest, a_little_earlier)
        })
    }

    /// What the loop is told of a topic that is read as a whole. `properties` are those of [`properties`].
    pub fn settings(topic: &str, servers: &str, properties: Properties, timeout: Option<Duration>) -> Settings {
        Settings {
            subscription: Subscription::Partitions { topics: vec![topic.to_owned()], partitions: None },
            from: consume::Start::Earliest,
            positions: HashMap::new(),
            // What retention deletes while it is read is told, and is a reason to prove nothing.
            reset: Reset::Earliest,
            isolation: Isolation::ReadCommitted,
            max_records: None,
            exit_at_end: true,
            until: None,
            timeout,
            commit_interval: DRAIN,
            drain_timeout: DRAIN,
            servers: servers.to_owned(),
            properties,
        }
    }
}

/// Adds to the properties of a connection what an audit rests on: whole batches, of committed transactions only, and nothing that
/// is kept anywhere.
pub fn properties(properties: &mut Properties, timeout: Option<Duration>, problems: &mut Problems) {
    let rests_on = [("group.id", NO_GROUP), ("isolation.level", "read_committed"), ("check.crcs", "true")];
    for (key, value) in rests_on.into_iter().chain(FIXED) {
        properties.fixed(key, value, problems);
    }
    tuned(properties);
    defaults::connections(properties, timeout);
    defaults::answers(properties);
}
