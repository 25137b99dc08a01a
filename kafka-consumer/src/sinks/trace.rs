//! Traces of records, around another sink. A record that is not traced costs a decision: nothing is allocated, locked or timed.

use std::collections::{HashMap, VecDeque};
use std::time::{Instant, SystemTime};

use common::kafka::error;
use common::telemetry::spans::{MOST_LINKS, OTHER_ERROR};
use common::telemetry::traceparent::{TRACESTATE, Traceparent, text_of};
use common::telemetry::{Kind, Place, Sampler, Shape, Tracer};
use consume::{Commit, Fault, Record, Sink, Stop, Subscription};

use crate::config::Config;

/// A sink whose records are traced, if there are traces.
pub struct TraceSink<S> {
    inner: S,
    traces: Option<Traces>,
}

/// The spans of records, batches and commits.
pub struct Traces {
    tracer: Tracer,
    sampler: Sampler,
    /// Whether contexts in headers count.
    reads: bool,
    group: String,
    client_id: String,
    /// By topic.
    shapes: HashMap<String, Shapes>,
    /// Records of the batch that are traced.
    batch: Vec<Taken>,
    /// Records of the batch in all.
    records: u64,
    /// Since when the loop has asked for the batch.
    polls: Instant,
    /// Spans of records that were written and not committed yet, with the time of writing; the last [`MOST_LINKS`].
    uncommitted: VecDeque<(Instant, String, Traceparent)>,
}

struct Shapes {
    poll: Shape,
    process: Shape,
    commit: Shape,
}

/// A record that is traced, until it is written.
struct Taken {
    place: Place,
    topic: String,
    tracestate: String,
    partition: i32,
    offset: i64,
    tombstone: bool,
    began: SystemTime,
}

impl<S> TraceSink<S> {
    /// Around another sink.
    pub fn new(inner: S, traces: Option<Traces>) -> Self {
        Self { inner, traces }
    }
}

impl<S: Sink> Sink for TraceSink<S> {
    fn polls(&mut self, since: Instant) {
        if let Some(traces) = self.traces.as_mut().filter(|traces| traces.records == 0) {
            traces.polls = since;
        }
        self.inner.polls(since);
    }

    fn record(&mut self, record: &Record<'_>) -> Result<(), Fault> {
        let Some(traces) = &mut self.traces else { return self.inner.record(record) };
        let traceparent = if traces.reads { record.traceparent } else { None };
        let Some(place) = traces.sampler.process(traceparent) else {
            self.inner.record(record)?;
            traces.records += 1;
            return Ok(());
        };
        let began = SystemTime::now();
        let trace_id = text_of(&place.context.trace_id);
        // The line names the trace of the span, and what observes a latency the trace it belongs to.
        let sampled = Some(place.context.trace_id);
        let traced = Record { trace_id: std::str::from_utf8(&trace_id).ok(), sampled, ..record.clone() };
        self.inner.record(&traced)?;
        traces.records += 1;
        traces.take(record, place, began);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        let Some(traces) = self.traces.as_mut().filter(|traces| traces.records > 0) else { return self.inner.flush() };
        let (polled, written) = (SystemTime::now(), self.inner.flush());
        match &written {
            Ok(()) => traces.written(polled, None),
            Err(Fault::Retry(..)) => {}
            // The reader has seen enough: nothing failed.
            Err(Fault::Stop(Stop::Closed)) => traces.forget(),
            Err(Fault::Skip(_) | Fault::Stop(Stop::Failed(_))) => traces.written(polled, Some(OTHER_ERROR)),
        }
        written
    }

    fn discard(&mut self) {
        if let Some(traces) = &mut self.traces {
            traces.forget();
        }
        self.inner.discard();
    }

    fn committed(&mut self, commit: &Commit) {
        if let Some(traces) = &mut self.traces {
            traces.committed(commit);
        }
        self.inner.committed(commit);
    }

    fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    fn is_full(&self) -> bool {
        self.inner.is_full()
    }

    fn is_closed(&mut self) -> bool {
        self.inner.is_closed()
    }
}

impl Traces {
    /// No spans yet.
    pub fn new(tracer: Tracer, config: &Config) -> Self {
        let group = match &config.run.subscription {
            Subscription::Group { group, .. } => group.clone(),
            Subscription::Partitions { .. } => String::new(),
        };
        Self {
            sampler: tracer.sampler(),
            reads: tracer.propagates(),
            tracer,
            group,
            client_id: config.run.properties.get("client.id").unwrap_or_default().to_owned(),
            shapes: HashMap::new(),
            batch: Vec::new(),
            records: 0,
            polls: Instant::now(),
            uncommitted: VecDeque::new(),
        }
    }

