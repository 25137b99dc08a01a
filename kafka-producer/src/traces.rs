//! The traces of a run: which message is traced is decided before it is sent, and its span is made when it comes back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use common::telemetry::traceparent::{BYTES, TRACEPARENT, TRACESTATE, Traceparent};
use common::telemetry::{Kind, Place, Sampler, Shape, Tracer};

use crate::config::Config;
use crate::source::Message;

/// Marks what travels with a message as a place in [`Open`]; times in microseconds never get there.
const TRACED: usize = 1 << (usize::BITS - 1);

/// Decides for each message. Used by the sending thread alone.
pub struct Traces {
    sampler: Sampler,
    /// Whether a context in the input counts.
    reads: bool,
    /// Whether the context goes into a header.
    writes: bool,
    /// Those in flight.
    pub open: Arc<Open>,
}

/// What a message is sent with.
pub struct Traced {
    /// The context, for its header.
    pub header: Option<[u8; BYTES]>,
    /// What travels with it to its report.
    pub opaque: usize,
}

/// Messages in flight that are traced. A lock for each of them, twice; none for any other message.
pub struct Open {
    tracer: Tracer,
    shape: Shape,
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    sent: Vec<Option<Sent>>,
    free: Vec<usize>,
}

/// A message that was sent.
pub struct Sent {
    place: Place,
    tracestate: String,
    tombstone: bool,
    began: SystemTime,
    /// As [`Traces::begin`] was given it.
    pub sent_us: usize,
}

impl Traces {
    /// The traces of a run.
    pub fn new(tracer: Tracer, config: &Config) -> Self {
        let client_id = config.properties.get("client.id").unwrap_or_default();
        let shape = Shape::new("send", "send", Kind::Producer, &config.topic).with("messaging.client.id", client_id);
        Self {
            sampler: tracer.sampler(),
            reads: tracer.propagates(),
            writes: tracer.propagates() && config.stamp.is_some(),
            open: Arc::new(Open { tracer, shape, places: Mutex::default() }),
        }
    }

    /// Decides about the next message, which is handed over now; `sent_us` is what would travel with it.
    pub fn begin(&mut self, message: &Message, sent_us: usize) -> Traced {
        let parent = if self.reads { header(message, TRACEPARENT).and_then(Traceparent::parse) } else { None };
        let place = self.sampler.send(parent);
        let header = self.writes.then(|| place.context.write());
        let opaque = if place.context.sampled { self.open.insert(place, message, sent_us) } else { sent_us };
        Traced { header, opaque }
    }
}

/// The last value of a header, as readers take it.
fn header<'a>(message: &'a Message, name: &str) -> Option<&'a [u8]> {
    message.headers().filter(|(key, _)| *key == name).last().and_then(|(_, value)| value)
}

impl Open {
    fn insert(&self, place: Place, message: &Message, sent_us: usize) -> usize {
        let tracestate = header(message, TRACESTATE).and_then(|value| std::str::from_utf8(value).ok());
        let tracestate = tracestate.filter(|_| place.parent.is_some()).unwrap_or_default().to_owned();
        let sent = Sent { place, tracestate, tombstone: message.value().is_none(), began: SystemTime::now(), sent_us };
        let mut places = self.places();
        let at = match places.free.pop() {
            Some(at) => {
                places.sent[at] = Some(sent);
                at
            }
            None => {
                places.sent.push(Some(sent));
                places.sent.len() - 1
            }
        };
        at | TRACED
    }

    /// The message behind what travelled with it, once; `None` for one that is not traced.
    pub fn take(&self, opaque: usize) -> Option<Sent> {
        if opaque & TRACED == 0 {
            return None;
        }
        let at = opaque & !TRACED;
        let mut places = self.places();
        let sent = places.sent.get_mut(at).and_then(Option::take)?;
        places.free.push(at);
        Some(sent)
    }

    /// The message was acknowledged.
    pub fn delivered(&self, sent: &Sent, partition: i32, offset: i64) {
        let span = self.shape.span(&sent.place, &sent.tracestate, sent.began, SystemTime::now());
        self.tracer.end(span.of_record(partition, offset, sent.tombstone));
    }

    /// The message was given up, because of this error.
    pub fn failed(&self, sent: &Sent, partition: i32, error: String) {
        let span = self.shape.span(&sent.place, &sent.tracestate, sent.began, SystemTime::now());
        self.tracer.end(span.of_record(partition, -1, sent.tombstone).failed(error));
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sent {
    /// The trace of the message, which is recorded.
    pub fn trace_id(&self) -> [u8; 16] {
        self.place.context.trace_id
    }
}
