//! The few numbers that are read from librdkafka's statistics; all others are skipped while parsing.
//!
//! Source of the fields: `STATISTICS.md` of librdkafka 2.12.

use std::borrow::Cow;
use std::collections::HashMap;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

/// One emission of the statistics.
#[derive(Debug, Deserialize)]
pub struct Statistics<'a> {
    /// Microseconds from the client's creation to the moment they were taken.
    #[serde(default)]
    pub age: Option<u64>,
    /// By name; includes bootstrap addresses and logical brokers such as the group's coordinator.
    #[serde(borrow, default)]
    pub brokers: Brokers<'a>,
    /// By name.
    #[serde(borrow, default)]
    pub topics: HashMap<Cow<'a, str>, Topic<'a>>,
    /// Of a consumer in a group.
    #[serde(borrow, default)]
    pub cgrp: Option<Group<'a>>,
}

impl Statistics<'_> {
    /// Whether the broker that a partition is fetched from, else its leader, is connected.
    pub fn reaches(&self, partition: &Partition<'_>) -> bool {
        let node = if partition.broker >= 0 { partition.broker } else { partition.leader };
        node >= 0
            && self.brokers.values().any(|broker| broker.nodeid == node && broker.source != "logical" && broker.is_up())
    }
}

/// All connections, in librdkafka's order. Names are not unique: a node that left and came back is there twice under one name until
/// the old connection's thread has ended, and a map would keep either of them.
#[derive(Debug, Default)]
pub struct Brokers<'a>(Vec<(Cow<'a, str>, Broker<'a>)>);

impl<'a> Brokers<'a> {
    /// Each connection.
    pub fn values(&self) -> impl Iterator<Item = &Broker<'a>> {
        self.0.iter().map(|(_, broker)| broker)
    }

    /// A connection of this name.
    pub fn get(&self, name: &str) -> Option<&Broker<'a>> {
        self.0.iter().find_map(|(known, broker)| (known == name).then_some(broker))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Brokers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<'a>(PhantomData<Brokers<'a>>);
        impl<'de: 'a, 'a> Visitor<'de> for Entries<'a> {
            type Value = Brokers<'a>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("brokers by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut brokers = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    brokers.push(entry);
                }
                Ok(Brokers(brokers))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

/// A consumer group, as its member sees it.
#[derive(Debug, Deserialize)]
pub struct Group<'a> {
    /// `up` when the coordinator is known and connected.
    #[serde(borrow, default)]
    pub state: Cow<'a, str>,
    /// `steady` when the member has its assignment; `wait-join` and `wait-sync` while the coordinator keeps an answer back.
    #[serde(borrow)]
    pub join_state: Cow<'a, str>,
    /// Assignments and revocations so far.
    #[serde(default)]
    pub rebalance_cnt: u64,
}

/// A connection to a broker.
#[derive(Debug, Deserialize)]
pub struct Broker<'a> {
    /// The broker's node id; -1 for an address that was only asked first.
    pub nodeid: i32,
    /// `HOST:PORT`.
    #[serde(borrow, default)]
    pub nodename: Cow<'a, str>,
    /// `configured` for an address that was only asked first, `learned` for a node of the cluster, `logical` for the second
    /// connection to a node, that of the group's coordinator, `internal` for what is no broker.
    #[serde(borrow, default)]
    pub source: Cow<'a, str>,
    /// `UP` when requests can be sent.
    #[serde(borrow)]
    pub state: Cow<'a, str>,
    /// Microseconds in this state.
    #[serde(default)]
    pub stateage: i64,
    /// Requests that wait for their answer.
    #[serde(default)]
    pub waitresp_cnt: i64,
    /// Microseconds since something was received; -1 when nothing was yet.
    #[serde(default = "unknown")]
    pub rxidle: i64,
    /// Microseconds since something was sent; -1 when nothing was yet.
    #[serde(default = "unknown")]
    pub txidle: i64,
    /// Round-trip times in microseconds.
    #[serde(default)]
    pub rtt: Option<Window>,
}

impl Broker<'_> {
    /// Whether requests can be sent.
    pub fn is_up(&self) -> bool {
        matches!(&*self.state, "UP" | "UPDATE")
    }

    /// Whether it is an address that metadata can be asked of.
    pub fn is_address(&self) -> bool {
        matches!(&*self.source, "configured" | "learned")
    }
}

/// A distribution over the last interval, in the unit of what it measures.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Window {
    /// Median.
    pub p50: i64,
    /// 99th percentile.
    pub p99: i64,
    /// How many values.
    pub cnt: i64,
}

