//! What the consumer measures. `docs/metrics.md` is generated from here.

use common::admin;
use common::metrics::{ClientMetrics, Computed, Exemplars, HttpMetrics, LogMetrics, Metrics, Program};
use common::telemetry::SpanMetrics;
use consume::LoopMetrics;
use prometheus::{Histogram, IntCounter, IntGaugeVec, Registry};

use crate::status;

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
    /// Of traces.
    pub spans: SpanMetrics,
}

/// Metrics of the work.
#[derive(Clone)]
pub struct ConsumerMetrics {
    /// Of the loop.
    pub consume: LoopMetrics,
    /// Whether it is ready, as `/readyz` says.
    pub ready: Computed,
    /// Which consumer it is.
    pub info: IntGaugeVec,
    /// Bytes written to stdout.
    pub output_bytes: IntCounter,
    /// From sending to logging.
    pub latency: Histogram,
    /// All of them together, for those who show them.
    pub registry: Registry,
    /// What runs.
    pub program: Program,
    /// The traces of sampled records in [`ConsumerMetrics::latency`]; told only of those.
    pub latency_exemplars: Exemplars,
}

/// Registers everything; label sets that are known start at 0.
///
/// # Errors
/// When a name is taken: a mistake in this file.
pub fn register(program: &Program) -> prometheus::Result<Registered> {
    let mut metrics = Metrics::new(PREFIX, program)?;
    let (latency, latency_exemplars) = metrics.histogram_with_exemplars(
        "end_to_end_latency_seconds",
        "From sending (the stamp, else the record's timestamp) to logging, in seconds",
    )?;
    let consumer = ConsumerMetrics {
        consume: LoopMetrics::new(&mut metrics)?,
        ready: metrics.computed("ready", "1 when the consumer is ready, as /readyz says, else 0")?,
        info: metrics.gauge_vec(
            "info",
            "Always 1; the labels say which consumer it is (group and protocol are empty without a group)",
            &["group", "client_id", "group_protocol"],
        )?,
        registry: metrics.registry().clone(),
        program: program.clone(),
        output_bytes: metrics.counter("output_bytes_total", "Bytes written to stdout")?,
        latency,
        latency_exemplars,
    };
    let client = ClientMetrics::new(&mut metrics)?;
    let http = HttpMetrics::new(&mut metrics, &[admin::ROUTES.as_slice(), &status::ROUTES].concat())?;
    let log = LogMetrics::new(&mut metrics)?;
    let spans = SpanMetrics::new(&mut metrics)?;
    Ok(Registered { metrics, consumer, client, http, log, spans })
}
