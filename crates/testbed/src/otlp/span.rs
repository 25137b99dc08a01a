//! A span in the form that tests compare.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span as Received;
pub use opentelemetry_proto::tonic::trace::v1::span::SpanKind as Kind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::Value;

/// Text, numbers and booleans by name.
pub type Attributes = BTreeMap<String, Value>;

/// A span as it arrived. Ids are in lower-case hex, as in `traceparent`; a root's parent is empty.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its name, as `send orders`.
    pub name: String,
    /// What it stands for, as a producer's work on a message.
    pub kind: Kind,
    /// The trace it belongs to.
    pub trace_id: String,
    /// Its own id.
    pub span_id: String,
    /// The span it is a child of.
    pub parent_id: String,
    /// Its `tracestate`; empty without one.
    pub trace_state: String,
    /// Trace and span ids of its links.
    pub links: Vec<(String, String)>,
    /// When it began and ended, in nanoseconds since 1970.
    pub times: (u64, u64),
    /// What it says about itself.
    pub attributes: Attributes,
    /// What the process that made it says about itself.
    pub resource: Attributes,
    /// Whether its status is "error".
    pub is_error: bool,
}

impl Span {
    /// An attribute; null when it has none of this name.
    pub fn attribute(&self, name: &str) -> &Value {
        self.attributes.get(name).unwrap_or(&Value::Null)
    }
}

/// The spans of a request.
pub(super) fn of_request(message: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for group in message.resource_spans {
        let resource = attributes(group.resource.map(|resource| resource.attributes).unwrap_or_default());
        let received = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.extend(received.map(|span| decoded(span, resource.clone())));
    }
    spans
}

fn decoded(span: Received, resource: Attributes) -> Span {
    Span {
        kind: span.kind(),
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_id: hex(&span.parent_span_id),
        links: span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
        times: (span.start_time_unix_nano, span.end_time_unix_nano),
        is_error: span.status.is_some_and(|status| status.code() == StatusCode::Error),
        name: span.name,
        trace_state: span.trace_state,
        attributes: attributes(span.attributes),
        resource,
    }
}

fn attributes(pairs: Vec<KeyValue>) -> Attributes {
    let value = |value| match value {
        any_value::Value::StringValue(text) => text.into(),
        any_value::Value::BoolValue(is) => is.into(),
        any_value::Value::IntValue(number) => number.into(),
        any_value::Value::DoubleValue(number) => number.into(),
        other => format!("{other:?}").into(),
    };
    pairs.into_iter().filter_map(|pair| Some((pair.key, value(pair.value?.value?)))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
