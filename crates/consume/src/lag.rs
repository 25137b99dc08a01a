//! How far behind each partition is, in records and in seconds. Judged when somebody asks: a loop that stands still serves no
//! statistics, and what it showed last must not pass for what holds now.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::kafka::native::TopicPartition;
use common::metrics::Metrics;
use common::text::epoch_us;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, IntGaugeVec, Opts};

/// A lag is shown as long as the statistics behind it are not older than so many intervals.
const INTERVALS: u64 = 3;
/// No record with a time was logged.
const NEVER: i64 = i64::MIN;

/// The lag of all partitions of this process. Clones share it.
#[derive(Clone)]
pub struct Lag(Arc<Shared>);

struct Shared {
    records: Opts,
    seconds: Opts,
    /// Series that are never set: the collector's descriptions.
    described: (IntGaugeVec, GaugeVec),
    /// How old statistics may be, in milliseconds.
    patience_ms: AtomicU64,
    places: Mutex<BTreeMap<TopicPartition, Place>>,
}

/// What is known of one partition.
struct Place {
    logged: Logged,
    known: Option<Known>,
    /// When the lag was last 0, by the statistics.
    caught_up: Option<Instant>,
}

/// What the last statistics said.
#[derive(Clone, Copy)]
struct Known {
    records: i64,
    taken: Instant,
}

/// The time of the last record logged of one partition. Written by the loop at each flush, so without a lock.
#[derive(Clone, Debug)]
pub(crate) struct Logged(Arc<AtomicI64>);

impl Logged {
    /// A record with this time, in milliseconds since 1970, was logged.
    pub fn set(&self, timestamp_ms: i64) {
        self.0.store(timestamp_ms, Ordering::Relaxed);
    }

    /// The age of the record at `now_ms`; a time in the future is no age below zero.
    fn age(&self, now_ms: i64) -> Option<f64> {
        let logged = self.0.load(Ordering::Relaxed);
        (logged != NEVER).then(|| now_ms.saturating_sub(logged).max(0) as f64 / 1e3)
    }
}

/// How far behind one partition is.
#[derive(Clone, Debug, PartialEq)]
pub struct Behind {
    /// The partition.
    pub place: TopicPartition,
    /// Records between its end and the last one logged.
    pub records: i64,
    /// The smaller of the age of the last logged record and the time since the lag was last 0, in seconds; `None` while neither
    /// is known.
    pub seconds: Option<f64>,
}

