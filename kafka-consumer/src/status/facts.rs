//! What the status page shows, as data: `/status.json` is this, and the page is made from it.
//!
//! Nothing of a record and no setting but the two names that the process goes by is among it.

use serde::Serialize;

/// The form of [`Facts`]. It changes when a field goes or means something else, not when one is added.
pub const VERSION: u32 = 1;
/// Partitions that are listed: those with the most lag.
pub const LISTED: usize = 200;

/// One process at one moment. `null` is what is not known.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    /// [`VERSION`].
    pub v: u32,
    /// The program's name.
    pub program: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The version of librdkafka.
    pub librdkafka: String,
    /// The OpenSSL in use.
    pub openssl: &'static str,
    /// The consumer group; `null` for given partitions.
    pub group: Option<String>,
    /// The name that the brokers see.
    pub client_id: String,
    /// Since the start.
    pub uptime_seconds: u64,
    /// As `/livez` says it.
    pub live: Told,
    /// As `/readyz` says it.
    pub ready: Told,
    /// What was logged.
    pub records: Records,
    /// From sending to logging, over the last minute.
    pub latency: Latency,
    /// Records not yet logged, over the partitions whose lag is known.
    pub lag_records: Option<i64>,
    /// Partitions assigned to this process.
    pub assigned_partitions: usize,
    /// Those with the most lag, [`LISTED`] at most.
    pub partitions: Vec<Partition>,
    /// Partitions that are not in the list.
    pub partitions_left_out: usize,
    /// The last ones, the latest first.
    pub rebalances: Vec<Rebalanced>,
    /// Commits of offsets, by result.
    pub commits: Vec<Count>,
    /// Connections by the broker's node id.
    pub brokers: Vec<Broker>,
    /// What went wrong since the start; what never happened is left out.
    pub errors: Vec<Count>,
    /// Spans of traces, by result; empty without tracing.
    pub spans: Vec<Count>,
}

/// Whether something is well, and the reason why not.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// Whether it is.
    pub ok: bool,
    /// `null` when it is.
    pub reason: Option<String>,
}

impl From<Result<(), String>> for Told {
    fn from(told: Result<(), String>) -> Self {
        Self { ok: told.is_ok(), reason: told.err() }
    }
}

/// Records logged, over all partitions that this process ever had.
#[derive(Clone, Debug, Serialize)]
pub struct Records {
    /// Since the start.
    pub total: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Records a second over the last two seconds.
    pub per_second: Option<f64>,
    /// Over the last minute, or since the start.
    pub per_second_1m: Option<f64>,
    /// Over the last five minutes, or since the start.
    pub per_second_5m: Option<f64>,
    /// Records a second in each step of the last five minutes, the oldest first.
    pub history: Vec<f64>,
    /// The length of a step.
    pub history_step_seconds: u64,
}

/// Quantiles; `null` when nothing was logged in the last minute.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    /// The median.
    pub p50: Option<Quantile>,
    /// 99 of 100 are faster.
    pub p99: Option<Quantile>,
}

/// A quantile of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantile {
    /// The value.
    pub seconds: f64,
    /// What the value is.
    pub bound: Bound,
}

/// What a histogram's buckets tell of a quantile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// It is below this, the lowest bound.
    Below,
    /// It is about this.
    About,
    /// It is above this, the highest bound.
    Above,
}

/// A partition of this process.
#[derive(Clone, Debug, Serialize)]
pub struct Partition {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The offset of the next record to be logged.
    pub next_offset: Option<i64>,
    /// Records not yet logged, as of the last statistics.
    pub lag_records: Option<i64>,
    /// How long the lag has lasted.
    pub lag_seconds: Option<f64>,
    /// Over the last ten seconds.
    pub records_per_second: Option<f64>,
}

/// A change of the assignment by the group.
#[derive(Clone, Debug, Serialize)]
pub struct Rebalanced {
    /// When, by this machine's clock.
    pub time: String,
    /// The same, as an age.
    pub seconds_ago: u64,
    /// `assign`, `revoke` or `lost`.
    pub kind: &'static str,
    /// How many partitions were.
    pub partitions: usize,
    /// How many this process had afterwards.
    pub assigned: usize,
}

/// How often something happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// What.
    pub name: String,
    /// How often, since the start.
    pub count: u64,
}

/// The connection to a broker.
#[derive(Clone, Debug, Serialize)]
pub struct Broker {
    /// Its node id.
    pub id: String,
    /// Whether the connection is up.
    pub up: bool,
    /// Round-trip time of requests over the last statistics interval.
    pub p50_seconds: Option<f64>,
    /// The same.
    pub p99_seconds: Option<f64>,
}

/// Keeps the partitions with the most lag and returns how many others there are. Where a lag is not known it counts as less than
/// any other; equal ones stand in the order of their names, so that a quiet page does not move.
pub fn keep_most_lag(partitions: &mut Vec<Partition>) -> usize {
    partitions.sort_by(|one, other| {
        let lag = other.lag_records.cmp(&one.lag_records);
        lag.then_with(|| one.topic.cmp(&other.topic)).then(one.partition.cmp(&other.partition))
    });
    let left_out = partitions.len().saturating_sub(LISTED);
    partitions.truncate(LISTED);
    left_out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_thousand_partitions_those_with_the_most_lag_are_listed() {
        let partition = |number: i32| Partition {
            topic: "t".to_owned(),
            partition: number,
            next_offset: None,
            // 700 to 999 have a lag, the last ones the most; the others' is 0 or not known.
            lag_records: (number % 2 == 0 || number >= 700).then_some(i64::from((number - 699).max(0))),
            lag_seconds: None,
            records_per_second: None,
        };
        let mut partitions: Vec<Partition> = (0..1000).map(partition).collect();
        assert_eq!(keep_most_lag(&mut partitions), 800);
        let numbers: Vec<i32> = partitions.iter().map(|partition| partition.partition).collect();
        assert_eq!(numbers, (800..1000).rev().collect::<Vec<_>>());
        let mut few: Vec<Partition> = (0..6).rev().map(partition).collect();
        assert_eq!(keep_most_lag(&mut few), 0);
        let numbers: Vec<i32> = few.iter().map(|partition| partition.partition).collect();
        assert_eq!(numbers, [0, 2, 4, 1, 3, 5], "known ones first");
    }
}
