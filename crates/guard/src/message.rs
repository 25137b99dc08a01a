//! A message is made and put into its envelope: the producer's hot function.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::stamp;
use jiff::Timestamp;
use kafka_producer::publish::envelope::Envelope;
use kafka_producer::source::{Clock, Filled, Message, Source, Spec};
use serde::Serialize;

const RUN_ID: &str = "07d91714-01e6-4dd5-9718-d5abe35f4ab6";
const SENT_US: i64 = 1_795_432_527_123_456;
const ATTEMPT: u32 = 0x0bad_cafe;

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
    let mut envelope = Envelope::new(Some(stamp::Writer::new(RUN_ID, ATTEMPT)));
    for nth in 0..count {
        clock.set(start + Duration::from_micros(nth));
        let Ok(Filled::Message) = source.fill(nth, &mut clock, &mut message) else { return };
        black_box(envelope.wrap(nth, clock.us(), &message, None));
        black_box(&message);
    }
}

/// By serde_json, with the header in vectors of its own.
pub fn reference(count: u64) {
    for nth in 0..count {
        black_box(same_by_serde(nth, SENT_US + nth as i64));
    }
}

type Made = (String, Vec<u8>, Vec<(String, Vec<u8>)>);

fn same_by_serde(nth: u64, sent_us: i64) -> Made {
    let time = Timestamp::from_microsecond(sent_us).map(|time| time.to_string()).unwrap_or_default();
    let value = serde_json::to_vec(black_box(&Demo { dev: true, run_id: RUN_ID, seq: nth, time })).unwrap_or_default();
    let key = nth.to_string();
    let checksum = stamp::checksum(Some(key.as_bytes()), Some(&value));
    let stamp = format!("1;{RUN_ID};{nth};{sent_us};{ATTEMPT:08x};{checksum:08x}");
    (key, value, vec![(stamp::HEADER.to_owned(), stamp.into_bytes())])
}

#[cfg(test)]
mod tests {
    use rdkafka::message::Headers;

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
        let (key, value, headers) = same_by_serde(17, SENT_US);
        let list = Envelope::new(Some(stamp::Writer::new(RUN_ID, ATTEMPT))).wrap(17, SENT_US, &message, None).unwrap();
        let list: Vec<_> =
            list.iter().map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect();
        assert_eq!(list, headers);
        assert_eq!(message.key(), Some(key.as_bytes()));
        assert_eq!(message.value(), Some(value.as_slice()));
    }
}