/// A topic.
#[derive(Debug, Deserialize)]
pub struct Topic<'a> {
    /// By number, as text; -1 is librdkafka's own for unassigned messages.
    #[serde(borrow, default)]
    pub partitions: HashMap<Cow<'a, str>, Partition<'a>>,
}

/// A partition, as a consumer sees it.
#[derive(Clone, Debug, Deserialize)]
pub struct Partition<'a> {
    /// Its number.
    pub partition: i32,
    /// Node id of its leader; -1 when it has none, or none that is known.
    #[serde(default = "no_node")]
    pub leader: i32,
    /// Node id of the broker that it is fetched from.
    #[serde(default = "no_node")]
    pub broker: i32,
    /// `active` when records are fetched.
    #[serde(borrow, default)]
    pub fetch_state: Cow<'a, str>,
    /// Whether this client works on it.
    #[serde(default)]
    pub desired: bool,
    /// Records between the last stable (or high) offset and librdkafka's stored one; -1 when unknown.
    #[serde(default = "unknown")]
    pub consumer_lag_stored: i64,
    /// The same for the offset committed.
    #[serde(default = "unknown")]
    pub consumer_lag: i64,
    /// The end for a consumer of committed transactions; negative when unknown.
    #[serde(default = "unknown")]
    pub ls_offset: i64,
    /// The end for a consumer of all records; negative when unknown.
    #[serde(default = "unknown")]
    pub hi_offset: i64,
    /// The next offset to ask for; negative before the start is known.
    #[serde(default = "unknown")]
    pub next_offset: i64,
    /// Records that were fetched and wait to be polled.
    #[serde(default)]
    pub fetchq_cnt: i64,
    /// The offset at which the end of the partition was last reached; negative when it was not.
    #[serde(default = "unknown")]
    pub eof_offset: i64,
}

impl Partition<'_> {
    /// Whether this consumer fetches it, or is about to.
    pub fn is_consumed(&self) -> bool {
        self.desired && !matches!(&*self.fetch_state, "" | "none" | "stopping" | "stopped")
    }

    /// Records that are still to be logged, if that is known: behind the stored offset, else behind the committed one,
    /// else (nothing was ever stored) behind what was polled.
    pub fn lag(&self) -> Option<i64> {
        let polled = (self.ls_offset >= 0 && self.next_offset >= 0)
            .then(|| (self.ls_offset - self.next_offset).max(0) + self.fetchq_cnt);
        [Some(self.consumer_lag_stored), Some(self.consumer_lag), polled].into_iter().flatten().find(|lag| *lag >= 0)
    }
}

const fn no_node() -> i32 {
    -1
}

const fn unknown() -> i64 {
    -1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(json: &str) -> Partition<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_partition_is_reached_by_the_broker_that_it_is_fetched_from() {
        let reaches = |state: &str, partition: &str| {
            let json = format!(
                r#"{{"brokers":{{
                    "a:9092/1":{{"nodeid":1,"source":"learned","state":"UP"}},
                    "b:9092/2":{{"nodeid":2,"source":"learned","state":"{state}"}},
                    "GroupCoordinator":{{"nodeid":2,"source":"logical","state":"UP"}}}},
                  "topics":{{"t":{{"partitions":{{"0":{{"partition":0,{partition}}}}}}}}}}}"#
            );
            let statistics: Statistics<'_> = serde_json::from_str(&json).unwrap();
            statistics.reaches(&statistics.topics["t"].partitions["0"])
        };
        assert!(reaches("UP", r#""leader":2"#) && reaches("UPDATE", r#""leader":2,"broker":-1"#));
        assert!(!reaches("TRY_CONNECT", r#""leader":2,"broker":-1"#), "the coordinator's connection is another one");
        assert!(reaches("DOWN", r#""leader":2,"broker":1"#), "from a follower");
        assert!(!reaches("UP", r#""leader":-1"#) && !reaches("UP", r#""leader":3"#));
    }

    #[test]
    fn lag_is_that_of_the_best_known_offset_and_never_guessed() {
        assert_eq!(partition(r#"{"partition":0}"#).lag(), None);
        assert_eq!(partition(r#"{"partition":0,"consumer_lag":7,"consumer_lag_stored":3}"#).lag(), Some(3));
        assert_eq!(partition(r#"{"partition":0,"consumer_lag":7,"consumer_lag_stored":-1}"#).lag(), Some(7));
        let fresh = r#"{"partition":0,"ls_offset":100,"next_offset":60,"fetchq_cnt":60}"#;
        assert_eq!(partition(fresh).lag(), Some(100), "what was fetched and not polled counts");
        assert_eq!(partition(r#"{"partition":0,"ls_offset":-1001,"next_offset":0}"#).lag(), None);
    }
}
