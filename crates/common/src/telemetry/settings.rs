//! From OpenTelemetry's variables to settings that are checked: whether there are traces, where they go and which they are.

use std::path::PathBuf;
use std::time::Duration;

use super::pairs;
use super::sampler::Sampling;
use crate::args::traces::{TRACE_SECRETS, TRACES};
use crate::config::{Layers, Problems, Secret, address};

/// The path behind an endpoint of all signals.
const PATH: &str = "/v1/traces";
/// OTLP over gRPC, by custom.
const GRPC_PORT: u16 = 4317;
/// More spans in the queue are a slip of the finger: each takes about a kilobyte.
const LARGEST_QUEUE: usize = 1_000_000;
/// Propagators that others know. Only `tracecontext` does something here.
const PROPAGATORS: [&str; 8] = ["tracecontext", "baggage", "b3", "b3multi", "jaeger", "xray", "ottrace", "none"];

/// Traces that are on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// URL of the receiver, with its path.
    pub endpoint: String,
    /// The variable that says so.
    pub endpoint_from: &'static str,
    /// Headers for the receiver: names and values.
    pub headers: Vec<(String, Secret)>,
    /// For one batch, retries included.
    pub timeout: Duration,
    /// Whether batches are compressed.
    pub gzip: bool,
    /// PEM file of certificate authorities to trust, if not the system's.
    pub ca: Option<PathBuf>,
    /// PEM files of the client's certificate and of its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// What is said of the process: names and values, `service.name` among them.
    pub resource: Vec<(String, String)>,
    /// What is traced.
    pub sampling: Sampling,
    /// Whether contexts travel in headers.
    pub propagates: bool,
    /// The longest wait before spans are sent.
    pub delay: Duration,
    /// Spans that may wait.
    pub queue: usize,
    /// Spans in one request.
    pub batch: usize,
}

impl Settings {
    /// Checks all variables of traces. `None` when there are to be none; then nothing but what says so is looked at.
    pub fn new(program: &str, layers: &Layers, problems: &mut Problems) -> Option<Self> {
        let mut read = Read { layers, problems };
        let (endpoint_from, endpoint) =
            read.of_signal("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")?;
        if read.is_off() {
            return None;
        }
        let endpoint = read.endpoint(endpoint_from, endpoint);
        read.protocol();
        let timeout = read.millis("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT");
        let longest = read.millis("OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_EXPORT_TIMEOUT");
        let gzip =
            read.one_of("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION", &["none", "gzip"]);
        let ca = read.file("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE");
        let client = read.client();
        let queue = read.count("OTEL_BSP_MAX_QUEUE_SIZE");
        let batch = read.count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE");
        if let (Some(batch), Some(queue)) = (batch, queue)
            && batch > queue
        {
            read.problems.add(format!(
                "OTEL_BSP_MAX_EXPORT_BATCH_SIZE is {batch}, but OTEL_BSP_MAX_QUEUE_SIZE is {queue}: a batch must fit into the queue"
            ));
        }
        Some(Self {
            endpoint: endpoint.unwrap_or_default(),
            endpoint_from,
            headers: read.headers(),
            timeout: timeout.min(longest),
            gzip: gzip == 1,
            ca,
            client,
            resource: read.resource(program),
            sampling: read.sampling(),
            propagates: read.propagates(),
            delay: read.millis("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_SCHEDULE_DELAY"),
            // None were found wanting, and then the settings are not used.
            queue: queue.unwrap_or(1),
            batch: batch.unwrap_or(1),
        })
    }

    /// Says what is probably not meant.
    pub fn warn(&self) {
        let authority = self.endpoint.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        if authority.rsplit(':').next().and_then(|port| port.parse().ok()) == Some(GRPC_PORT) {
            tracing::warn!(
                event = "otlp_port",
                "{} names port 4317, where receivers expect gRPC; spans are sent over HTTP, mostly to port 4318",
                self.endpoint_from
            );
        }
    }
}

/// Reads variables, and notes what is wrong with them.
struct Read<'a> {
    layers: &'a Layers,
    problems: &'a mut Problems,
}

