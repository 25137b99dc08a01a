//! librdkafka's callbacks of the consumer. They run inside the loop's own poll and only take notes.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::kafka::ClientState;
use common::kafka::native::TopicPartition;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

/// What the loop needs of one emission of the statistics.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// Whether the member has been told its part.
    pub is_steady: bool,
    /// What the statistics say of each partition that the client works on.
    pub partitions: Vec<(TopicPartition, common::kafka::statistics::Partition)>,
}

/// What the callbacks write to.
pub(crate) struct Context {
    /// Connections, refusals, statistics.
    pub client: Arc<ClientState>,
    latest: Mutex<Option<Snapshot>>,
}

impl Context {
    pub fn new(client: Arc<ClientState>) -> Self {
        Self { client, latest: Mutex::new(None) }
    }

    /// The latest statistics, once.
    pub fn take_snapshot(&self) -> Option<Snapshot> {
        self.latest().take()
    }

    fn latest(&self) -> MutexGuard<'_, Option<Snapshot>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.client.log(level, facility, line);
    }

    fn stats_raw(&self, json: &[u8]) {
        let Some(statistics) = self.client.statistics(json) else { return };
        let partitions = statistics.topics.iter().flat_map(|(name, topic)| {
            let desired = topic.partitions.values().filter(|partition| partition.desired);
            desired.map(|partition| (TopicPartition::new(&**name, partition.partition), *partition))
        });
        let is_steady = statistics.cgrp.as_ref().is_some_and(|group| group.join_state == "steady");
        *self.latest() = Some(Snapshot { is_steady, partitions: partitions.collect() });
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.client.error(&error, reason);
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.client.token()
    }
}

/// The loop polls the queue itself, so rdkafka's own rebalance callback is only reached while a client is dropped.
impl ConsumerContext for Context {}
