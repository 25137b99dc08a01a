//! The line for machines: one JSON object a record, never longer than the limit.
//!
//! ```json
//! {"v":1,"timestamp":"2026-11-23T11:15:27.123456Z","level":"INFO","event":"record","topic":"test","partition":0,
//!  "offset":42,"record_timestamp":"2026-11-23T11:15:27.120Z","timestamp_type":"create","key":"17",
//!  "value":{"dev":true,"seq":17},"value_encoding":"json",
//!  "headers":[["stamp","1;a;17;1795432527120056;0badcafe;9d6f2c11"]],"run_id":"a","seq":17,"key_size":2,"value_size":21,
//!  "latency_ms":3.4}
//! ```
//!
//! `v` is the version of this layout, see `docs/compatibility.md`. `run_id` and `seq` are there for a record with a stamp,
//! unless a path hides that header. `value_encoding` is `json`, `text`, `base64`, `withheld`, or null for a tombstone; `key_encoding` and a header's
//! third element are there only for `base64`. A time outside of the years 0 to 9999, such as microseconds set as
//! milliseconds, is null, with the number in `record_timestamp_ms`. What does not fit is cut in the order value,
//! headers, key: `value_truncated`, `headers_truncated` (with `headers_count`, how many there were), `key_truncated`.

use common::stamp;

use super::{
    Record, RecordLog, RecordTimestamp,
    redact::{REDACTED, Redaction, WITHHELD},
    text::{self, Quoted, Room},
    time::{Micros, Millis, Stamp},
    value::Value,
};

/// Bytes of a topic's name, a run's (each byte may need an escape) or a trace's id as a string; they are shorter unless
/// somebody breaks the rules.
const TOPIC: Room = Room { whole: 251, cut: 251 };
const RUN_ID: Room = Room { whole: 2 + 2 * stamp::RUN_ID_BYTES, cut: 2 + 2 * stamp::RUN_ID_BYTES };
const TRACE_ID: Room = Room { whole: 66, cut: 66 };

const KEY: &str = r#","key":,"key_encoding":"base64""#;
const KEY_CUT: &str = r#","key_truncated":true"#;
const VALUE: &str = r#","value":,"value_encoding":"base64""#;
const VALUE_CUT: &str = r#","value_truncated":true"#;
const HEADERS_CUT: &str = r#"],"headers_truncated":true,"headers_count":18446744073709551615"#;

/// The least that comes after the headers' room is given, and after the key's.
const LEAST_VALUE: &str = r#","value":"[withheld]","value_encoding":"withheld","value_truncated":true"#;
const LEAST_HEADERS: &str = r#","headers":[],"headers_truncated":true,"headers_count":18446744073709551615"#;

/// Appends the line.
pub(super) fn line<'a, H>(log: &mut RecordLog, now_us: i64, record: &Record<'a, H>, out: &mut Vec<u8>)
where
    H: Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + Clone,
{
    let end = out.len().saturating_add(log.limit);
    head(&mut log.now, &mut log.recorded, now_us, record, out);
    log.tail.clear();
    tail(record, log.redaction.stamp, &mut log.tail);

    // What is cut last is given its room first; the value has what is left.
    let end = end.saturating_sub(log.tail.len());
    let room = end.saturating_sub(out.len() + LEAST_VALUE.len() + LEAST_HEADERS.len());
    key(record.key, log.redaction.key, room, out);
    let room = end.saturating_sub(out.len() + LEAST_VALUE.len());
    log.headers.clear();
    headers(record.headers.clone(), &log.redaction, room, &mut log.headers);
    let room = end.saturating_sub(out.len() + log.headers.len());
    value(log.values.show(record.value), room, out);
    out.extend_from_slice(&log.headers);
    out.extend_from_slice(&log.tail);
}

