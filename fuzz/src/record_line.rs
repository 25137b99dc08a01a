//! The record line: one valid JSON line of at most 15 KiB, with the same bytes in it unless it says that they were cut.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::stamp::Stamp;
use kafka_consumer::record_log::{
    DEFAULT_MAX_LINE_BYTES, Format, MIN_LINE_BYTES, Options, Record, RecordLog, RecordTimestamp,
};
use serde_json::Value;

type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// Headers at most.
const HEADERS: usize = 4;

/// Bytes of the input, taken from the front.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> i64 {
        i64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// Some bytes, or nothing. Long ones have a length of two bytes.
    fn part(&mut self) -> Option<&'a [u8]> {
        let length = match self.byte() {
            0 => return None,
            short @ 1..=200 => usize::from(short) - 1,
            long => usize::from(long - 200) * 1024 + usize::from(self.byte()),
        };
        let (part, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        Some(part)
    }
}

/// Makes a record of the bytes, and the lines of all formats and some limits.
pub fn check(bytes: &[u8]) {
    let mut input = Input(bytes);
    let chosen = input.byte();
    let timestamp = match chosen % 3 {
        0 => None,
        1 => Some(RecordTimestamp::Create(input.number())),
        _ => Some(RecordTimestamp::LogAppend(input.number())),
    };
    let latency_us = (chosen & 8 != 0).then(|| input.number());
    let key = input.part();
    let count = usize::from(chosen >> 5).min(HEADERS);
    let headers: Vec<Header<'_>> = (0..count).map(|_| (input.part().unwrap_or_default(), input.part())).collect();
    let value = (chosen & 16 != 0).then_some(input.0);
    let record = Record {
        topic: "test",
        partition: i32::from(chosen),
        offset: bytes.len() as i64,
        timestamp,
        key,
        value,
        headers: headers.iter().copied(),
        stamp: headers.iter().find_map(|(_, value)| Stamp::parse((*value)?)),
        latency_us,
        trace_id: None,
    };
    for limit in [DEFAULT_MAX_LINE_BYTES, MIN_LINE_BYTES, usize::MAX] {
        let max_line_bytes = Some(limit).filter(|limit| *limit < usize::MAX);
        let line = line(&Options { max_line_bytes, ..Options::default() }, &record);
        assert!(line.len() <= limit, "{} bytes", line.len());
        let line: Value = serde_json::from_slice(&line).expect("a line is JSON");
        let is_cut = check_line(&line, &record, &headers);
        assert!(!is_cut || limit < usize::MAX, "cut without a limit");
    }
    let human = line(&Options { format: Format::Human, ..Options::default() }, &record);
    assert!(human.len() <= DEFAULT_MAX_LINE_BYTES, "{} bytes", human.len());
    let human = std::str::from_utf8(&human).expect("a line for people is text");
    assert_eq!(human.find(char::is_control), Some(human.len() - 1), "{human:?}");
    let raw = line(&Options { format: Format::Raw, ..Options::default() }, &record);
    assert_eq!(raw.strip_suffix(b"\n"), Some(value.unwrap_or_default()));
}

/// One line, which ends once; raw ones are what they are.
fn line<'a, H>(options: &Options, record: &Record<'a, H>) -> Vec<u8>
where
    H: Iterator<Item = Header<'a>> + Clone,
{
    let mut out = Vec::new();
    RecordLog::new(options.clone()).line(1_795_432_527_123_456, record, &mut out);
    if options.format != Format::Raw {
        assert_eq!(out.iter().position(|byte| *byte == b'\n'), Some(out.len() - 1), "one line");
    }
    out
}

/// Holds the line against the record; whether something of it was cut.
fn check_line<H>(line: &Value, record: &Record<'_, H>, headers: &[Header<'_>]) -> bool {
    let cut = |flag: &str| line.get(flag).is_some();
    assert_eq!(line["key_size"].as_u64(), record.key.map(|key| key.len() as u64));
    assert_eq!(line["value_size"].as_u64(), record.value.map(|value| value.len() as u64));
    same(&line["key"], line.get("key_encoding").is_some(), cut("key_truncated"), record.key);

    let document = record.value.and_then(|value| serde_json::from_slice::<Value>(value).ok());
    let document = document.filter(|document| document.is_object() || document.is_array());
    match (line["value_encoding"].as_str(), document) {
        (Some("json"), document) => assert_eq!(Some(&line["value"]), document.as_ref()),
        (Some("text"), Some(_)) => assert!(cut("value_truncated"), "a document is embedded"),
        (encoding, _) => same(&line["value"], encoding == Some("base64"), cut("value_truncated"), record.value),
    }

    let shown = line["headers"].as_array().expect("headers are an array");
    for (shown, (name, value)) in shown.iter().zip(headers) {
        assert_eq!(shown[0], *String::from_utf8_lossy(name));
        same(&shown[1], shown.get(2).is_some_and(|encoding| encoding == "base64"), false, *value);
    }
    assert_eq!(shown.len() < headers.len(), cut("headers_truncated"));
    ["key_truncated", "value_truncated", "headers_truncated"].into_iter().any(cut)
}

/// What a line says of some bytes: all of them, or the start of them when `cut`.
fn same(shown: &Value, base64: bool, cut: bool, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else {
        assert_eq!((shown, cut), (&Value::Null, false));
        return;
    };
    assert_eq!(base64, std::str::from_utf8(bytes).is_err());
    let text = shown.as_str().expect("bytes are shown as text");
    let shown = if base64 { STANDARD.decode(text).expect("base64") } else { text.as_bytes().to_vec() };
    assert!(bytes.starts_with(&shown), "other bytes");
    assert_eq!(cut, shown.len() < bytes.len(), "cut and not said, or said and not cut");
}
