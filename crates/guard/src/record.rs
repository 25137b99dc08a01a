//! A record becomes a line: the consumer's hot function.

use std::hint::black_box;

use common::stamp::Stamp;
use jiff::Timestamp;
use kafka_consumer::record_log::{Options, Record, RecordLog, RecordTimestamp};
use serde::Serialize;

const NOW_US: i64 = 1_795_432_527_123_456;
const VALUE: &[u8] =
    b"P01kX7teaihA8i4zoXJXh2gswFB-9wMWiJTqe9f_dqE4iCn5JETh6fa2CWQoovo-Gsrvj_a0Cj97DhmDA-9n9zZEXNzVFZKfp-eU";
const RUN_ID: &str = "07d91714-01e6-4dd5-9718-d5abe35f4ab6";
const SEQUENCE: u64 = 1_234_567;
const STAMP: Stamp<'_> =
    Stamp { run_id: RUN_ID, seq: SEQUENCE, sent_us: NOW_US - 3400, attempt: 0x0bad_cafe, checksum: 0x9d6f_2c11 };
const HEADERS: [(&str, &str); 1] =
    [("stamp", "1;07d91714-01e6-4dd5-9718-d5abe35f4ab6;1234567;1795432527120056;0badcafe;9d6f2c11")];

/// The same line from a struct.
#[derive(Serialize)]
struct Line<'a> {
    v: u8,
    timestamp: String,
    level: &'a str,
    event: &'a str,
    topic: &'a str,
    partition: i32,
    offset: i64,
    record_timestamp: String,
    timestamp_type: &'a str,
    key: &'a str,
    value: &'a str,
    value_encoding: &'a str,
    headers: &'a [(&'a str, &'a str)],
    run_id: &'a str,
    seq: u64,
    key_size: usize,
    value_size: usize,
    latency_ms: f64,
}

/// By the consumer's own formatter.
pub fn ours(count: u64) {
    let mut log = RecordLog::new(Options::default());
    let mut out = Vec::with_capacity(64 * 1024);
    for nth in 0..count {
        out.clear();
        one(&mut log, nth, &mut out);
        black_box(&out);
    }
}

fn one(log: &mut RecordLog, nth: u64, out: &mut Vec<u8>) {
    let headers = HEADERS.iter().map(|(name, value)| (name.as_bytes(), Some(value.as_bytes())));
    let record = Record {
        topic: "test",
        partition: 3,
        offset: nth as i64,
        timestamp: Some(RecordTimestamp::Create(NOW_US / 1000)),
        key: Some(b"1234567"),
        value: Some(VALUE),
        headers,
        stamp: Some(STAMP),
        latency_us: Some(3400),
        trace_id: None,
    };
    log.line(NOW_US + nth as i64, black_box(&record), out);
}

/// By serde_json.
pub fn reference(count: u64) {
    let mut out = Vec::with_capacity(64 * 1024);
    for nth in 0..count {
        out.clear();
        same_by_serde(nth, &mut out);
        black_box(&out);
    }
}

fn same_by_serde(nth: u64, out: &mut Vec<u8>) {
    let time = |us: i64| Timestamp::from_microsecond(us).map(|time| time.to_string()).unwrap_or_default();
    let (key, value) = (std::str::from_utf8(b"1234567"), std::str::from_utf8(black_box(VALUE)));
    let line = Line {
        v: 1,
        timestamp: time(NOW_US + nth as i64),
        level: "INFO",
        event: "record",
        topic: "test",
        partition: 3,
        offset: nth as i64,
        record_timestamp: time(NOW_US / 1000 * 1000),
        timestamp_type: "create",
        key: key.unwrap_or_default(),
        value: value.unwrap_or_default(),
        value_encoding: "text",
        headers: &HEADERS,
        run_id: RUN_ID,
        seq: SEQUENCE,
        key_size: 7,
        value_size: VALUE.len(),
        latency_ms: 3.4,
    };
    // Writing to memory does not fail.
    let _ = serde_json::to_writer(&mut *out, black_box(&line));
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_write_the_same() {
        let (mut ours, mut reference) = (Vec::new(), Vec::new());
        one(&mut RecordLog::new(Options::default()), 1, &mut ours);
        same_by_serde(1, &mut reference);
        assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&reference));
        assert_eq!(Stamp::parse(HEADERS[0].1.as_bytes()), Some(STAMP));
    }
}