fn head<H>(now: &mut Micros, recorded: &mut Millis, now_us: i64, record: &Record<'_, H>, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"v":1,"timestamp":"#);
    timestamp(now.stamp(now_us), out);
    out.extend_from_slice(br#","level":"INFO","event":"record","topic":"#);
    text::quoted_text(record.topic, TOPIC, out);
    out.extend_from_slice(br#","partition":"#);
    text::number(record.partition, out);
    out.extend_from_slice(br#","offset":"#);
    text::number(record.offset, out);
    out.extend_from_slice(br#","record_timestamp":"#);
    let (ms, kind): (i64, &[u8]) = match record.timestamp {
        None => {
            out.extend_from_slice(br#"null,"timestamp_type":null"#);
            return;
        }
        Some(RecordTimestamp::Create(ms)) => (ms, br#","timestamp_type":"create""#),
        Some(RecordTimestamp::LogAppend(ms)) => (ms, br#","timestamp_type":"log_append""#),
    };
    let stamp = recorded.stamp(ms);
    let lost = stamp.is_none();
    timestamp(stamp, out);
    if lost {
        out.extend_from_slice(br#","record_timestamp_ms":"#);
        text::number(ms, out);
    }
    out.extend_from_slice(kind);
}

fn timestamp(stamp: Option<&Stamp>, out: &mut Vec<u8>) {
    match stamp {
        Some(stamp) => {
            out.push(b'"');
            out.extend_from_slice(stamp.as_bytes());
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
}

fn key(key: Option<&[u8]>, hidden: bool, room: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(br#","key":"#);
    let key = match key {
        None => return out.extend_from_slice(b"null"),
        Some(_) if hidden => REDACTED.as_bytes(),
        Some(key) => key,
    };
    let Quoted { base64, cut } = text::quoted(key, Room::new(room, KEY_CUT).within(KEY), out);
    if base64 {
        out.extend_from_slice(br#","key_encoding":"base64""#);
    }
    if cut {
        out.extend_from_slice(KEY_CUT.as_bytes());
    }
}

fn value(value: Value<'_>, room: usize, out: &mut Vec<u8>) {
    let fits = |text: &str| text.len() <= room.saturating_sub(VALUE.len());
    let room = Room::new(room, VALUE_CUT).within(VALUE);
    let cut = match value {
        Value::Off => return,
        Value::Tombstone => {
            return out.extend_from_slice(br#","value":null,"value_encoding":null"#);
        }
        Value::Withheld => {
            out.extend_from_slice(br#","value":"#);
            text::quoted_text(WITHHELD, Room::UNLIMITED, out);
            return out.extend_from_slice(br#","value_encoding":"withheld""#);
        }
        Value::Document(text) if fits(text) => {
            out.extend_from_slice(br#","value":"#);
            out.extend_from_slice(text.as_bytes());
            return out.extend_from_slice(br#","value_encoding":"json""#);
        }
        Value::Document(text) | Value::Text(text) => {
            out.extend_from_slice(br#","value":"#);
            let cut = text::quoted_text(text, room, out);
            out.extend_from_slice(br#","value_encoding":"text""#);
            cut
        }
        Value::Bytes(bytes) => {
            out.extend_from_slice(br#","value":"#);
            let cut = text::quoted_base64(bytes, room, out);
            out.extend_from_slice(br#","value_encoding":"base64""#);
            cut
        }
    };
    if cut {
        out.extend_from_slice(VALUE_CUT.as_bytes());
    }
}

/// Appends as many whole headers as there is room for; half a header would pass for the whole one.
fn headers<'a, H>(headers: H, redaction: &Redaction, room: usize, out: &mut Vec<u8>)
where
    H: Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + Clone,
{
    out.extend_from_slice(br#","headers":["#);
    // Up to here there is room left to say that the rest was dropped.
    let mut safe = out.len();
    for (index, (name, value)) in headers.clone().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let value = redaction.header(name, value);
        // Asked before writing: a huge header must not make the buffer huge.
        if name.len() + value.map_or(0, <[u8]>::len) <= room {
            header(name, value, out);
            if out.len() + HEADERS_CUT.len() <= room {
                safe = out.len();
            }
            if out.len() < room {
                continue;
            }
        }
        out.truncate(safe);
        out.extend_from_slice(br#"],"headers_truncated":true,"headers_count":"#);
        text::number(headers.count(), out);
        return;
    }
    out.push(b']');
}

fn header(name: &[u8], value: Option<&[u8]>, out: &mut Vec<u8>) {
    if let Some(value) = value
        && text::is_plain(name)
        && text::is_plain(value)
    {
        out.extend_from_slice(b"[\"");
        out.extend_from_slice(name);
        out.extend_from_slice(b"\",\"");
        out.extend_from_slice(value);
        return out.extend_from_slice(b"\"]");
    }
    out.push(b'[');
    text::quoted_name(name, out);
    out.push(b',');
    match value {
        None => out.extend_from_slice(b"null"),
        Some(value) => {
            if text::quoted(value, Room::UNLIMITED, out).base64 {
                out.extend_from_slice(br#","base64""#);
            }
        }
    }
    out.push(b']');
}

fn tail<H>(record: &Record<'_, H>, hide_stamp: bool, out: &mut Vec<u8>) {
    if let Some(stamp) = record.stamp.filter(|_| !hide_stamp) {
        out.extend_from_slice(br#","run_id":"#);
        text::quoted_text(stamp.run_id, RUN_ID, out);
        out.extend_from_slice(br#","seq":"#);
        text::number(stamp.seq, out);
    }
    for (field, bytes) in [(&br#","key_size":"#[..], record.key), (br#","value_size":"#, record.value)] {
        out.extend_from_slice(field);
        match bytes {
            Some(bytes) => text::number(bytes.len(), out),
            None => out.extend_from_slice(b"null"),
        }
    }
    if let Some(us) = record.latency_us {
        out.extend_from_slice(br#","latency_ms":"#);
        text::millis(us, out);
    }
    if let Some(trace_id) = record.trace_id {
        out.extend_from_slice(br#","trace_id":"#);
        text::quoted_text(trace_id, TRACE_ID, out);
    }
    out.extend_from_slice(b"}\n");
}
