//! A line of JSON as a message.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::message::Slot;
use super::{LineProblem, Message};

/// The parts of a message, still as they stand in the line: a value goes out with the number texts it came with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record<'a> {
    #[serde(borrow)]
    key: Option<&'a RawValue>,
    #[serde(borrow)]
    key_base64: Option<&'a RawValue>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    #[serde(borrow)]
    value_base64: Option<&'a RawValue>,
    headers: Option<Headers>,
    partition: Option<i64>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
}

/// Fills the message from `line`, which is UTF-8 and not blank.
pub(super) fn fill(line: &[u8], message: &mut Message) -> Result<(), LineProblem> {
    // `serde` would take an array for the fields in their order.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err(LineProblem::NotAnObject);
    }
    let record: Record = serde_json::from_slice(line)
        .map_err(|error| LineProblem::Json { column: error.column(), reason: reason(&error) })?;
    fill_slot("key", record.key, "key_base64", record.key_base64, &mut message.key)?;
    fill_slot("value", record.value, "value_base64", record.value_base64, &mut message.value)?;
    for (name, value) in record.headers.map(|headers| headers.0).unwrap_or_default() {
        // The client reads names up to the first NUL.
        if name.contains('\0') {
            return Err(field("headers", "a name contains a NUL character"));
        }
        message.push_header(&name, value.as_ref().map(|text| text.as_bytes()));
    }
    message.partition = record.partition.map(partition).transpose()?;
    message.timestamp_ms = record.timestamp.map(timestamp).transpose()?;
    Ok(())
}

/// Fills in a key or a value from whichever of its two forms there is.
fn fill_slot(
    name: &'static str,
    json: Option<&RawValue>,
    base64_name: &'static str,
    base64: Option<&RawValue>,
    slot: &mut Slot,
) -> Result<(), LineProblem> {
    match (json, base64) {
        (None, None) => Ok(()),
        (Some(_), Some(_)) => Err(field(name, &format!("given together with `{base64_name}`: leave one out"))),
        (Some(json), None) => {
            let out = slot.start();
            if json.get().starts_with('"') {
                out.extend_from_slice(text(name, json)?.as_bytes());
            } else {
                compact(json.get(), out);
            }
            Ok(())
        }
        (None, Some(base64)) => STANDARD
            .decode_vec(text(base64_name, base64)?.as_bytes(), slot.start())
            .map_err(|error| field(base64_name, &format!("not base64: {error}"))),
    }
}

fn partition(number: i64) -> Result<i32, LineProblem> {
    match i32::try_from(number) {
        Ok(partition @ 0..) => Ok(partition),
        _ => Err(field("partition", &format!("{number} is no partition: they go from 0 to {}", i32::MAX))),
    }
}

fn timestamp(json: &RawValue) -> Result<i64, LineProblem> {
    let millisecond = if json.get().starts_with('"') {
        let parsed: Result<Timestamp, _> = text("timestamp", json)?.parse();
        parsed.map_err(|error| field("timestamp", &format!("not an RFC 3339 time: {error}")))?.as_millisecond()
    } else {
        let parsed: Result<i64, _> = json.get().parse();
        parsed.map_err(|_| field("timestamp", "neither whole milliseconds since 1970 nor an RFC 3339 text"))?
    };
    // librdkafka takes 0 for "now", which is not what the line says.
    if millisecond <= 0 {
        return Err(field("timestamp", "not after the beginning of 1970: the client cannot send it"));
    }
    Ok(millisecond)
}

/// The text of a JSON string: borrowed, unless it has escapes.
fn text<'a>(name: &'static str, json: &'a RawValue) -> Result<Cow<'a, str>, LineProblem> {
    let quoted = json.get();
    match quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain)),
        _ => match serde_json::from_str(quoted) {
            Ok(text) => Ok(Cow::Owned(text)),
            Err(error) => Err(field(name, &reason(&error))),
        },
    }
}

