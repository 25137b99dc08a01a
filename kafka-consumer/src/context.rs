//! librdkafka's callbacks of the consumer. They run inside `poll`, on the loop's own thread, and only take notes: the loop
//! acts on a rebalance itself, because it has to write and commit before partitions go.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::kafka::ClientState;
use prometheus::IntGauge;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use crate::metrics::ConsumerMetrics;

/// A topic and the number of one of its partitions.
pub type Place = (String, i32);

/// A change of the assignment that the loop has to carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebalance {
    /// These partitions come.
    Assign(Vec<Place>),
    /// These partitions go.
    Revoke(Vec<Place>),
}

/// What the callbacks write to.
pub struct Context {
    /// Connections, refusals, statistics.
    pub client: Arc<ClientState>,
    metrics: ConsumerMetrics,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    rebalances: VecDeque<Rebalance>,
    /// Partitions of this process, with their lag.
    assigned: HashMap<Place, Watched>,
    /// Whether the group has told this member its part, if only that it has none.
    settled: bool,
}

struct Watched {
    /// Made when it is known: a series that begins at 0 would hide a backlog from alerts.
    lag: Option<IntGauge>,
    /// The offset at which librdkafka found the end of the partition; -1 before.
    end_seen: i64,
}

impl Context {
    /// A consumer without partitions.
    pub fn new(client: Arc<ClientState>, metrics: ConsumerMetrics) -> Self {
        Self { client, metrics, notes: Mutex::new(Notes::default()) }
    }

    /// The next change to carry out.
    pub fn next_rebalance(&self) -> Option<Rebalance> {
        self.notes().rebalances.pop_front()
    }

    /// The partition's lag is to be shown as soon as it is known.
    pub fn watch(&self, place: Place) {
        self.notes().assigned.insert(place, Watched { lag: None, end_seen: -1 });
    }

    /// The partition went, and its series with it.
    pub fn unwatch(&self, place: &Place) {
        self.notes().assigned.remove(place);
        // Absent when no statistics came meanwhile: nothing to remove then.
        let _ = self.metrics.lag.remove_label_values(&[&place.0, &place.1.to_string()]);
    }

    /// Whether the group has told this member its part.
    pub fn settled(&self) -> bool {
        self.notes().settled
    }

    /// The loop has its partitions without a group.
    pub fn settle(&self) {
        self.notes().settled = true;
    }

    /// Whether librdkafka has read the partition up to this offset, be it only markers of transactions.
    pub fn end_seen(&self, place: &Place, end: i64) -> bool {
        self.notes().assigned.get(place).is_some_and(|watched| watched.end_seen >= end)
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.client.log(level, facility, line);
    }

    fn stats_raw(&self, json: &[u8]) {
        let Some(statistics) = self.client.statistics(json) else { return };
        let mut notes = self.notes();
        if statistics.cgrp.is_some_and(|group| group.join_state == "steady") {
            notes.settled = true;
        }
        for (name, topic) in &statistics.topics {
            for partition in topic.partitions.values().filter(|partition| partition.desired) {
                let place = (name.clone().into_owned(), partition.partition);
                let Some(watched) = notes.assigned.get_mut(&place) else { continue };
                watched.end_seen = watched.end_seen.max(partition.eof_offset);
                if let Some(lag) = partition.lag() {
                    let labels = [place.0.as_str(), &place.1.to_string()];
                    watched.lag.get_or_insert_with(|| self.metrics.lag.with_label_values(&labels)).set(lag);
                }
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.client.error(&error, reason);
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.client.token()
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, _: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let places = list.elements().iter().map(|element| (element.topic().to_owned(), element.partition())).collect();
        let change = if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            Rebalance::Assign(places)
        } else {
            Rebalance::Revoke(places)
        };
        self.notes().rebalances.push_back(change);
    }
}