impl<'a> Read<'a> {
    /// The strongest value of a variable that is not empty.
    fn get(&mut self, name: &'static str) -> Option<&'a str> {
        let (value, origin) = self.layers.get(name)?;
        if value.trim() != value {
            self.problems.add(format!("{name} ({origin}): begins or ends with white space: take it off"));
        }
        Some(value.trim())
    }

    /// What is said for traces, else for all signals, with the variable that says it.
    fn of_signal(&mut self, traces: &'static str, all: &'static str) -> Option<(&'static str, &'a str)> {
        let of_traces = self.get(traces).map(|value| (traces, value));
        of_traces.or_else(|| self.get(all).map(|value| (all, value)))
    }

    /// As [`Read::of_signal`], with the default.
    fn or_default(&mut self, traces: &'static str, all: &'static str) -> (&'static str, &'a str) {
        let default = TRACES.iter().find(|variable| variable.name == all).map_or("", |variable| variable.default);
        self.of_signal(traces, all).unwrap_or((all, default))
    }

    fn wrong(&mut self, name: &str, expected: &str) {
        self.problems.add(format!("{name}: expected {expected}"));
    }

    /// The place of a value in a list of those there are; the first one when it is none of them.
    fn one_of(&mut self, traces: &'static str, all: &'static str, known: &[&str]) -> usize {
        let (name, value) = self.or_default(traces, all);
        known.iter().position(|known| *known == value).unwrap_or_else(|| {
            self.wrong(name, &known.join(" or "));
            0
        })
    }

    fn is_off(&mut self) -> bool {
        let (name, disabled) = self.or_default("OTEL_SDK_DISABLED", "OTEL_SDK_DISABLED");
        let is_disabled = disabled.eq_ignore_ascii_case("true");
        if !is_disabled && !disabled.eq_ignore_ascii_case("false") {
            self.wrong(name, "true or false");
        }
        let (name, exporter) = self.or_default("OTEL_TRACES_EXPORTER", "OTEL_TRACES_EXPORTER");
        if !["otlp", "none"].contains(&exporter) {
            self.wrong(name, "otlp or none; other exporters are not built in");
        }
        is_disabled || exporter == "none"
    }

    fn endpoint(&mut self, name: &'static str, value: &str) -> Option<String> {
        let is_whole = name == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        let checked = address::otlp_url(value).and_then(|()| match value.contains(['?', '#']) && !is_whole {
            true => Err("the path is appended, so there must be nothing behind the URL's path".to_owned()),
            false => Ok(()),
        });
        if let Err(problem) = checked {
            self.problems.add(format!("{name}: {problem}"));
            return None;
        }
        Some(if is_whole { value.to_owned() } else { format!("{}{PATH}", value.trim_end_matches('/')) })
    }

    fn protocol(&mut self) {
        let (name, protocol) = self.or_default("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL");
        match protocol {
            "http/protobuf" => {}
            "grpc" => self.problems.add(format!(
                "{name} is grpc: OTLP over gRPC is not built in; use http/protobuf and the receiver's HTTP port, mostly 4318"
            )),
            _ => self.wrong(name, "http/protobuf"),
        }
    }

    fn millis(&mut self, traces: &'static str, all: &'static str) -> Duration {
        const LONGEST: u64 = 24 * 3600 * 1000;
        let (name, value) = self.or_default(traces, all);
        let millis = value.parse().ok().filter(|millis| (1..=LONGEST).contains(millis)).unwrap_or_else(|| {
            self.wrong(name, "a whole number of milliseconds, from 1 to a day");
            1
        });
        Duration::from_millis(millis)
    }

    fn count(&mut self, name: &'static str) -> Option<usize> {
        let (_, value) = self.or_default(name, name);
        let count = value.parse().ok().filter(|count| (1..=LARGEST_QUEUE).contains(count));
        if count.is_none() {
            self.wrong(name, &format!("a whole number from 1 to {LARGEST_QUEUE}"));
        }
        count
    }

    fn file(&mut self, traces: &'static str, all: &'static str) -> Option<PathBuf> {
        let (name, path) = self.of_signal(traces, all)?;
        if let Err(error) = std::fs::metadata(path) {
            self.problems.add(format!("{name}={path}: cannot be read: {error}"));
        }
        Some(PathBuf::from(path))
    }

    fn client(&mut self) -> Option<(PathBuf, PathBuf)> {
        let certificate =
            self.file("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE");
        let key = self.file("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY");
        if certificate.is_some() != key.is_some() {
            self.problems
                .add("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY: one needs the other");
        }
        certificate.zip(key)
    }

    fn headers(&mut self) -> Vec<(String, Secret)> {
        let [all, traces] = TRACE_SECRETS;
        let of_traces = self.layers.secret(&traces, self.problems).map(|(secret, _)| (traces.name, secret));
        let found = of_traces.or_else(|| self.layers.secret(&all, self.problems).map(|(secret, _)| (all.name, secret)));
        let Some((name, list)) = found else { return Vec::new() };
        match pairs::headers(list.expose()) {
            Ok(headers) => headers.into_iter().map(|(name, value)| (name, Secret::new(value))).collect(),
            Err(problem) => {
                self.problems.add(format!("{name}: {problem}"));
                Vec::new()
            }
        }
    }

    fn resource(&mut self, program: &str) -> Vec<(String, String)> {
        let mut resource = match self.get("OTEL_RESOURCE_ATTRIBUTES").map(pairs::attributes) {
            None => Vec::new(),
            Some(Ok(attributes)) => attributes,
            Some(Err(problem)) => {
                self.problems.add(format!("OTEL_RESOURCE_ATTRIBUTES: {problem}"));
                Vec::new()
            }
        };
        let is_named = resource.iter().any(|(name, _)| name == "service.name");
        let name = self.get("OTEL_SERVICE_NAME").or((!is_named).then_some(program));
        if let Some(name) = name {
            resource.retain(|(key, _)| key != "service.name");
            resource.push(("service.name".to_owned(), name.to_owned()));
        }
        resource
    }

    fn sampling(&mut self) -> Sampling {
        let (name, sampler) = self.or_default("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER");
        let root = sampler.strip_prefix("parentbased_");
        let ratio = match root.unwrap_or(sampler) {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => {
                let (name, ratio) = self.or_default("OTEL_TRACES_SAMPLER_ARG", "OTEL_TRACES_SAMPLER_ARG");
                ratio.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio)).unwrap_or_else(|| {
                    self.wrong(name, "a number from 0 to 1, such as 0.01 for one in a hundred");
                    0.0
                })
            }
            _ => {
                self.wrong(name, "always_on, always_off or traceidratio, each also with parentbased_ in front");
                0.0
            }
        };
        Sampling { follows_parent: root.is_some(), ratio }
    }

    fn propagates(&mut self) -> bool {
        let (name, list) = self.or_default("OTEL_PROPAGATORS", "OTEL_PROPAGATORS");
        let names: Vec<&str> = list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        if names.iter().any(|name| !PROPAGATORS.contains(name)) {
            self.wrong(name, &format!("a list of {}", PROPAGATORS.join(", ")));
        }
        names.contains(&"tracecontext")
    }
}

#[cfg(test)]
mod tests;
