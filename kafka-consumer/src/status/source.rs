//! Where the facts come from: what the loop and the client publish anyway, read when somebody asks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use common::health::Health;
use common::metrics::Program;
use consume::{Board, Standing, Tally};
use jiff::Timestamp;
use prometheus::{Histogram, Registry};

use super::facts::{Broker, Count, Facts, Latency, Partition, Rebalanced, Records, VERSION, keep_most_lag};
use super::history::{Buckets, History, TICK};
use super::series::{Series, label_of};

/// What the page is made from.
pub struct Source {
    /// What runs.
    pub program: Program,
    /// The consumer group, if the process is a member of one.
    pub group: Option<String>,
    /// The name that the brokers see.
    pub client_id: String,
    /// Liveness and readiness.
    pub health: Health,
    /// All metrics.
    pub registry: Registry,
    /// What the names of those of this program begin with.
    pub prefix: &'static str,
    /// From sending to logging.
    pub latency: Histogram,
    /// What was read.
    pub tally: Arc<Tally>,
    /// Partitions and rebalances.
    pub board: Arc<Board>,
    /// The last five minutes.
    pub history: Mutex<History>,
}

/// What else counts as an error: the metric, and what it is called here.
const ERRORS: [(&str, &str); 4] = [
    ("corrupt_batches_total", "batches that failed their checksum"),
    ("skipped_records_total", "records deleted by retention before they were read"),
    ("log_lines_dropped_total", "log lines dropped"),
    ("statistics_failures_total", "statistics that could not be read"),
];

impl Source {
    /// Takes a sample each second, for ever.
    pub async fn watch(self: Arc<Self>) {
        let mut tick = tokio::time::interval(TICK);
        // A process that was stopped for an hour has no use for the samples it missed.
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let (records, latency) = (self.tally.counts().records, Buckets::of(&self.latency));
            self.history().sample(Instant::now(), records, latency, self.board.partitions());
        }
    }

    /// Everything, now.
    pub fn facts(&self) -> Facts {
        let series = Series::of(&self.registry, self.prefix);
        let counts = self.tally.counts();
        let mut partitions = self.partitions(&series);
        let assigned_partitions = partitions.len();
        let known: Vec<i64> = partitions.iter().filter_map(|partition| partition.lag_records).collect();
        let partitions_left_out = keep_most_lag(&mut partitions);
        let history = self.history();
        Facts {
            v: VERSION,
            program: self.program.program,
            version: self.program.version,
            librdkafka: self.program.librdkafka.clone(),
            openssl: self.program.openssl,
            group: self.group.clone(),
            client_id: self.client_id.clone(),
            uptime_seconds: counts.elapsed.as_secs(),
            live: self.health.live().into(),
            ready: self.health.readiness().into(),
            records: Records {
                total: counts.records,
                bytes: counts.bytes,
                per_second: history.rate(TICK * 2),
                per_second_1m: history.rate(Duration::from_secs(60)),
                per_second_5m: history.rate(Duration::from_secs(300)),
                history: history.curve(),
                history_step_seconds: History::curve_step(),
            },
            latency: Latency { p50: history.latency(0.5), p99: history.latency(0.99) },
            lag_records: (!known.is_empty()).then(|| known.iter().sum()),
            assigned_partitions,
            partitions,
            partitions_left_out,
            rebalances: self.rebalances(),
            commits: named(series.by("commits_total", "result")),
            brokers: brokers(&series),
            errors: errors(&series),
            spans: named(series.by("spans_total", "result")),
        }
    }

    fn partitions(&self, series: &Series) -> Vec<Partition> {
        let (lags, ages) = (series.by_partition("lag_records"), series.by_partition("lag_seconds"));
        let rates = self.history().partition_rates();
        let partition = |standing: &Arc<Standing>| {
            let place = (standing.topic.as_str(), standing.partition);
            Partition {
                topic: standing.topic.clone(),
                partition: standing.partition,
                next_offset: standing.next(),
                lag_records: lags.get(&place).map(|lag| *lag as i64),
                lag_seconds: ages.get(&place).copied(),
                records_per_second: rates.get(&Arc::as_ptr(standing)).copied(),
            }
        };
        self.board.partitions().iter().map(partition).collect()
    }

    fn rebalances(&self) -> Vec<Rebalanced> {
        let now = SystemTime::now();
        let rebalanced = |rebalance: consume::Rebalance| Rebalanced {
            time: Timestamp::try_from(rebalance.at).map(|time| format!("{time:.0}")).unwrap_or_default(),
            seconds_ago: now.duration_since(rebalance.at).unwrap_or_default().as_secs(),
            kind: rebalance.kind.label(),
            partitions: rebalance.partitions,
            assigned: rebalance.assigned,
        };
        self.board.rebalances().into_iter().map(rebalanced).collect()
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn named(counts: Vec<(String, f64)>) -> Vec<Count> {
    counts.into_iter().map(|(name, count)| Count { name, count: count as u64 }).collect()
}

fn errors(series: &Series) -> Vec<Count> {
    let mut errors = named(series.by("client_errors_total", "error"));
    errors.extend(ERRORS.map(|(metric, name)| Count { name: name.to_owned(), count: series.count(metric) }));
    errors.retain(|error| error.count > 0);
    errors
}

fn brokers(series: &Series) -> Vec<Broker> {
    let round_trip = |id: &str, stat: &str| {
        let is_it = |metric: &_| label_of(metric, "broker") == Some(id) && label_of(metric, "stat") == Some(stat);
        series.all("broker_round_trip_seconds").find(|(metric, _)| is_it(metric)).map(|(_, seconds)| seconds)
    };
    let broker = |(id, up): (String, f64)| Broker {
        up: up > 0.0,
        p50_seconds: round_trip(&id, "p50"),
        p99_seconds: round_trip(&id, "p99"),
        id,
    };
    let mut brokers: Vec<Broker> = series.by("broker_up", "broker").into_iter().map(broker).collect();
    brokers.sort_by_key(|broker| broker.id.parse::<i64>().unwrap_or(i64::MAX));
    brokers
}
