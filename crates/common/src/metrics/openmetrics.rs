//! OpenMetrics 1.0, written from what the registry gathers. The `prometheus` crate has neither the format nor exemplars.

use std::fmt::Write;

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::exemplars::{Exemplar, Exemplars};

/// Writes all families. `exemplars` are those of histograms, by name.
pub(super) fn write(families: &[MetricFamily], exemplars: &[(String, Exemplars)]) -> String {
    let mut text = String::new();
    for family in families {
        let mut page = Page { text: &mut text, name: family.name() };
        match family.get_field_type() {
            // A counter without its suffix is none, says the standard.
            MetricType::COUNTER if let Some(name) = family.name().strip_suffix("_total") => {
                page.name = name;
                page.head("counter", family.help());
                family
                    .get_metric()
                    .iter()
                    .for_each(|metric| page.sample("_total", metric, metric.get_counter().get_value()));
            }
            MetricType::COUNTER => {
                page.head("unknown", family.help());
                family.get_metric().iter().for_each(|metric| page.sample("", metric, metric.get_counter().get_value()));
            }
            MetricType::GAUGE => {
                page.head("gauge", family.help());
                family.get_metric().iter().for_each(|metric| page.sample("", metric, metric.get_gauge().get_value()));
            }
            MetricType::HISTOGRAM => {
                page.head("histogram", family.help());
                let own = exemplars.iter().find(|(name, _)| name == family.name()).map(|(_, own)| own);
                family.get_metric().iter().for_each(|metric| page.histogram(metric, own));
            }
            // The crate has no way to make them.
            MetricType::SUMMARY | MetricType::UNTYPED => {}
        }
    }
    text.push_str("# EOF\n");
    text
}

/// One family on its way into the text. Writing to a `String` cannot fail.
struct Page<'a> {
    text: &'a mut String,
    name: &'a str,
}

impl Page<'_> {
    fn head(&mut self, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {} {}\n# TYPE {} {kind}", self.name, escaped(help), self.name);
    }

    fn sample(&mut self, suffix: &str, metric: &Metric, value: f64) {
        self.series(suffix, metric.get_label(), None);
        let _ = writeln!(self.text, "{}", number(value));
    }

    fn histogram(&mut self, metric: &Metric, exemplars: Option<&Exemplars>) {
        let histogram = metric.get_histogram();
        let (labels, count) = (metric.get_label(), histogram.get_sample_count());
        let exemplars = exemplars.map(Exemplars::all).unwrap_or_default();
        let buckets = histogram.get_bucket().iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
        // The crate leaves the last bucket out.
        let buckets = buckets.filter(|(bound, _)| bound.is_finite()).chain([(f64::INFINITY, count)]);
        let mut before = 0;
        for (nth, (bound, cumulative)) in buckets.enumerate() {
            self.series("_bucket", labels, Some(bound));
            let _ = write!(self.text, "{cumulative}");
            // Not before the observation itself is counted.
            if let Some(exemplar) = exemplars.get(nth).copied().flatten().filter(|_| cumulative > before) {
                self.exemplar(&exemplar);
            }
            self.text.push('\n');
            before = cumulative;
        }
        self.series("_sum", labels, None);
        let _ = writeln!(self.text, "{}", number(histogram.get_sample_sum()));
        self.series("_count", labels, None);
        let _ = writeln!(self.text, "{count}");
    }

    fn exemplar(&mut self, exemplar: &Exemplar) {
        let id = u128::from_be_bytes(exemplar.trace_id);
        let _ = write!(self.text, " # {{trace_id=\"{id:032x}\"}} {} {:.3}", number(exemplar.seconds), exemplar.at);
    }

    fn series(&mut self, suffix: &str, labels: &[LabelPair], bound: Option<f64>) {
        let labels = labels.iter().map(|label| (label.name(), escaped(label.value())));
        let labels: Vec<String> = labels
            .chain(bound.map(|bound| ("le", number(bound))))
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let _ = match labels.as_slice() {
            [] => write!(self.text, "{}{suffix} ", self.name),
            labels => write!(self.text, "{}{suffix}{{{}}} ", self.name, labels.join(",")),
        };
    }
}

/// A number in the one form that the standard recommends, which bounds of buckets are compared by: `1.0`, not `1`.
fn number(value: f64) -> String {
    if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        format!("{value:?}")
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use prometheus::{CounterVec, Gauge, Histogram, HistogramOpts, Opts, Registry};

    use super::super::DURATION_BUCKETS;
    use super::*;

    #[test]
    fn families_are_written_as_the_standard_has_them() {
        let registry = Registry::new();
        let counter = CounterVec::new(Opts::new("x_events_total", "With \"quotes\",\na \\ and a break"), &["what"]);
        let counter = counter.unwrap();
        counter.with_label_values(&["a\"b\\c\nd"]).inc_by(2.5);
        registry.register(Box::new(counter)).unwrap();
        let gauge = Gauge::new("x_level", "A level").unwrap();
        gauge.set(f64::NAN);
        registry.register(Box::new(gauge)).unwrap();
        let odd = prometheus::Counter::new("x_odd", "No suffix").unwrap();
        registry.register(Box::new(odd)).unwrap();
        let expected = "\
# HELP x_events With \\\"quotes\\\",\\na \\\\ and a break
# TYPE x_events counter
x_events_total{what=\"a\\\"b\\\\c\\nd\"} 2.5
# HELP x_level A level
# TYPE x_level gauge
x_level NaN
# HELP x_odd No suffix
# TYPE x_odd unknown
x_odd 0.0
# EOF
";
        assert_eq!(write(&registry.gather(), &[]), expected);
    }

    #[test]
    fn a_bucket_has_the_exemplar_of_an_observation_that_it_counts() {
        let registry = Registry::new();
        let options = HistogramOpts::new("x_seconds", "Durations").buckets(DURATION_BUCKETS.to_vec());
        let histogram = Histogram::with_opts(options).unwrap();
        registry.register(Box::new(histogram.clone())).unwrap();
        let exemplars = Exemplars::default();
        let trace = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes();
        for seconds in [0.8, 60.0] {
            histogram.observe(seconds);
            exemplars.record(seconds, trace);
        }
        // Not counted yet, as in a local histogram that was not flushed.
        exemplars.record(0.3, trace);
        let text = write(&registry.gather(), &[("x_seconds".to_owned(), exemplars)]);
        let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap_or_default();
        let marked = "x_seconds_bucket{le=\"1.0\"} 1 # {trace_id=\"0af7651916cd43dd8448eb211c80319c\"} 0.8 ";
        let seconds: f64 = line(marked).strip_prefix(marked).unwrap().parse().unwrap();
        assert!(seconds > 1.7e9, "{text}");
        assert!(line("x_seconds_bucket{le=\"+Inf\"} 2 # {trace_id=").contains("} 60.0 "), "{text}");
        assert_eq!(line("x_seconds_bucket{le=\"0.5\"}"), "x_seconds_bucket{le=\"0.5\"} 0", "{text}");
        assert_eq!(line("x_seconds_bucket{le=\"2.5\"}"), "x_seconds_bucket{le=\"2.5\"} 1", "{text}");
        assert!(text.ends_with("x_seconds_sum 60.8\nx_seconds_count 2\n# EOF\n"), "{text}");
        assert_eq!(text.matches(" # {").count(), 2, "{text}");
    }
}