/// Appends JSON without the white space between its parts, and otherwise as it stands.
fn compact(json: &str, out: &mut Vec<u8>) {
    let (mut in_string, mut escaped) = (false, false);
    out.extend(json.bytes().filter(|byte| {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            return true;
        }
        in_string = *byte == b'"';
        !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
    }));
}

fn field(field: &'static str, reason: &str) -> LineProblem {
    LineProblem::Field { field, reason: reason.to_owned() }
}

/// What the parser says, without its position: to it, each line is line 1.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

/// Headers as an object or as an array of pairs. Both keep their order and their duplicates.
struct Headers(Vec<(String, Option<String>)>);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Headers, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Headers;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("headers as {\"name\": \"value\"} or [[\"name\", \"value\"]]")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some(header) = map.next_entry()? {
                    headers.push(header);
                }
                Ok(Headers(headers))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some(header) = pairs.next_element()? {
                    headers.push(header);
                }
                Ok(Headers(headers))
            }
        }
        deserializer.deserialize_any(Pairs)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use super::*;

    fn parse(line: &str) -> Message {
        let mut message = Message::default();
        fill(line.as_bytes(), &mut message).unwrap();
        message
    }

    fn value(line: &str) -> Option<String> {
        parse(line).value().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn error(line: &str) -> String {
        fill(line.as_bytes(), &mut Message::default()).unwrap_err().to_string()
    }

    #[test]
    fn all_parts() {
        let message = parse(
            r#" { "key": "k", "value": "v", "headers": {"a": "1"}, "partition": 3, "timestamp": 1795432527123 } "#,
        );
        assert_eq!((message.key(), message.value()), (Some(&b"k"[..]), Some(&b"v"[..])));
        assert!(message.headers().eq([("a", Some(&b"1"[..]))]));
        assert_eq!((message.partition, message.timestamp_ms), (Some(3), Some(1_795_432_527_123)));
    }

    #[test]
    fn all_parts_are_optional_and_null_is_absent() {
        let nulls = r#"{"key":null,"key_base64":null,"value":null,"value_base64":null,"headers":null,"partition":null,"timestamp":null}"#;
        for line in ["{}", nulls] {
            let message = parse(line);
            assert_eq!((message.key(), message.value(), message.headers().count()), (None, None, 0));
            assert_eq!((message.partition, message.timestamp_ms), (None, None));
        }
        assert_eq!(value(r#"{"value":null,"value_base64":"YQ=="}"#).as_deref(), Some("a"));
    }

    #[test]
    fn text_is_sent_as_text() {
        assert_eq!(value(r#"{"value":""}"#).as_deref(), Some(""));
        assert_eq!(value(r#"{"value":"a\n\"b\" \u00fc \ud83d\ude82"}"#).as_deref(), Some("a\n\"b\" ü 🚂"));
        assert_eq!(value(r#"{"value":"{\"a\": 1}"}"#).as_deref(), Some(r#"{"a": 1}"#));
        assert!(error(r#"{"value":"\ud800"}"#).starts_with("field `value`: "));
    }

    #[test]
    fn other_json_is_sent_compact_with_its_numbers_as_written() {
        let line =
            r#"{"value": { "a" : [ 1.00, 1e400, 12345678901234567890123 ], "s p" : "x \" y\\" , "u": "\u00fc" } }"#;
        let expected = r#"{"a":[1.00,1e400,12345678901234567890123],"s p":"x \" y\\","u":"\u00fc"}"#;
        assert_eq!(value(line).as_deref(), Some(expected));
        assert_eq!(value(r#"{"value": 17 }"#).as_deref(), Some("17"));
        assert_eq!(value(r#"{"value": false }"#).as_deref(), Some("false"));
        assert_eq!(parse(r#"{"key": [1, 2]}"#).key(), Some(&b"[1,2]"[..]));
    }

    #[test]
    fn bytes_come_as_base64() {
        let message = parse(r#"{"key_base64":"/wA=","value_base64":""}"#);
        assert_eq!((message.key(), message.value()), (Some(&[0xff, 0][..]), Some(&b""[..])));
        assert!(error(r#"{"value_base64":"*"}"#).starts_with("field `value_base64`: not base64: "));
        assert!(error(r#"{"value_base64":7}"#).starts_with("field `value_base64`: invalid type"));
        assert_eq!(
            error(r#"{"key":"a","key_base64":"YQ=="}"#),
            "field `key`: given together with `key_base64`: leave one out"
        );
    }

    #[test]
    fn headers_in_both_forms_keep_order_duplicates_and_nulls() {
        let expected = [("b", Some(&b"1"[..])), ("a", None), ("b", Some("ü".as_bytes()))];
        for headers in [r#"{"b":"1","a":null,"b":"\u00fc"}"#, r#"[["b","1"],["a",null],["b","ü"]]"#] {
            assert!(parse(&format!(r#"{{"headers":{headers}}}"#)).headers().eq(expected), "{headers}");
        }
        for bad in [r#""a""#, "7", r#"{"a":1}"#, r#"[["a"]]"#, r#"[["a","b","c"]]"#, r#"["a","b"]"#, r#"[[null,"b"]]"#]
        {
            assert!(error(&format!(r#"{{"headers":{bad}}}"#)).starts_with("not a JSON record, at byte "), "{bad}");
        }
        assert_eq!(error(r#"{"headers":{"a\u0000":"1"}}"#), "field `headers`: a name contains a NUL character");
    }

    #[test]
    fn partitions_are_not_negative() {
        assert_eq!(parse(r#"{"partition":2147483647}"#).partition, Some(i32::MAX));
        assert_eq!(error(r#"{"partition":-1}"#), "field `partition`: -1 is no partition: they go from 0 to 2147483647");
        assert!(error(r#"{"partition":2147483648}"#).starts_with("field `partition`: "));
        assert!(error(r#"{"partition":"1"}"#).contains("invalid type: string"));
    }

    #[test]
    fn times_are_milliseconds_or_rfc_3339() {
        let time = |json: &str| parse(&format!(r#"{{"timestamp":{json}}}"#)).timestamp_ms;
        assert_eq!(time(r#""2026-11-23T11:15:27.123456Z""#), Some(1_795_432_527_123));
        assert_eq!(time(r#""2026-11-23T12:15:27.123+01:00""#), Some(1_795_432_527_123));
        assert_eq!(time("1"), Some(1));
        for bad in ["0", "-1", "1.5", "true", r#""yesterday""#, r#""2026-11-23T11:15:27""#, r#""1970-01-01T00:00:00Z""#]
        {
            assert!(error(&format!(r#"{{"timestamp":{bad}}}"#)).starts_with("field `timestamp`: "), "{bad}");
        }
    }

    #[test]
    fn what_is_no_record_says_why() {
        assert!(error(r#"["k"]"#).starts_with("not a JSON object: "));
        assert!(error("text").starts_with("not a JSON object: "));
        assert!(error(r#"{"a""#).starts_with("not a JSON record, at byte 4: "));
        assert!(error(r#"{"value":1} {}"#).ends_with("trailing characters"));
        let unknown = error(r#"{"val":1}"#);
        assert!(unknown.contains("unknown field `val`, expected one of `key`, `key_base64`, `value`"), "{unknown}");
        assert!(error(r#"{"value":1,"value":2}"#).contains("duplicate field `value`"));
    }

    #[test]
    fn deep_json_does_not_overflow_the_stack() {
        let deep = format!(r#"{{"value":{}{}}}"#, "[".repeat(500_000), "]".repeat(500_000));
        assert_eq!(value(&deep).map(|text| text.len()), Some(1_000_000));
    }
}
