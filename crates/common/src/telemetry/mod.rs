//! Traces: the only place that knows OpenTelemetry. Off, nothing of it runs; on, what is not sampled costs the decision.
//!
//! | file | what it does |
//! |---|---|
//! | `settings`, `pairs` | the variables, checked |
//! | `traceparent` | the header |
//! | `sampler` | what is traced, and ids |
//! | `spans` | a span, made when it ends |
//! | `counts` | the bound of the queue, and what became of each span |
//! | `exporter`, `http` | batches on their way to the receiver |
//!
//! The SDK's part is its queue and its thread. Everything that the SDK would read from the process's environment is handed over in
//! code, so that our layers decide; what it would only warn about is an error here.

mod counts;
mod exporter;
mod http;
mod pairs;
pub mod sampler;
pub mod settings;
pub mod spans;
pub mod traceparent;

use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SpanProcessor};

pub use counts::SpanMetrics;
pub use sampler::{Place, Sampler, Sampling};
pub use settings::Settings;
pub use spans::{Kind, Shape, Span};

use counts::Counts;
use exporter::{Exporter, LastCall};
use http::Client;

/// The longest time that the end of a process waits for its last spans.
pub const LAST_FLUSH: Duration = Duration::from_secs(2);

/// Takes spans and sends them from a thread of its own. Clones share it.
#[derive(Clone)]
pub struct Tracer(Arc<Inner>);

struct Inner {
    processor: BatchSpanProcessor,
    counts: Counts,
    last_call: LastCall,
    sampling: Sampling,
    propagates: bool,
}

impl Tracer {
    /// Starts the thread; connects to nobody before the first batch.
    ///
    /// # Errors
    /// When a certificate or key cannot be used.
    pub fn start(settings: Settings, version: &'static str, metrics: &SpanMetrics) -> Result<Self, String> {
        settings.warn();
        let Settings { sampling, propagates, delay, queue, batch, timeout, .. } = settings;
        let (counts, last_call) = (Counts::new(metrics, queue), LastCall::default());
        let (endpoint, resource) = (settings.endpoint.clone(), resource(&settings.resource, version));
        let client = Client::new(settings)?;
        let exporter = Exporter::new(client, endpoint, timeout, &resource, counts.clone(), last_call.clone());
        // Each of the three is set here, as the default of the builder is what the environment says.
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(queue)
            .with_max_export_batch_size(batch)
            .with_scheduled_delay(delay)
            .build();
        let processor = BatchSpanProcessor::new(exporter, config);
        Ok(Self(Arc::new(Inner { processor, counts, last_call, sampling, propagates })))
    }

    /// Decides what is traced, on one thread.
    pub fn sampler(&self) -> Sampler {
        Sampler::new(self.0.sampling)
    }

    /// Whether contexts travel in headers.
    pub fn propagates(&self) -> bool {
        self.0.propagates
    }

    /// A span has ended. Never waits: where the queue is full the span is dropped.
    pub fn end(&self, span: Span) {
        if self.0.counts.admit() {
            self.0.processor.on_end(span.0);
        }
    }

    /// Sends what waits, for this long at most, and counts as lost what could not be sent. Blocks.
    pub fn flush(&self, limit: Duration) {
        // A request ends before the process does, and with a reason that is still told.
        self.0.last_call.until(Instant::now() + limit.mul_f64(0.9));
        // What is wrong was told by the exporter, or shows in the counts.
        let _ = self.0.processor.shutdown_with_timeout(limit);
        self.close();
    }

    /// Counts what was not sent as lost, and logs how much that is: nothing more is waited for.
    pub fn close(&self) {
        self.0.counts.close();
    }
}

/// What is said of the process beside what the settings say; these win.
fn resource(attributes: &[(String, String)], version: &'static str) -> Resource {
    let ours = [
        KeyValue::new("telemetry.sdk.name", "opentelemetry"),
        KeyValue::new("telemetry.sdk.language", "rust"),
        KeyValue::new("telemetry.sdk.version", "0.33.1"),
        KeyValue::new("host.name", rustix::system::uname().nodename().to_string_lossy().into_owned()),
        KeyValue::new("service.version", version),
    ];
    let said = attributes.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    // Of two with the same name the later one counts.
    Resource::builder_empty().with_attributes(ours).with_attributes(said).build()
}
