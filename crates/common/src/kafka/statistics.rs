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
    /// Records between the last stable (or high) offset and the one stored; -1 when unknown.
    #[serde(default = "unknown")]
    pub consumer_lag_stored: i64,
    /// The offset at which the end of the partition was last reached; negative when it was not.
    #[serde(default = "unknown")]
    pub eof_offset: i64,
}

const fn unknown() -> i64 {
    -1
}
