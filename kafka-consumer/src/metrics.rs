//! What the consumer measures. `docs/metrics.md` is generated from here.

use common::admin::ROUTES;
use common::metrics::{ClientMetrics, HttpMetrics, LogMetrics, Metrics, Program};
use common::telemetry::SpanMetrics;
use consume::LoopMetrics;
use prometheus::{Histogram, IntCounter};

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
    /// Bytes written to stdout.
    pub output_bytes: IntCounter,
    /// From sending to logging.
    pub latency: Histogram,
}

/// Registers everything; label sets that are known start at 0.
///
/// # Errors
/// When a name is taken: a mistake in this file.
pub fn register(program: &Program) -> prometheus::Result<Registered> {
    let mut metrics = Metrics::new(PREFIX, program)?;
    let consumer = ConsumerMetrics {
        consume: LoopMetrics::new(&mut metrics)?,
        output_bytes: metrics.counter("output_bytes_total", "Bytes written to stdout")?,
        latency: metrics.histogram(
            "end_to_end_latency_seconds",
            "From sending (the stamp, else the record's timestamp) to logging, in seconds",
        )?,
    };
    let client = ClientMetrics::new(&mut metrics)?;
    let http = HttpMetrics::new(&mut metrics, &ROUTES)?;
    let log = LogMetrics::new(&mut metrics)?;
    let spans = SpanMetrics::new(&mut metrics)?;
    Ok(Registered { metrics, consumer, client, http, log, spans })
}
