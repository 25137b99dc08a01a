//! Metrics: names with one prefix, a catalogue that the docs are made from, and what both programs measure.

mod accept;
mod exemplars;
mod openmetrics;

use std::sync::{Arc, OnceLock};

use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

/// Upper bounds, in seconds, that OpenTelemetry's messaging conventions (v1.44) give for durations.
pub const DURATION_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

pub use exemplars::{Exemplar, Exemplars};

/// One metric as the documentation shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The full name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Names of its labels.
    pub labels: Vec<String>,
    /// What it counts, with its unit.
    pub help: String,
}

/// Makes metrics, registers them and remembers them for the docs. One for each process, a new one for each test.
pub struct Metrics {
    registry: Registry,
    prefix: &'static str,
    catalogue: Vec<Entry>,
    exemplars: Vec<(String, Exemplars)>,
}

macro_rules! maker {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $type:ty) => {
        $(#[$doc])*
        pub fn $name(&mut self, name: &str, help: &str) -> prometheus::Result<$type> {
            let metric = <$type>::with_opts(Opts::new(self.name(name), help))?;
            self.register(metric, $kind, name, &[], help)
        }
    };
    ($(#[$doc:meta])* $name:ident, $kind:literal, $type:ty, labels) => {
        $(#[$doc])*
        pub fn $name(&mut self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<$type> {
            let metric = <$type>::new(Opts::new(self.name(name), help), labels)?;
            self.register(metric, $kind, name, labels, help)
        }
    };
}

impl Metrics {
    /// An empty set of metrics whose names start with `prefix`, but for the process's own (memory, CPU, descriptors).
    ///
    /// # Errors
    /// When a metric cannot be registered, which would be a mistake in its name.
    pub fn new(prefix: &'static str, program: &Program) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let mut metrics = Self { registry, prefix, catalogue: Vec::new(), exemplars: Vec::new() };
        let process = ProcessCollector::for_self();
        for desc in process.desc() {
            let kind = if desc.fq_name.ends_with("_total") { "counter" } else { "gauge" };
            metrics.catalogue.push(Entry {
                name: desc.fq_name.clone(),
                kind,
                labels: Vec::new(),
                help: desc.help.clone(),
            });
        }
        metrics.registry.register(Box::new(process))?;
        let info = metrics.gauge_vec("build_info", "Always 1; the labels say what runs", &["version", "librdkafka"])?;
        info.with_label_values(&[program.version, &program.librdkafka]).set(1);
        Ok(metrics)
    }

    maker!(
        /// A number that only grows.
        counter, "counter", IntCounter);
    maker!(
        /// Numbers that only grow, by label.
        counter_vec, "counter", IntCounterVec, labels);
    maker!(
        /// A whole number that goes up and down.
        gauge, "gauge", IntGauge);
    maker!(
        /// Whole numbers that go up and down, by label.
        gauge_vec, "gauge", IntGaugeVec, labels);
    maker!(
        /// A number that goes up and down.
        float_gauge, "gauge", Gauge);
    maker!(
        /// Numbers that go up and down, by label.
        float_gauge_vec, "gauge", GaugeVec, labels);

    /// A distribution over [`DURATION_BUCKETS`], in seconds.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn histogram(&mut self, name: &str, help: &str) -> prometheus::Result<Histogram> {
        let options = HistogramOpts::new(self.name(name), help).buckets(DURATION_BUCKETS.to_vec());
        self.register(Histogram::with_opts(options)?, "histogram", name, &[], help)
    }

    /// A distribution as [`Metrics::histogram`] has them, whose buckets can name a trace each.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn histogram_with_exemplars(&mut self, name: &str, help: &str) -> prometheus::Result<(Histogram, Exemplars)> {
        let histogram = self.histogram(name, help)?;
        let exemplars = Exemplars::default();
        self.exemplars.push((self.name(name), exemplars.clone()));
        Ok((histogram, exemplars))
    }

    /// A number that is found out when somebody asks for it. It has no series before [`Computed::by`].
    ///
    /// # Errors
    /// When the name is taken.
    pub fn computed(&mut self, name: &str, help: &str) -> prometheus::Result<Computed> {
        let gauge = Gauge::with_opts(Opts::new(self.name(name), help))?;
        let computed = Computed(Arc::new((gauge, OnceLock::new())));
        self.register(computed, "gauge", name, &[], help)
    }

    /// Gauges that a collector of our own makes.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn collector<C: Collector + 'static>(&mut self, collector: C) -> prometheus::Result<()> {
        let entry = |desc: &&Desc| Entry {
            name: desc.fq_name.clone(),
            kind: "gauge",
            labels: desc.variable_labels.clone(),
            help: desc.help.clone(),
        };
        self.catalogue.extend(collector.desc().iter().map(entry));
        self.registry.register(Box::new(collector))
    }

    /// All metrics made so far.
    pub fn catalogue(&self) -> &[Entry] {
        &self.catalogue
    }

    /// All of them together, for those who show them in another form.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// All of them, to be scraped.
    pub fn page(&self) -> Page {
        Page { registry: self.registry.clone(), exemplars: self.exemplars.clone() }
    }

    /// The full name of a metric.
    pub fn name(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix)
    }

    fn register<M: Collector + Clone + 'static>(
        &mut self,
        metric: M,
        kind: &'static str,
        name: &str,
        labels: &[&str],
        help: &str,
    ) -> prometheus::Result<M> {
        self.registry.register(Box::new(metric.clone()))?;
        self.catalogue.push(Entry {
            name: self.name(name),
            kind,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            help: help.to_owned(),
        });
        Ok(metric)
    }
}

