//! Looking series up in what the registry has gathered. What is not there is not known.

use std::collections::HashMap;

use prometheus::Registry;
use prometheus::proto::{Metric, MetricFamily, MetricType};

/// All series at one moment.
pub struct Series {
    families: Vec<MetricFamily>,
    prefix: &'static str,
}

impl Series {
    /// What the registry has now; the names that are asked for begin with `prefix` there.
    pub fn of(registry: &Registry, prefix: &'static str) -> Self {
        Self { families: registry.gather(), prefix }
    }

    /// The values of a metric of this program, with the labels of each.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = (&'a Metric, f64)> + use<'a> {
        let is_it = |family: &&MetricFamily| {
            family.name().strip_prefix(self.prefix).and_then(|rest| rest.strip_prefix('_')) == Some(name)
        };
        let family = self.families.iter().find(is_it);
        family.into_iter().flat_map(|family| {
            let kind = family.get_field_type();
            family.get_metric().iter().map(move |metric| (metric, value(kind, metric)))
        })
    }

    /// The values by a label, in the order of the label's values. Series that differ only in other labels are added up.
    pub fn by(&self, name: &str, label: &str) -> Vec<(String, f64)> {
        let mut sums: Vec<(String, f64)> = Vec::new();
        for (metric, value) in self.all(name) {
            let Some(of) = label_of(metric, label) else { continue };
            match sums.iter_mut().find(|(known, _)| known == of) {
                Some((_, sum)) => *sum += value,
                None => sums.push((of.to_owned(), value)),
            }
        }
        sums.sort_by(|one, other| one.0.cmp(&other.0));
        sums
    }

    /// The sum of all series of a counter.
    pub fn count(&self, name: &str) -> u64 {
        self.all(name).map(|(_, value)| value).sum::<f64>() as u64
    }

    /// The values by topic and partition.
    pub fn by_partition<'a>(&'a self, name: &str) -> HashMap<(&'a str, i32), f64> {
        let place =
            |metric: &'a Metric| Some((label_of(metric, "topic")?, label_of(metric, "partition")?.parse().ok()?));
        self.all(name).filter_map(|(metric, value)| Some((place(metric)?, value))).collect()
    }
}

/// The value of a label.
pub fn label_of<'a>(metric: &'a Metric, name: &str) -> Option<&'a str> {
    metric.get_label().iter().find(|label| label.name() == name).map(|label| label.value())
}

fn value(kind: MetricType, metric: &Metric) -> f64 {
    match kind {
        MetricType::COUNTER => metric.get_counter().get_value(),
        MetricType::GAUGE => metric.get_gauge().get_value(),
        MetricType::HISTOGRAM => metric.get_histogram().get_sample_count() as f64,
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use prometheus::{IntCounterVec, IntGaugeVec, Opts};

    use super::*;

    #[test]
    fn series_are_found_by_their_labels_and_absent_ones_are_not_zero() {
        let registry = Registry::new();
        let spans = IntCounterVec::new(Opts::new("kafka_consumer_spans_total", "s"), &["result", "other"]).unwrap();
        let lag = IntGaugeVec::new(Opts::new("kafka_consumer_lag_records", "l"), &["topic", "partition"]).unwrap();
        registry.register(Box::new(spans.clone())).unwrap();
        registry.register(Box::new(lag.clone())).unwrap();
        spans.with_label_values(&["ok", "1"]).inc_by(2);
        spans.with_label_values(&["ok", "2"]).inc_by(3);
        spans.with_label_values(&["bad", "1"]).inc();
        lag.with_label_values(&["t", "7"]).set(5);
        let series = Series::of(&registry, "kafka_consumer");
        assert_eq!(series.by("spans_total", "result"), [("bad".to_owned(), 1.0), ("ok".to_owned(), 5.0)]);
        assert_eq!((series.count("spans_total"), series.count("nothing")), (6, 0));
        let lags = series.by_partition("lag_records");
        assert_eq!((lags.get(&("t", 7)), lags.get(&("t", 8))), (Some(&5.0), None));
        assert!(series.by("nothing", "result").is_empty());
    }
}
