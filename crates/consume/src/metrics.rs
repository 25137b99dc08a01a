//! What the loop measures. Series of a partition go when it is revoked.

use std::sync::Arc;

use common::metrics::Metrics;
use prometheus::{Gauge, Histogram, IntCounterVec, IntGauge};

use crate::lag::Lag;

use crate::board::{Board, RebalanceKind};

/// Metrics of the loop.
#[derive(Clone)]
pub struct LoopMetrics {
    /// Records that the sink has kept.
    pub records: IntCounterVec,
    /// Bytes of their keys and values.
    pub bytes: IntCounterVec,
    /// Records not yet kept.
    pub lag: Lag,
    /// Records that retention deleted before they were read.
    pub skipped: IntCounterVec,
    /// Records logged again, of each partition.
    pub repeated: IntCounterVec,
    /// Batches that failed their checksum.
    pub corrupt: IntCounterVec,
    /// Changes of the assignment.
    pub rebalances: IntCounterVec,
    /// Partitions assigned to this process.
    pub assigned: IntGauge,
    /// Commits.
    pub commits: IntCounterVec,
    /// Time of commits.
    pub commit_seconds: Histogram,
    /// When the loop last asked librdkafka for records.
    pub last_poll: Gauge,
    /// What is too fine for series: shown to people who look at one process.
    pub board: Arc<Board>,
}

impl LoopMetrics {
    /// Registers everything; label sets that are known start at 0.
    ///
    /// # Errors
    /// When a name is taken: a mistake in this file.
    pub fn new(metrics: &mut Metrics) -> prometheus::Result<Self> {
        let place = ["topic", "partition"];
        let made = Self {
            records: metrics.counter_vec("records_total", "Records logged", &place)?,
            bytes: metrics.counter_vec(
                "record_bytes_total",
                "Keys and values of the records logged, in bytes",
                &place,
            )?,
            lag: Lag::new(metrics)?,
            skipped: metrics.counter_vec(
                "skipped_records_total",
                "Records that retention deleted before they were read: from the offset to read next to the log's start",
                &place,
            )?,
            repeated: metrics.counter_vec(
                "repeated_records_total",
                "Records logged again: at or below the highest offset that this process has logged",
                &place,
            )?,
            corrupt: metrics.counter_vec(
                "corrupt_batches_total",
                "Batches that failed their checksum, each time that they were fetched",
                &place,
            )?,
            rebalances: metrics.counter_vec(
                "rebalances_total",
                "Changes of the assignment: assign, revoke, or lost when it was too late to commit",
                &["kind"],
            )?,
            assigned: metrics.gauge("assigned_partitions", "Partitions assigned to this process")?,
            commits: metrics.counter_vec("commits_total", "Commits of offsets, by result: ok or error", &["result"])?,
            commit_seconds: metrics.histogram("commit_seconds", "From a commit to the broker's answer, in seconds")?,
            last_poll: metrics.float_gauge(
                "last_poll_timestamp_seconds",
                "When the loop last asked for records: seconds since 1970",
            )?,
            board: Arc::default(),
        };
        for kind in RebalanceKind::ALL {
            made.rebalances.with_label_values(&[kind.label()]);
        }
        for result in ["ok", "error"] {
            made.commits.with_label_values(&[result]);
        }
        Ok(made)
    }
}
