//! The last five minutes, a sample a second, taken beside the loop: rates, and quantiles of the last minute.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use consume::Standing;
use prometheus::Histogram;
use prometheus::core::Metric;

use super::facts::{Bound, Quantile};

/// Between two samples.
pub const TICK: Duration = Duration::from_secs(1);
/// Samples that are kept: five minutes and the one before them.
const KEPT: usize = 301;
/// A partition's rate is that of so many samples.
const PARTITION_SAMPLES: usize = 11;
/// Samples for each point of the curve.
const STEP: usize = 2;

/// A cumulative histogram at one moment: the count at or below each upper bound, and the count of all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    /// Upper bound in seconds, and how many values are at or below it.
    pub counts: Vec<(f64, u64)>,
    /// How many values there are.
    pub all: u64,
}

impl Buckets {
    /// What the histogram counts now.
    pub fn of(histogram: &Histogram) -> Self {
        let metric = histogram.metric();
        let histogram = metric.get_histogram();
        let counts = histogram.get_bucket().iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
        Self { counts: counts.collect(), all: histogram.get_sample_count() }
    }

    /// The quantile `q` (0 to 1) of the values since `before`, as far as the buckets tell: between two bounds the values are
    /// taken to be spread evenly. `None` when there are none.
    fn quantile(&self, before: &Self, q: f64) -> Option<Quantile> {
        let all = self.all.saturating_sub(before.all);
        if all == 0 {
            return None;
        }
        let wanted = q * all as f64;
        let (mut low, mut below) = (None::<f64>, 0_u64);
        for (index, (bound, count)) in self.counts.iter().enumerate() {
            let old = before.counts.get(index).map_or(0, |(_, count)| *count);
            let count = count.saturating_sub(old);
            if count as f64 >= wanted {
                let Some(low) = low else { return Some(Quantile { seconds: *bound, bound: Bound::Below }) };
                let part = (wanted - below as f64) / (count - below).max(1) as f64;
                let seconds = low + (bound - low) * part.clamp(0.0, 1.0);
                return Some(Quantile { seconds: rounded(seconds, 4), bound: Bound::About });
            }
            (low, below) = (Some(*bound), count);
        }
        low.map(|seconds| Quantile { seconds, bound: Bound::Above })
    }
}

/// A moment.
#[derive(Clone, Debug)]
struct Sample {
    at: Instant,
    records: u64,
    latency: Buckets,
}

/// A partition and its count at one moment.
type Counted = (Arc<Standing>, u64);

/// The samples.
#[derive(Default)]
pub struct History {
    samples: VecDeque<Sample>,
    /// The partitions' counts at the last few samples, the latest last. Held, so that no other partition gets the address.
    partitions: VecDeque<(Instant, Vec<Counted>)>,
}

impl History {
    /// Takes a sample: records since the start of the process, their latencies, and the partitions.
    pub fn sample(&mut self, at: Instant, records: u64, latency: Buckets, partitions: Vec<Arc<Standing>>) {
        if self.samples.len() == KEPT {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample { at, records, latency });
        if self.partitions.len() == PARTITION_SAMPLES {
            self.partitions.pop_front();
        }
        let counted = partitions.into_iter().map(|standing| {
            let records = standing.records();
            (standing, records)
        });
        self.partitions.push_back((at, counted.collect()));
    }

    /// Records a second over this time, or since the first sample.
    pub fn rate(&self, over: Duration) -> Option<f64> {
        let (last, first) = (self.samples.back()?, self.before(over)?);
        per_second(last.records.saturating_sub(first.records), last.at - first.at)
    }

    /// A quantile of the latencies in the last minute.
    pub fn latency(&self, q: f64) -> Option<Quantile> {
        self.samples.back()?.latency.quantile(&self.before(Duration::from_secs(60))?.latency, q)
    }

    /// Records a second, for each two seconds of the last five minutes, the oldest first.
    pub fn curve(&self) -> Vec<f64> {
        let mut points = Vec::with_capacity(KEPT / STEP);
        let mut last = self.samples.len().checked_sub(1);
        while let Some((to, from)) = last.and_then(|to| Some((to, to.checked_sub(STEP)?))) {
            let (Some(late), Some(early)) = (self.samples.get(to), self.samples.get(from)) else { break };
            points.push(per_second(late.records.saturating_sub(early.records), late.at - early.at).unwrap_or(0.0));
            last = Some(from);
        }
        points.reverse();
        points
    }

    /// The seconds that a point of [`History::curve`] stands for.
    pub const fn curve_step() -> u64 {
        TICK.as_secs() * STEP as u64
    }

