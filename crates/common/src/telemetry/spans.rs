//! Spans, made when they end: what all of a kind have in common is prepared once.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::sampler::Place;
use super::traceparent::Traceparent;

/// Links of one span, as OpenTelemetry's SDKs have it.
pub const MOST_LINKS: usize = 128;
/// What a span is called where no code says why it failed.
pub const OTHER_ERROR: &str = "_OTHER";

/// What a step does for the one who waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A message is handed over to a broker.
    Producer,
    /// A message is worked on.
    Consumer,
    /// A broker is asked.
    Client,
}

/// What all spans of one kind and topic have in common.
#[derive(Clone, Debug)]
pub struct Shape {
    name: Arc<str>,
    kind: SpanKind,
    attributes: Vec<KeyValue>,
}

impl Shape {
    /// An operation on a topic: its name (`send`) and its type by the conventions (`settle`).
    pub fn new(operation: &'static str, operation_type: &'static str, kind: Kind, topic: &str) -> Self {
        let kind = match kind {
            Kind::Producer => SpanKind::Producer,
            Kind::Consumer => SpanKind::Consumer,
            Kind::Client => SpanKind::Client,
        };
        let mut shape = Self { name: format!("{operation} {topic}").trim_end().into(), kind, attributes: Vec::new() };
        shape.attributes.push(KeyValue::new("messaging.system", "kafka"));
        shape.attributes.push(KeyValue::new("messaging.operation.name", operation));
        shape.attributes.push(KeyValue::new("messaging.operation.type", operation_type));
        shape.with("messaging.destination.name", topic)
    }

    /// With an attribute more. An empty value is none.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: &str) -> Self {
        if !value.is_empty() {
            self.attributes.push(KeyValue::new(key, Arc::<str>::from(value)));
        }
        self
    }

    /// A span of this kind.
    pub fn span(&self, place: &Place, tracestate: &str, began: SystemTime, ended: SystemTime) -> Span {
        let Place { context, parent } = place;
        let mut attributes = Vec::with_capacity(self.attributes.len() + 4);
        attributes.extend_from_slice(&self.attributes);
        Span(SpanData {
            span_context: of(context, tracestate, false),
            parent_span_id: parent.map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.span_id)),
            parent_span_is_remote: parent.is_some(),
            span_kind: self.kind.clone(),
            name: Cow::Owned(self.name.to_string()),
            start_time: began.min(ended),
            end_time: ended,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        })
    }
}

/// A span that has ended.
#[derive(Debug)]
pub struct Span(pub(super) SpanData);

impl Span {
    /// With an attribute.
    #[must_use]
    pub fn text(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.attributes.push(KeyValue::new(key, value.into()));
        self
    }

    /// With an attribute that is a number.
    #[must_use]
    pub fn number(mut self, key: &'static str, value: i64) -> Self {
        self.0.attributes.push(KeyValue::new(key, value));
        self
    }

    /// With the partition and the offset of a record; what is negative is not known and left out.
    #[must_use]
    pub fn of_record(mut self, partition: i32, offset: i64, tombstone: bool) -> Self {
        if partition >= 0 {
            self = self.text("messaging.destination.partition.id", partition.to_string());
        }
        if offset >= 0 {
            self = self.number("messaging.kafka.offset", offset);
        }
        if tombstone {
            self.0.attributes.push(KeyValue::new("messaging.kafka.message.tombstone", true));
        }
        self
    }

    /// As one that failed: by which error.
    #[must_use]
    pub fn failed(mut self, error: String) -> Self {
        self.0.status = Status::Error { description: Cow::Borrowed("") };
        self.text("error.type", error)
    }

    /// With links to other spans, as many as fit.
    #[must_use]
    pub fn linked(mut self, others: impl IntoIterator<Item = Traceparent>) -> Self {
        for other in others {
            if self.0.links.links.len() < MOST_LINKS {
                self.0.links.links.push(Link::with_context(of(&other, "", true)));
            } else {
                self.0.links.dropped_count += 1;
            }
        }
        self
    }
}

fn of(context: &Traceparent, tracestate: &str, is_remote: bool) -> SpanContext {
    let flags = if context.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    // What is malformed is left out, as the standard has it.
    let state = if tracestate.is_empty() { TraceState::NONE } else { tracestate.parse().unwrap_or(TraceState::NONE) };
    let (trace_id, span_id) = (TraceId::from_bytes(context.trace_id), SpanId::from_bytes(context.span_id));
    SpanContext::new(trace_id, span_id, flags, is_remote, state)
}
