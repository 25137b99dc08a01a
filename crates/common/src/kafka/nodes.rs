//! The series of each broker, for as long as the statistics have it.

use std::collections::BTreeMap;

use super::statistics::{Statistics, Window};
use crate::metrics::ClientMetrics;

/// Of the round-trip times. Not as a `quantile`, which is the label of a summary only.
const STATS: [&str; 2] = ["p50", "p99"];

/// The nodes that have series.
#[derive(Default)]
pub struct Nodes(BTreeMap<i32, Node>);

/// What the statistics say of one node, over all connections to it: its own, and the coordinator's.
#[derive(Clone, Copy, Default)]
struct Node {
    is_up: bool,
    round_trip: Option<Window>,
}

impl Nodes {
    /// Sets the series of all nodes that are there, and removes those of nodes that have left the cluster.
    pub fn show(&mut self, statistics: &Statistics<'_>, metrics: &ClientMetrics) {
        let mut nodes: BTreeMap<i32, Node> = BTreeMap::new();
        for broker in statistics.brokers.values().filter(|broker| broker.nodeid >= 0) {
            let node = nodes.entry(broker.nodeid).or_default();
            node.is_up |= broker.is_up();
            let is_busier = |rtt: &Window| node.round_trip.is_none_or(|known| known.cnt < rtt.cnt);
            if let Some(rtt) = broker.rtt.filter(|rtt| rtt.cnt > 0).filter(is_busier) {
                node.round_trip = Some(rtt);
            }
        }
        for gone in self.0.keys().filter(|id| !nodes.contains_key(id)).map(ToString::to_string) {
            // Absent where a node never had a round trip.
            let _ = metrics.broker_up.remove_label_values(&[&gone]);
            for stat in STATS {
                let _ = metrics.round_trip.remove_label_values(&[gone.as_str(), stat]);
            }
        }
        for (id, node) in &nodes {
            let id = id.to_string();
            metrics.broker_up.with_label_values(&[&id]).set(i64::from(node.is_up));
            let Some(rtt) = node.round_trip else { continue };
            for (stat, micros) in STATS.into_iter().zip([rtt.p50, rtt.p99]) {
                metrics.round_trip.with_label_values(&[id.as_str(), stat]).set(micros as f64 / 1e6);
            }
        }
        self.0 = nodes;
    }
}