    fn take(&mut self, record: &Record<'_>, place: Place, began: SystemTime) {
        let tracestate = match place.parent {
            Some(_) => record.headers.clone().filter(|(name, _)| *name == TRACESTATE.as_bytes()).last(),
            None => None,
        };
        let tracestate = tracestate.and_then(|(_, value)| std::str::from_utf8(value?).ok());
        self.batch.push(Taken {
            place,
            topic: record.topic.to_owned(),
            tracestate: tracestate.unwrap_or_default().to_owned(),
            partition: record.partition,
            offset: record.offset,
            tombstone: record.value.is_none(),
            began,
        });
    }

    fn forget(&mut self) {
        self.batch.clear();
        self.records = 0;
    }

    /// What common parts the spans of a topic have.
    fn shapes(&mut self, topic: &str) -> &Shapes {
        if !self.shapes.contains_key(topic) {
            let of = |operation, operation_type, kind| {
                let shape = Shape::new(operation, operation_type, kind, topic);
                shape.with("messaging.consumer.group.name", &self.group).with("messaging.client.id", &self.client_id)
            };
            let shapes = Shapes {
                poll: of("poll", "receive", Kind::Client),
                process: of("process", "process", Kind::Consumer),
                commit: of("commit", "settle", Kind::Client),
            };
            self.shapes.insert(topic.to_owned(), shapes);
        }
        &self.shapes[topic]
    }

    /// The batch is where it was to go, or failed to go there. `polled` is when its last record had come.
    fn written(&mut self, polled: SystemTime, error: Option<&str>) {
        let (batch, records) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.records));
        let (now, ended) = (Instant::now(), SystemTime::now());
        if let Some(topic) = common_topic(batch.iter().map(|taken| taken.topic.as_str())) {
            let began = ended.checked_sub(now.saturating_duration_since(self.polls)).unwrap_or(ended);
            let place = self.sampler.root();
            let sent = batch.iter().map(|taken| taken.place.parent.unwrap_or(taken.place.context));
            let span = self.shapes(topic).poll.span(&place, "", began, polled).linked(sent);
            let count = i64::try_from(records).unwrap_or(i64::MAX);
            self.tracer.end(span.number("messaging.batch.message_count", count));
        }
        for Taken { place, topic, tracestate, partition, offset, tombstone, began } in batch {
            let span = self.shapes(&topic).process.span(&place, &tracestate, began, ended).linked(place.parent);
            let span = span.of_record(partition, offset, tombstone);
            match error {
                Some(error) => self.tracer.end(span.failed(error.to_owned())),
                None => {
                    self.tracer.end(span);
                    if self.uncommitted.len() == MOST_LINKS {
                        self.uncommitted.pop_front();
                    }
                    self.uncommitted.push_back((now, topic, place.context));
                }
            }
        }
    }

    /// A commit was answered: its span links to those of the records that it covers.
    fn committed(&mut self, commit: &Commit) {
        let covered = self.uncommitted.iter().take_while(|(written, ..)| *written <= commit.sent).count();
        let records: Vec<_> = match commit.result {
            Ok(()) => self.uncommitted.drain(..covered).collect(),
            // The next commit includes them.
            Err(_) => self.uncommitted.iter().take(covered).cloned().collect(),
        };
        let Some(topic) = common_topic(records.iter().map(|(_, topic, _)| topic.as_str())) else { return };
        let age = |instant: Instant| SystemTime::now().checked_sub(instant.elapsed()).unwrap_or(SystemTime::UNIX_EPOCH);
        let place = self.sampler.root();
        let span = self.shapes(topic).commit.span(&place, "", age(commit.sent), age(commit.answered));
        let span = span.linked(records.iter().map(|(.., context)| *context));
        self.tracer.end(match commit.result {
            Ok(()) => span,
            Err(code) => span.failed(error::name(code)),
        });
    }
}

/// The one topic of all, or an empty name for several; `None` without any.
fn common_topic<'a>(mut topics: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let first = topics.next()?;
    Some(if topics.all(|topic| topic == first) { first } else { "" })
}
