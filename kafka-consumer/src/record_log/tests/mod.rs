//! `contract`: the fields of a JSON line. `cutting`: long records. `redaction`: hidden fields. `terminal`: the human
//! and the raw form. `random`: any record at any limit.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod contract;
mod cutting;
mod random;
mod redaction;
mod terminal;

use common::stamp::Stamp;
use serde_json::Value;

use super::{Format, Options, Record, RecordLog, RecordTimestamp};

type Header<'a> = (&'a [u8], Option<&'a [u8]>);
type Headers<'a> = std::iter::Copied<std::slice::Iter<'a, Header<'a>>>;

/// 2026-11-23T11:15:27.123456Z
const NOW_US: i64 = 1_795_432_527_123_456;

fn record<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>, headers: &'a [Header<'a>]) -> Record<'a, Headers<'a>> {
    Record {
        topic: "test",
        partition: 0,
        offset: 42,
        timestamp: Some(RecordTimestamp::Create(NOW_US / 1000 - 3)),
        key,
        value,
        headers: headers.iter().copied(),
        stamp: None,
        latency_us: None,
        trace_id: None,
    }
}

const STAMP: &[u8] = b"1;a;17;1795432527120056;0badcafe;9d6f2c11";

/// A record of a run.
fn stamped<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>, headers: &'a [Header<'a>]) -> Record<'a, Headers<'a>> {
    let mut record = record(key, value, headers);
    record.stamp = Stamp::parse(STAMP);
    assert!(record.stamp.is_some());
    record
}

/// A record that has nothing but a value.
fn of_value(value: &[u8]) -> Record<'_, Headers<'_>> {
    record(None, Some(value), &[])
}

fn bytes(options: &Options, record: &Record<'_, Headers<'_>>) -> Vec<u8> {
    let mut out = b"before\n".to_vec();
    RecordLog::new(options.clone()).line(NOW_US, record, &mut out);
    out.split_off("before\n".len())
}

fn text(options: &Options, record: &Record<'_, Headers<'_>>) -> String {
    String::from_utf8(bytes(options, record)).unwrap()
}

/// The parsed JSON line, checked to be one line within the limit.
fn json(options: &Options, record: &Record<'_, Headers<'_>>) -> Value {
    let line = text(options, record);
    assert_eq!(line.find('\n'), Some(line.len() - 1), "{line}");
    assert!(line.len() <= options.max_line_bytes.unwrap_or(usize::MAX), "{} bytes", line.len());
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn human(color: bool) -> Options {
    Options { format: Format::Human, color, ..Options::default() }
}

fn hiding(paths: &[&str]) -> Options {
    Options { redact: paths.iter().map(|path| path.parse().unwrap()).collect(), ..Options::default() }
}
