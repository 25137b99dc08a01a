//! What the producer measures. `docs/metrics.md` is generated from here.

use common::admin::ROUTES;
use common::metrics::{ClientMetrics, Exemplars, HttpMetrics, LogMetrics, Metrics, Program};
use common::telemetry::SpanMetrics;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

/// Prefix of all names.
pub const PREFIX: &str = "kafka_producer";

/// All metrics of the program.
pub struct Registered {
    /// To be scraped.
    pub metrics: Metrics,
    /// Of the work.
    pub producer: ProducerMetrics,
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
pub struct ProducerMetrics {
    /// Messages to publish in this run.
    pub requested: IntGauge,
    /// Messages handed to librdkafka.
    pub enqueued: IntCounter,
    /// Messages acknowledged.
    pub delivered: IntCounter,
    /// Bytes acknowledged.
    pub delivered_bytes: IntCounter,
    /// Messages given up.
    pub failed: IntCounterVec,
    /// Messages never transmitted.
    pub unsent: IntCounter,
    /// Messages between the program and the acknowledgement.
    pub in_flight: IntGauge,
    /// Times the queue was full.
    pub queue_full: IntCounter,
    /// From send, or scheduled send, to acknowledgement.
    pub delivery_seconds: Histogram,
    /// The traces of sampled messages in [`ProducerMetrics::delivery_seconds`]; told only of those.
    pub delivery_exemplars: Exemplars,
}

/// Registers everything.
///
/// # Errors
/// When a name is taken: a mistake in this file.
pub fn register(program: &Program) -> prometheus::Result<Registered> {
    let mut metrics = Metrics::new(PREFIX, program)?;
    let (delivery_seconds, delivery_exemplars) = metrics.histogram_with_exemplars(
        "delivery_seconds",
        "From send (with --rate: from the scheduled time) to acknowledgement, in seconds",
    )?;
    let producer = ProducerMetrics {
        requested: metrics.gauge("requested_messages", "Messages to publish in this run; 0 while unknown")?,
        enqueued: metrics.counter("enqueued_messages_total", "Messages handed to librdkafka")?,
        delivered: metrics.counter("delivered_messages_total", "Messages that the broker acknowledged")?,
        delivered_bytes: metrics
            .counter("delivered_bytes_total", "Keys and values of acknowledged messages, in bytes")?,
        failed: metrics.counter_vec(
            "failed_messages_total",
            "Messages transmitted and not acknowledged, by librdkafka's name for the error",
            &["error"],
        )?,
        unsent: metrics.counter(
            "unsent_messages_total",
            "Messages that were given up without having been transmitted; those never begun are added at the end of the run",
        )?,
        in_flight: metrics.gauge("in_flight_messages", "Messages handed to librdkafka and not settled yet")?,
        queue_full: metrics
            .counter("queue_full_total", "Times a message had to wait because librdkafka's queue was full")?,
        delivery_seconds,
        delivery_exemplars,
    };
    let client = ClientMetrics::new(&mut metrics)?;
    let http = HttpMetrics::new(&mut metrics, &ROUTES)?;
    let log = LogMetrics::new(&mut metrics)?;
    let spans = SpanMetrics::new(&mut metrics)?;
    Ok(Registered { metrics, producer, client, http, log, spans })
}