impl Lag {
    /// Registers the two metrics.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn new(metrics: &mut Metrics) -> prometheus::Result<Self> {
        let records = Opts::new(
            metrics.name("lag_records"),
            "Records between the end of the partition and the last one logged; absent while the statistics are old",
        );
        let seconds = Opts::new(
            metrics.name("lag_seconds"),
            "The smaller of the age of the last logged record and the time since the lag was last 0; absent while unknown",
        );
        let described = (IntGaugeVec::new(records.clone(), &LABELS)?, GaugeVec::new(seconds.clone(), &LABELS)?);
        let (patience_ms, places) = (AtomicU64::new(0), Mutex::default());
        let lag = Self(Arc::new(Shared { records, seconds, described, patience_ms, places }));
        metrics.collector(lag.clone())?;
        Ok(lag)
    }

    /// Statistics come at this interval.
    pub fn expect_every(&self, interval: Duration) {
        let interval = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        self.0.patience_ms.store(interval.saturating_mul(INTERVALS), Ordering::Relaxed);
    }

    /// A partition was assigned, or holds other records from now on: nothing is known of it.
    pub(crate) fn add(&self, place: &TopicPartition) -> Logged {
        let logged = Logged(Arc::new(AtomicI64::new(NEVER)));
        self.places().insert(place.clone(), Place { logged: logged.clone(), known: None, caught_up: None });
        logged
    }

    /// A partition was revoked.
    pub(crate) fn remove(&self, place: &TopicPartition) {
        self.places().remove(place);
    }

    /// What the statistics that were taken at this time say of a partition.
    pub(crate) fn show(&self, place: &TopicPartition, records: i64, taken: Instant) {
        if let Some(place) = self.places().get_mut(place) {
            place.known = Some(Known { records, taken });
            if records == 0 {
                place.caught_up = Some(taken);
            }
        }
    }

    /// The partitions whose lag is known now.
    pub fn now(&self) -> Vec<Behind> {
        self.at(Instant::now(), epoch_us() / 1000)
    }

    fn at(&self, now: Instant, now_ms: i64) -> Vec<Behind> {
        let patience = Duration::from_millis(self.0.patience_ms.load(Ordering::Relaxed));
        let places = self.places();
        let known = places.iter().filter_map(|(name, place)| {
            let Known { records, taken } = place.known?;
            if now.saturating_duration_since(taken) > patience {
                return None;
            }
            let since = place.caught_up.map(|at| now.saturating_duration_since(at).as_secs_f64());
            let seconds = match (records, place.logged.age(now_ms), since) {
                (0, ..) => Some(0.0),
                (_, Some(age), Some(since)) => Some(age.min(since)),
                (_, age, since) => age.or(since),
            };
            Some(Behind { place: name.clone(), records, seconds })
        });
        known.collect()
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<TopicPartition, Place>> {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const LABELS: [&str; 2] = ["topic", "partition"];

impl Collector for Lag {
    fn desc(&self) -> Vec<&Desc> {
        let (records, seconds) = &self.0.described;
        [records.desc(), seconds.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // Of this scrape alone, so that nothing is left of the last one.
        let made = (IntGaugeVec::new(self.0.records.clone(), &LABELS), GaugeVec::new(self.0.seconds.clone(), &LABELS));
        let (Ok(records), Ok(seconds)) = made else { return Vec::new() };
        for behind in self.now() {
            let labels = [behind.place.topic.as_str(), &behind.place.partition.to_string()];
            records.with_label_values(&labels).set(behind.records);
            if let Some(value) = behind.seconds {
                seconds.with_label_values(&labels).set(value);
            }
        }
        [records.collect(), seconds.collect()].concat()
    }
}

#[cfg(test)]
mod tests {
    use common::metrics::Program;

    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn lag() -> (Metrics, Lag) {
        let program =
            Program { program: "test", version: "1", librdkafka: "2".into(), features: String::new(), openssl: "3" };
        let mut metrics = Metrics::new("test", &program).unwrap();
        let lag = Lag::new(&mut metrics).unwrap();
        lag.expect_every(Duration::from_secs(5));
        (metrics, lag)
    }

    fn place() -> TopicPartition {
        TopicPartition::new("t", 0)
    }

    /// What is shown `after` seconds.
    fn shown(lag: &Lag, start: Instant, after: u64) -> Option<(i64, Option<f64>)> {
        let at = lag.at(start + Duration::from_secs(after), NOW_MS + 1000 * after as i64);
        at.first().map(|behind| (behind.records, behind.seconds))
    }

    #[test]
    fn seconds_are_the_smaller_of_two_ages() {
        let (_metrics, lag) = lag();
        let start = Instant::now();
        let logged = lag.add(&place());
        assert_eq!(shown(&lag, start, 0), None, "no statistics yet");
        lag.show(&place(), 70, start);
        assert_eq!(shown(&lag, start, 1), Some((70, None)), "neither a record nor a lag of 0 was seen");
        // A backlog is worked off: the age of its records counts.
        logged.set(NOW_MS - 60_000);
        assert_eq!(shown(&lag, start, 1), Some((70, Some(61.0))));
        // Caught up: no lag, however old the last record is.
        lag.show(&place(), 0, start + Duration::from_secs(5));
        assert_eq!(shown(&lag, start, 6), Some((0, Some(0.0))));
        // New records that nobody logs: the time since there was no lag.
        lag.show(&place(), 3, start + Duration::from_secs(10));
        assert_eq!(shown(&lag, start, 12), Some((3, Some(7.0))));
        // They are logged, a little late.
        logged.set(NOW_MS + 11_000);
        assert_eq!(shown(&lag, start, 12), Some((3, Some(1.0))));
        logged.set(NOW_MS + 60_000);
        assert_eq!(shown(&lag, start, 12), Some((3, Some(0.0))), "a clock that is ahead");
        lag.remove(&place());
        assert_eq!(shown(&lag, start, 12), None);
    }

    #[test]
    fn records_without_a_time_leave_the_time_since_there_was_no_lag() {
        let (_metrics, lag) = lag();
        let start = Instant::now();
        lag.add(&place());
        lag.show(&place(), 0, start);
        lag.show(&place(), 9, start + Duration::from_secs(5));
        assert_eq!(shown(&lag, start, 8), Some((9, Some(8.0))));
    }

    #[test]
    fn old_statistics_are_none() {
        let (metrics, lag) = lag();
        let start = Instant::now();
        lag.add(&place());
        lag.show(&place(), 0, start);
        assert_eq!(shown(&lag, start, 15), Some((0, Some(0.0))));
        assert_eq!(shown(&lag, start, 16), None);
        let text = |metrics: &Metrics| String::from_utf8(metrics.page().answer("").unwrap().1).unwrap();
        for series in
            ["test_lag_records{partition=\"0\",topic=\"t\"} 0\n", "test_lag_seconds{partition=\"0\",topic=\"t\"} 0\n"]
        {
            assert!(text(&metrics).contains(series), "{}", text(&metrics));
        }
        lag.expect_every(Duration::ZERO);
        assert!(!text(&metrics).contains("lag_"), "{}", text(&metrics));
        let names: Vec<_> = metrics.catalogue().iter().map(|entry| entry.name.as_str()).collect();
        assert!(names.ends_with(&["test_lag_records", "test_lag_seconds"]), "{names:?}");
    }
}