    /// Records a second of each partition, by the address of where it stands, over the last ten seconds or since it was
    /// assigned.
    pub fn partition_rates(&self) -> HashMap<*const Standing, f64> {
        let mut first: HashMap<*const Standing, (Instant, u64)> = HashMap::new();
        for (at, counted) in &self.partitions {
            for (standing, records) in counted {
                first.entry(Arc::as_ptr(standing)).or_insert((*at, *records));
            }
        }
        let Some((now, counted)) = self.partitions.back() else { return HashMap::new() };
        let rate = |(standing, records): &Counted| {
            let place = Arc::as_ptr(standing);
            let (at, before) = first.get(&place)?;
            Some((place, per_second(records.saturating_sub(*before), *now - *at)?))
        };
        counted.iter().filter_map(rate).collect()
    }

    /// The latest sample that is at least this old, else the first.
    fn before(&self, age: Duration) -> Option<&Sample> {
        let now = self.samples.back()?.at;
        // A timer may be a little early.
        let age = age.saturating_sub(TICK / 10);
        self.samples.iter().rev().find(|sample| now - sample.at >= age).or_else(|| self.samples.front())
    }
}

/// `None` when no time has passed.
fn per_second(count: u64, time: Duration) -> Option<f64> {
    (!time.is_zero()).then(|| rounded(count as f64 / time.as_secs_f64(), 1))
}

/// So many decimals.
pub fn rounded(number: f64, decimals: i32) -> f64 {
    let factor = 10_f64.powi(decimals);
    (number * factor).round() / factor
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    /// So many records in each second, and so many of their latencies at or below 5 ms, 10 ms and 1 s.
    fn history(seconds: &[(u64, [u64; 3])]) -> History {
        let (mut history, start) = (History::default(), Instant::now());
        let (mut records, mut counts) = (0, [0; 3]);
        history.sample(start, 0, buckets(0, counts), Vec::new());
        for (second, (more, latencies)) in seconds.iter().enumerate() {
            records += more;
            for (count, more) in counts.iter_mut().zip(latencies) {
                *count += more;
            }
            let at = start + TICK * (u32::try_from(second).unwrap() + 1);
            history.sample(at, records, buckets(records, counts), Vec::new());
        }
        history
    }

    fn buckets(all: u64, counts: [u64; 3]) -> Buckets {
        Buckets { counts: [0.005, 0.01, 1.0].into_iter().zip(counts).collect(), all }
    }

    #[test]
    fn rates_are_those_of_their_time_or_of_all_there_is() {
        let mut seconds = vec![(10, [10; 3]); 400];
        seconds.extend([(100, [100; 3]); 2]);
        let history = history(&seconds);
        assert_eq!(history.rate(Duration::from_secs(2)), Some(100.0));
        assert_eq!(history.rate(Duration::from_secs(60)), Some(13.0));
        assert_eq!(history.rate(Duration::from_secs(300)), Some(10.6));
        let curve = history.curve();
        assert_eq!((curve.len(), curve[0], curve[148], curve[149]), (150, 10.0, 10.0, 100.0));
        assert_eq!(history.samples.len(), KEPT, "no more than five minutes are kept");
    }

    #[test]
    fn a_new_process_has_no_rate_and_then_that_of_its_life() {
        assert_eq!(History::default().rate(Duration::from_secs(2)), None);
        assert_eq!(history(&[]).rate(Duration::from_secs(2)), None);
        let young = history(&[(30, [30; 3]); 5]);
        assert_eq!([young.rate(Duration::from_secs(2)), young.rate(Duration::from_secs(300))], [Some(30.0); 2]);
        assert_eq!(young.curve(), [30.0, 30.0]);
    }

    #[test]
    fn quantiles_are_of_the_last_minute_and_claim_no_more_than_the_buckets_know() {
        // An hour ago everything was slow: that is over.
        let mut seconds = vec![(100, [0, 0, 0]); 100];
        seconds.extend([(100, [100, 100, 100]); 60]);
        let fast = history(&seconds).latency(0.99).unwrap();
        assert_eq!((fast.seconds, fast.bound), (0.005, Bound::Below));
        let spread = history(&[(100, [50, 90, 98]); 60]);
        let between = spread.latency(0.7).unwrap();
        assert_eq!((between.seconds, between.bound), (0.0075, Bound::About));
        let slow = spread.latency(0.99).unwrap();
        assert_eq!((slow.seconds, slow.bound), (1.0, Bound::Above));
        assert_eq!(history(&[(0, [0; 3]); 70]).latency(0.5), None, "nothing came in this minute");
    }

    #[test]
    fn a_histogram_is_read_as_it_counts() {
        let options = prometheus::HistogramOpts::new("h", "h").buckets(vec![0.1, 1.0]);
        let histogram = Histogram::with_opts(options).unwrap();
        for value in [0.05, 0.5, 5.0] {
            histogram.observe(value);
        }
        assert_eq!(Buckets::of(&histogram), Buckets { counts: vec![(0.1, 1), (1.0, 2)], all: 3 });
    }
}
