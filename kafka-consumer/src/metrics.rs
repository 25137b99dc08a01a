//! What the consumer measures. `docs/metrics.md` is generated from here.

use common::admin::ROUTES;
use common::metrics::{ClientMetrics, HttpMetrics, LogMetrics, Metrics, Program};
use prometheus::{Gauge, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

/// Prefix of all names.
pub const PREFIX: &str = "kafka_consumer";

/// All metrics of the program.
pub struct Registered {
    /// To be scraped.
    pub metrics: Metrics,
    /// Of the work.
    pub consumer: ConsumerMetrics,
    /// Of the connections.
    pub client: ClientMetrics,
    /// Of the admin server.
    pub http: HttpMetrics,
    /// Of the log.
    pub log: LogMetrics,
}

/// Metrics of the work. Series of a partition go when it is revoked.
#[derive(Clone)]
pub struct ConsumerMetrics {
    /// Records logged.
    pub records: IntCounterVec,
    /// Bytes of the records logged.
    pub bytes: IntCounterVec,
    /// Bytes written to stdout.
    pub log_bytes: IntCounter,
    /// Records not yet stored.
    pub lag: IntGaugeVec,
    /// From sending to logging.
    pub latency: Histogram,
    /// Changes of the assignment.
    pub rebalances: IntCounterVec,
    /// Partitions that this process has now.
    pub assigned: IntGauge,
    /// Commits.
    pub commits: IntCounterVec,
    /// Time of commits.
    pub commit_seconds: Histogram,
    /// When the loop last asked librdkafka for records.
    pub last_poll: Gauge,
}

/// A change of the assignment, as its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebalanceKind {
    /// Partitions came.
    Assign,
    /// Partitions went, in order.
    Revoke,
    /// Partitions had gone before this process could commit.
    Lost,
}

impl RebalanceKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Assign, Self::Revoke, Self::Lost];

    /// The label's value.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Assign => "assign",
            Self::Revoke => "revoke",
            Self::Lost => "lost",
        }
    }
}

/// Registers everything; label sets that are known start at 0.
///
/// # Errors
/// When a name is taken: a mistake in this file.
pub fn register(program: &Program) -> prometheus::Result<Registered> {
    let mut metrics = Metrics::new(PREFIX, program)?;
    let place = ["topic", "partition"];
    let consumer = ConsumerMetrics {
        records: metrics.counter_vec("records_total", "Records logged", &place)?,
        bytes: metrics.counter_vec("record_bytes_total", "Keys and values of the records logged, in bytes", &place)?,
        log_bytes: metrics.counter("log_bytes_total", "Bytes written to stdout")?,
        lag: metrics.gauge_vec(
            "lag_records",
            "Records between the end of the partition and the stored offset, as of the last statistics",
            &place,
        )?,
        latency: metrics.histogram(
            "end_to_end_latency_seconds",
            "From sending (header sent-us, else the record's timestamp) to logging, in seconds",
        )?,
        rebalances: metrics.counter_vec(
            "rebalances_total",
            "Changes of the assignment: assign, revoke, or lost when it was too late to commit",
            &["kind"],
        )?,
        assigned: metrics.gauge("assigned_partitions", "Partitions that this process has now")?,
        commits: metrics.counter_vec("commits_total", "Commits of offsets, by result: ok or error", &["result"])?,
        commit_seconds: metrics.histogram("commit_seconds", "From a commit to the broker's answer, in seconds")?,
        last_poll: metrics.float_gauge(
            "last_poll_timestamp_seconds",
            "When the loop last asked for records and found none, or wrote what it had: seconds since 1970",
        )?,
    };
    for kind in RebalanceKind::ALL {
        consumer.rebalances.with_label_values(&[kind.label()]);
    }
    for result in ["ok", "error"] {
        consumer.commits.with_label_values(&[result]);
    }
    let client = ClientMetrics::new(&mut metrics)?;
    let http = HttpMetrics::new(&mut metrics, &ROUTES)?;
    let log = LogMetrics::new(&mut metrics)?;
    Ok(Registered { metrics, consumer, client, http, log })
}
