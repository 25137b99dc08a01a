//! The line for a person at a terminal: short, and nothing in a record can move the cursor or forge a second line.
//!
//! ```text
//! 11:15:27.123 test[0]@42 key=17 {"dev":true,"seq":17} tenant=a 3.4 ms
//! ```
//!
//! The time is that of logging, in UTC. The stamp is left out: it is for machines. Bytes that are no text follow `base64:`, a header without a value has no `=`,
//! and what was cut ends in `…` and the full size. It is cut in the same order as JSON: value, headers, key.

use std::str;

use common::stamp;

use super::{
    Record, RecordLog,
    redact::{REDACTED, Redaction, WITHHELD},
    text::{self, Room},
    value::Value,
};

/// Terminal codes, or nothing.
#[derive(Debug)]
pub(super) struct Paint {
    dim: &'static [u8],
    place: &'static [u8],
    plain: &'static [u8],
}

impl Paint {
    pub fn new(color: bool) -> Self {
        if color {
            let (dim, place, plain) = (b"\x1b[2m", b"\x1b[36m", b"\x1b[0m");
            Self { dim, place, plain }
        } else {
            let none = b"";
            Self { dim: none, place: none, plain: none }
        }
    }
}

const BASE64: &str = "base64:";
const SIZE_CUT: &str = "…(18446744073709551615 bytes)";
const HEADERS_CUT: &str = " …(18446744073709551615 headers)";
/// The least that comes after the room of the headers is given, and after the key's; colors included.
const LEAST_VALUE: &str = " base64:…(18446744073709551615 bytes)";
const LEAST_TAIL: &str = "\x1b[2m …(18446744073709551615 headers) -9223372036854775.808 ms\x1b[0m\n";

/// Appends the line.
pub(super) fn line<'a, H>(log: &mut RecordLog, now_us: i64, record: &Record<'a, H>, out: &mut Vec<u8>)
where
    H: Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + Clone,
{
    let end = out.len().saturating_add(log.limit);
    let paint = &log.paint;
    out.extend_from_slice(paint.dim);
    match log.now.stamp(now_us) {
        Some(stamp) => out.extend_from_slice(stamp.time_of_day()),
        None => out.extend_from_slice(b"--:--:--.---"),
    }
    out.extend_from_slice(paint.plain);
    out.push(b' ');
    place(paint, record, out);

    // What is cut last is given its room first; the value has what is left.
    if let Some(key) = record.key {
        out.extend_from_slice(b" key=");
        let key = if log.redaction.key { REDACTED.as_bytes() } else { key };
        let room = end.saturating_sub(out.len() + LEAST_VALUE.len() + LEAST_TAIL.len());
        word(key, Room::new(room, SIZE_CUT), out);
    }
    log.tail.clear();
    log.tail.extend_from_slice(paint.dim);
    let room = end.saturating_sub(out.len() + LEAST_VALUE.len() + LEAST_TAIL.len());
    let stamped = record.stamp.is_some();
    let shown = record.headers.clone().filter(|(name, _)| !stamped || *name != stamp::HEADER.as_bytes());
    headers(shown, &log.redaction, room, &mut log.tail);
    if let Some(us) = record.latency_us {
        log.tail.push(b' ');
        text::millis(us, &mut log.tail);
        log.tail.extend_from_slice(b" ms");
    }
    log.tail.extend_from_slice(paint.plain);
    log.tail.push(b'\n');

    out.push(b' ');
    let room = end.saturating_sub(out.len() + log.tail.len());
    value(log.values.show(record.value), record.value, room, out);
    out.extend_from_slice(&log.tail);
}

fn place<H>(paint: &Paint, record: &Record<'_, H>, out: &mut Vec<u8>) {
    out.extend_from_slice(paint.place);
    text::readable(record.topic, Room { whole: 249, cut: 249 }, out);
    out.push(b'[');
    text::number(record.partition, out);
    out.extend_from_slice(b"]@");
    text::number(record.offset, out);
    out.extend_from_slice(paint.plain);
}

fn value(value: Value<'_>, bytes: Option<&[u8]>, room: usize, out: &mut Vec<u8>) {
    let size = bytes.map_or(0, <[u8]>::len);
    let room = Room::new(room, SIZE_CUT);
    let cut = match value {
        Value::Tombstone => return out.extend_from_slice(b"(tombstone)"),
        Value::Withheld => return out.extend_from_slice(WITHHELD.as_bytes()),
        Value::Off => {
            if bytes.is_none() {
                return out.extend_from_slice(b"(tombstone)");
            }
            out.push(b'(');
            text::number(size, out);
            return out.extend_from_slice(b" bytes)");
        }
        Value::Text("") => return out.extend_from_slice(b"\"\""),
        Value::Document(text) | Value::Text(text) => text::readable(text, room, out),
        Value::Bytes(bytes) => {
            out.extend_from_slice(BASE64.as_bytes());
            text::base64(bytes, room.within(BASE64), out)
        }
    };
    if cut {
        cut_from(size, out);
    }
}

/// Appends a key or a header's value, in quotes where its ends could not be seen.
fn word(bytes: &[u8], room: Room, out: &mut Vec<u8>) {
    let cut = match str::from_utf8(bytes) {
        Err(_) => {
            out.extend_from_slice(BASE64.as_bytes());
            text::base64(bytes, room.within(BASE64), out)
        }
        Ok(text) if text.is_empty() || text.contains(char::is_whitespace) => {
            out.push(b'"');
            let cut = text::readable(text, room.within("\"\""), out);
            out.push(b'"');
            cut
        }
        Ok(text) => text::readable(text, room, out),
    };
    if cut {
        cut_from(bytes.len(), out);
    }
}

fn cut_from(size: usize, out: &mut Vec<u8>) {
    out.extend_from_slice("…(".as_bytes());
    text::number(size, out);
    out.extend_from_slice(b" bytes)");
}

/// Appends as many whole headers as there is room for.
fn headers<'a, H>(headers: H, redaction: &Redaction, room: usize, out: &mut Vec<u8>)
where
    H: Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + Clone,
{
    // Up to here there is room left to say that the rest was dropped.
    let mut safe = out.len();
    for (name, value) in headers.clone() {
        let value = redaction.header(name, value);
        // Asked before writing: a huge header must not make the buffer huge.
        if name.len() + value.map_or(0, <[u8]>::len) <= room {
            header(name, value, out);
            if out.len() + HEADERS_CUT.len() <= room {
                safe = out.len();
            }
            if out.len() <= room {
                continue;
            }
        }
        out.truncate(safe);
        out.extend_from_slice(" …(".as_bytes());
        text::number(headers.count(), out);
        return out.extend_from_slice(b" headers)");
    }
}

fn header(name: &[u8], value: Option<&[u8]>, out: &mut Vec<u8>) {
    out.push(b' ');
    text::readable(&String::from_utf8_lossy(name), Room::UNLIMITED, out);
    if let Some(value) = value {
        out.push(b'=');
        word(value, Room::UNLIMITED, out);
    }
}
