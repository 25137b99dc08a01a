//! A message is made and put into its envelope: the producer's hot function.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kafka_producer::publish::envelope::Envelope;
use kafka_producer::source::{Clock, Filled, Message, Source, Spec};
use serde::Serialize;

const RUN_ID: &str = "07d91714-01e6-4dd5-9718-d5abe35f4ab6";
const SENT_US: i64 = 1_795_432_527_123_456;

/// The same value from a struct.
#[derive(Serialize)]
struct Demo<'a> {
    dev: bool,
    run_id: &'a str,
    seq: u64,
    time: String,
}

/// By the producer's own source and envelope; librdkafka's header list is part of it.
pub fn ours(count: u64) {
    let spec = Spec { run_id: RUN_ID.to_owned(), ..Spec::default() };
    let Ok(mut source) = Source::open(&spec, Arc::new(|| true)) else { return };
    let start = Instant::now();
    let mut clock = Clock::at(start, SENT_US);
    let mut message = Message::default();
    let mut envelope = Envelope::new(Some(RUN_ID));
    for nth in 0..count {
        clock.set(start + Duration::from_micros(nth));
        let Ok(Filled::Message) = source.fill(nth, &mut clock, &mut message) else { return };
        black_box(envelope.wrap(nth, clock.us(), &message));
        black_box(&message);
    }
}

/// By serde_json, with the headers in vectors of their own.
pub fn reference(count: u64) {
    for nth in 0..count {
        black_box(same_by_serde(nth, SENT_US + nth as i64));
    }
}

type Made = (String, Vec<u8>, Vec<(String, Vec<u8>)>);

fn same_by_serde(nth: u64, sent_us: i64) -> Made {
    let time = Timestamp::from_microsecond(sent_us).map(|time| time.to_string()).unwrap_or_default();
    let value = serde_json::to_vec(black_box(&Demo { dev: true, run_id: RUN_ID, seq: nth, time })).unwrap_or_default();
    let headers = [("run-id", RUN_ID.to_owned()), ("seq", nth.to_string()), ("sent-us", sent_us.to_string())];
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect();
    (nth.to_string(), value, headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_make_the_same() {
        let spec = Spec { run_id: RUN_ID.to_owned(), ..Spec::default() };
        let mut message = Message::default();
        let filled = Source::open(&spec, Arc::new(|| true))
            .unwrap()
            .fill(17, &mut Clock::at(Instant::now(), SENT_US), &mut message)
            .unwrap();
        assert_eq!(filled, Filled::Message);
        let (key, value, _) = same_by_serde(17, SENT_US);
        assert_eq!(message.key(), Some(key.as_bytes()));
        assert_eq!(message.value(), Some(value.as_slice()));
    }
}