/// What runs: for `build_info`, `/version` and `--version`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Program {
    /// `kafka-producer` or `kafka-consumer`.
    pub program: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The version of librdkafka in it.
    pub librdkafka: String,
    /// What that librdkafka was built with.
    pub features: String,
    /// The OpenSSL in use, which is another than the one at build time where it is linked dynamically.
    pub openssl: &'static str,
}

/// The operational log.
#[derive(Clone)]
pub struct LogMetrics {
    /// Lines that did not fit into the queue, or that stderr did not take.
    pub dropped: IntCounter,
}

impl LogMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn new(metrics: &mut Metrics) -> prometheus::Result<Self> {
        let dropped = metrics.counter(
            "log_lines_dropped_total",
            "Lines of the operational log dropped because stderr did not take them",
        )?;
        Ok(Self { dropped })
    }
}

/// Requests to the admin server.
#[derive(Clone)]
pub struct HttpMetrics {
    /// By route and status code.
    pub requests: IntCounterVec,
}

impl HttpMetrics {
    /// Registers them, with each route of the server at zero.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn new(metrics: &mut Metrics, routes: &[&str]) -> prometheus::Result<Self> {
        let requests =
            metrics.counter_vec("http_requests_total", "Requests to the admin server", &["path", "status"])?;
        for route in routes {
            requests.with_label_values(&[*route, "200"]);
        }
        Ok(Self { requests })
    }
}

/// What librdkafka reports of the connections.
#[derive(Clone)]
pub struct ClientMetrics {
    /// 1 for each broker whose connection is up, else 0.
    pub broker_up: IntGaugeVec,
    /// Round-trip times of requests, over the last statistics interval.
    pub round_trip: GaugeVec,
    /// Errors that librdkafka reported, by its name for them.
    pub errors: IntCounterVec,
    /// Statistics that could not be read.
    pub statistics_failures: IntCounter,
    /// Tokens fetched for OAUTHBEARER.
    pub token_requests: IntCounterVec,
    /// When our certificates end.
    pub certificate_expiry: IntGaugeVec,
}

impl ClientMetrics {
    /// Counts statistics that could not be read, and says so once: the error names a place, and nothing that stands there.
    pub(crate) fn unreadable(&self, error: &serde_json::Error) {
        if self.statistics_failures.get() == 0 {
            tracing::warn!(
                event = "statistics_unreadable",
                "librdkafka's statistics cannot be read ({error}), so nothing is known of brokers and lag; it writes client.id into \
                 them as it is: take one without a quote or a backslash"
            );
        }
        self.statistics_failures.inc();
    }

    /// Registers them.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn new(metrics: &mut Metrics) -> prometheus::Result<Self> {
        let token_requests = metrics.counter_vec(
            "oauth_token_requests_total",
            "Tokens asked of the OAuth server, by result: ok or error",
            &["result"],
        )?;
        for result in ["ok", "error"] {
            token_requests.with_label_values(&[result]);
        }
        Ok(Self {
            broker_up: metrics.gauge_vec(
                "broker_up",
                "1 when the connection to the broker is up, else 0, by the broker's node id",
                &["broker"],
            )?,
            round_trip: metrics.float_gauge_vec(
                "broker_round_trip_seconds",
                "Round-trip time of requests over the last statistics interval, by node id: p50 (median) and p99",
                &["broker", "stat"],
            )?,
            errors: metrics.counter_vec(
                "client_errors_total",
                "Errors that librdkafka reported, by its name for them",
                &["error"],
            )?,
            statistics_failures: metrics
                .counter("statistics_failures_total", "Statistics of librdkafka that could not be read")?,
            token_requests,
            certificate_expiry: metrics.gauge_vec(
                "certificate_expiry_timestamp_seconds",
                "When a certificate of our own ends, in seconds since 1970, by kind: client, or ca (the first of at most 10)",
                &["kind"],
            )?,
        })
    }
}

/// A number that a function says at each scrape. Clones share it.
#[derive(Clone)]
pub struct Computed(Arc<(Gauge, OnceLock<Found>)>);

/// Finds a number out.
type Found = Box<dyn Fn() -> f64 + Send + Sync>;

impl Computed {
    /// From now on this function says the number. Only the first one counts.
    pub fn by(&self, number: impl Fn() -> f64 + Send + Sync + 'static) {
        let _ = self.0.1.set(Box::new(number));
    }
}

impl Collector for Computed {
    fn desc(&self) -> Vec<&Desc> {
        self.0.0.desc()
    }

    fn collect(&self) -> Vec<prometheus::proto::MetricFamily> {
        let (gauge, number) = &*self.0;
        let Some(number) = number.get() else { return Vec::new() };
        gauge.set(number());
        gauge.collect()
    }
}

/// The metrics of a process, as a scrape finds them.
#[derive(Clone)]
pub struct Page {
    registry: Registry,
    exemplars: Vec<(String, Exemplars)>,
}

impl Page {
    /// The metrics in the format that this `Accept` header prefers, with their content type.
    ///
    /// # Errors
    /// When a metric cannot be encoded.
    pub fn answer(&self, accept: &str) -> Result<(String, Vec<u8>), prometheus::Error> {
        let format = accept::Format::wanted(accept);
        let families = self.registry.gather();
        let body = match &format {
            accept::Format::OpenMetrics { .. } => openmetrics::write(&families, &self.exemplars).into_bytes(),
            accept::Format::Text => {
                let mut body = Vec::new();
                TextEncoder::new().encode(&families, &mut body)?;
                body
            }
        };
        Ok((format.content_type(), body))
    }
}
