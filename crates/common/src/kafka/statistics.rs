//! The few numbers that are read from librdkafka's statistics; all others are skipped while parsing.
//!
//! Source of the fields: `STATISTICS.md` of librdkafka 2.12.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;

/// One emission of the statistics.
#[derive(Debug, Deserialize)]
pub struct Statistics<'a> {
    /// By name; includes bootstrap addresses and logical brokers such as the group's coordinator.
    #[serde(borrow, default)]
    pub brokers: HashMap<Cow<'a, str>, Broker<'a>>,
    /// By name.
    #[serde(borrow, default)]
    pub topics: HashMap<Cow<'a, str>, Topic<'a>>,
    /// Of a consumer in a group.
    #[serde(borrow, default)]
    pub cgrp: Option<Group<'a>>,
}

/// A consumer group, as its member sees it.
#[derive(Debug, Deserialize)]
pub struct Group<'a> {
    /// `steady` when the member has been told its part.
    #[serde(borrow)]
    pub join_state: Cow<'a, str>,
}

/// A connection to a broker.
#[derive(Debug, Deserialize)]
pub struct Broker<'a> {
    /// The broker's node id; -1 for an address that was only asked first.
    pub nodeid: i32,
    /// `UP` when requests can be sent.
    #[serde(borrow)]
    pub state: Cow<'a, str>,
    /// Round-trip times in microseconds.
    #[serde(default)]
    pub rtt: Option<Window>,
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
    pub partitions: HashMap<Cow<'a, str>, Partition>,
}

/// A partition, as a consumer sees it.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Partition {
    /// Its number.
    pub partition: i32,
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

impl Partition {
    /// Records that are still to be logged, if that is known: behind librdkafka's stored offset, else behind the committed
    /// one, else (nothing was logged or committed yet) behind what was polled.
    pub fn lag(&self) -> Option<i64> {
        let polled = (self.ls_offset >= 0 && self.next_offset >= 0)
            .then(|| (self.ls_offset - self.next_offset).max(0) + self.fetchq_cnt);
        [Some(self.consumer_lag_stored), Some(self.consumer_lag), polled].into_iter().flatten().find(|lag| *lag >= 0)
    }
}

const fn unknown() -> i64 {
    -1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(json: &str) -> Partition {
        serde_json::from_str(json).unwrap()
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
