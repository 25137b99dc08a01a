use serde_json::{Value, json, value::RawValue};

use super::super::text::is_plain;
use super::{super::MAX_DEPTH, *};

fn shown(value: &[u8]) -> (Value, Value) {
    let line = json(&Options::default(), &of_value(value));
    assert_eq!(line["value_size"], value.len());
    assert!(line.get("value_truncated").is_none());
    (line["value"].clone(), line["value_encoding"].clone())
}

/// The value as it stands in the line, character by character.
fn embedded(value: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        value: &'a RawValue,
        value_encoding: &'a str,
    }
    let line = text(&Options::default(), &of_value(value.as_bytes()));
    let line: Line<'_> = serde_json::from_str(&line).unwrap();
    assert_eq!(line.value_encoding, "json", "{value}");
    line.value.get().to_owned()
}

#[test]
fn a_line_has_these_fields_in_this_order() {
    let headers: [Header<'_>; 2] = [(b"stamp", Some(STAMP)), (b"tenant", Some(b"b"))];
    let mut record = stamped(Some(b"17"), Some(br#"{"dev":true,"seq":17}"#), &headers);
    record.latency_us = Some(3400);
    record.trace_id = Some("0af7651916cd43dd8448eb211c80319c");
    assert_eq!(
        text(&Options::default(), &record),
        concat!(
            r#"{"v":1,"timestamp":"2026-11-23T11:15:27.123456Z","level":"INFO","event":"record","topic":"test","#,
            r#""partition":0,"offset":42,"record_timestamp":"2026-11-23T11:15:27.120Z","timestamp_type":"create","#,
            r#""key":"17","value":{"dev":true,"seq":17},"value_encoding":"json","headers":[["stamp","#,
            r#""1;a;17;1795432527120056;0badcafe;9d6f2c11"],["tenant","b"]],"run_id":"a","seq":17,"#,
            r#""key_size":2,"value_size":21,"latency_ms":3.4,"trace_id":"0af7651916cd43dd8448eb211c80319c"}"#,
            "\n"
        )
    );
}

#[test]
fn what_is_absent_is_null_or_left_out() {
    let mut record = record(None, None, &[]);
    record.timestamp = None;
    assert_eq!(
        text(&Options::default(), &record),
        concat!(
            r#"{"v":1,"timestamp":"2026-11-23T11:15:27.123456Z","level":"INFO","event":"record","topic":"test","#,
            r#""partition":0,"offset":42,"record_timestamp":null,"timestamp_type":null,"key":null,"#,
            r#""value":null,"value_encoding":null,"headers":[],"key_size":null,"value_size":null}"#,
            "\n"
        )
    );
}

#[test]
fn values_switched_off_leave_their_size() {
    let options = Options { values: false, ..Options::default() };
    let line = json(&options, &of_value(b"secret"));
    assert_eq!(line["value_size"], 6);
    assert!(line.get("value").is_none() && line.get("value_encoding").is_none());
    assert!(!line.to_string().contains("secret"));
}

#[test]
fn only_objects_and_arrays_are_embedded() {
    for value in ["", "hello", "17", "null", "\"quoted\"", "{", "{}x", "[1,]", "{'a':1}", "\u{feff}{}", "\u{c}{}"] {
        assert_eq!(shown(value.as_bytes()), (json!(value), json!("text")));
    }
    for value in ["{}", "[]", r#"{"a":[null,{"b":"c"}]}"#] {
        assert_eq!(embedded(value), value);
    }
    assert_eq!(shown(b"\xff\x00{}"), (json!("/wB7fQ=="), json!("base64")));
    assert_eq!(shown(b"{\"a\":\"\xff\"}").1, "base64");
}

#[test]
fn embedded_json_loses_its_whitespace_and_nothing_else() {
    assert_eq!(embedded(" \r\n{ \"a b\" :\t[ 1 , \" \\\" x\" ] }\n"), r#"{"a b":[1," \" x"]}"#);
    for value in [
        r#"{"n":[1e300,12345678901234567890123,-0.10E+05]}"#,
        r#"{"a":1,"a":2,"\u0061":3}"#,
        r#"["\ud83d\ude00 \\ \/ ü 😀"]"#,
        "[\"\u{2028}\u{7f}\"]",
    ] {
        assert_eq!(embedded(value), value);
    }
}

#[test]
fn a_number_that_parsers_refuse_is_not_embedded() {
    let digits = |count: usize| "9".repeat(count);
    let many =
        [digits(400), format!("-{}", digits(309)), format!("{}e99", digits(215)), format!("{}.5e+99", digits(220))];
    let few = ["1e400", "-1E+400", "1.5e309", "123456789e301", "1e0400", "0.1e999999999999999999999"];
    for number in few.iter().copied().chain(many.iter().map(String::as_str)) {
        for text in
            [format!(r#"{{"e":{number}}}"#), format!("[1, {number}]"), format!(r#"{{"a":"x","b":[{{"c":{number}}}]}}"#)]
        {
            assert_eq!(shown(text.as_bytes()), (Value::from(text.as_str()), "text".into()), "{text}");
        }
    }
    let digits = digits(300);
    for number in ["1e308", "1e-400", "-1e-999", "0e999", "0.0E+400", "1E+30", digits.as_str(), "1e99"] {
        let text = format!(r#"{{"e":{number},"id":"9e400","run":"\"1e999,"}}"#);
        assert_eq!(embedded(&text), text, "{text}");
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
    }
}

#[test]
fn half_a_surrogate_pair_is_not_embedded() {
    for value in [r#"["\ud800"]"#, r#"["\uD83Dx\uDE00"]"#, r#"["\ude00"]"#, r#"{"\ud83d\ud83d":1}"#] {
        assert_eq!(shown(value.as_bytes()), (json!(value), json!("text")));
    }
}

#[test]
fn json_nested_too_deep_is_text() {
    let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(embedded(&nested(MAX_DEPTH)), nested(MAX_DEPTH));
    assert_eq!(embedded(&format!("[{}]", ["[[]]"; 100].join(","))).len(), 501);
    assert!(serde_json::from_str::<Value>(&nested(MAX_DEPTH + 2)).is_err(), "the reason for the limit");
    let too_deep = nested(MAX_DEPTH + 1);
    assert_eq!(shown(too_deep.as_bytes()), (json!(too_deep), json!("text")));
}

#[test]
fn brackets_in_strings_and_side_by_side_do_not_count_as_levels() {
    // The first item moves all that follows, by which it lies otherwise among the bytes that are looked at together.
    for shift in 0..=64 {
        let document = |depth: usize| {
            let (open, close) = (r#"{"]}":["#.repeat(depth / 2), "]}".repeat(depth / 2));
            format!(r#"[["{}"],{}{open}"[{{"{close}]"#, "}".repeat(shift), r#"{"a":[]},"#.repeat(100))
        };
        let deep = document(MAX_DEPTH - 2);
        assert_eq!(embedded(&deep), deep, "{shift}");
        let too_deep = document(MAX_DEPTH);
        assert_eq!(shown(too_deep.as_bytes()), (json!(too_deep), json!("text")), "{shift}");
    }
}

#[test]
fn text_survives_whatever_is_in_it() {
    let every_control: String = ('\0'..='\u{9f}').collect();
    for value in [&*every_control, "grüße, 世界 🦀", "a\u{2028}b\u{2029}c", "\"\\\n\r\n"] {
        assert_eq!(shown(value.as_bytes()), (json!(value), json!("text")));
    }
}

#[test]
fn keys_and_headers_are_text_or_base64() {
    let headers: [Header<'_>; 6] = [
        (b"a", Some(b"1")),
        (b"a", Some(b"2")),
        (b"a", None),
        (b"", Some(b"")),
        (b"bin", Some(b"\xff")),
        (b"x\xffy", Some(b"{\"z\":1}")),
    ];
    let line = json(&Options::default(), &record(Some(b""), None, &headers));
    assert_eq!(
        line["headers"],
        json!([["a", "1"], ["a", "2"], ["a", null], ["", ""], ["bin", "/w==", "base64"], ["x\u{fffd}y", "{\"z\":1}"]])
    );
    assert_eq!((&line["key"], &line["key_size"]), (&json!(""), &json!(0)));
    assert!(line.get("key_encoding").is_none());

    let line = json(&Options::default(), &record(Some(b"\xfe\xff"), None, &[]));
    assert_eq!(line["key"], "/v8=");
    assert_eq!(line["key_encoding"], "base64");
    let line = json(&Options::default(), &record(Some(b"{}"), None, &[]));
    assert_eq!(line["key"], "{}");
}

#[test]
fn latency_has_up_to_three_decimals() {
    for (us, expected) in [
        (0, "0"),
        (3400, "3.4"),
        (3000, "3"),
        (1, "0.001"),
        (-1500, "-1.5"),
        (-50, "-0.05"),
        (1_234_567, "1234.567"),
        (i64::MIN, "-9223372036854775.808"),
    ] {
        let mut record = of_value(b"");
        record.latency_us = Some(us);
        let line = text(&Options::default(), &record);
        assert!(line.ends_with(&format!("\"latency_ms\":{expected}}}\n")), "{us}: {line}");
    }
}

#[test]
fn times_are_utc_and_outside_of_four_digit_years_null() {
    let stamp = |ms| {
        let mut record = of_value(b"");
        record.timestamp = Some(RecordTimestamp::LogAppend(ms));
        let line = json(&Options::default(), &record);
        assert_eq!(line["timestamp_type"], "log_append");
        (line["record_timestamp"].clone(), line.get("record_timestamp_ms").cloned())
    };
    assert_eq!(stamp(0), (json!("1970-01-01T00:00:00.000Z"), None));
    assert_eq!(stamp(-1), (json!("1969-12-31T23:59:59.999Z"), None));
    assert_eq!(stamp(951_782_400_007), (json!("2000-02-29T00:00:00.007Z"), None));
    assert_eq!(stamp(-62_167_219_200_000), (json!("0000-01-01T00:00:00.000Z"), None));
    for ms in [-62_167_219_200_001, 253_402_300_800_000, NOW_US, i64::MIN, i64::MAX] {
        assert_eq!(stamp(ms), (Value::Null, Some(json!(ms))));
    }
}

#[test]
fn one_log_keeps_the_times_of_its_records_apart() {
    let mut log = RecordLog::new(Options::default());
    let mut out = Vec::new();
    for (now_us, record_ms, expected) in [
        (1_000_000, 5, ["1970-01-01T00:00:01.000000Z", "1970-01-01T00:00:00.005Z"]),
        (1_999_999, 999, ["1970-01-01T00:00:01.999999Z", "1970-01-01T00:00:00.999Z"]),
        (2_000_000, 86_400_000, ["1970-01-01T00:00:02.000000Z", "1970-01-02T00:00:00.000Z"]),
        (1_000_001, 86_399_999, ["1970-01-01T00:00:01.000001Z", "1970-01-01T23:59:59.999Z"]),
    ] {
        let mut record = of_value(b"");
        record.timestamp = Some(RecordTimestamp::Create(record_ms));
        out.clear();
        log.line(now_us, &record, &mut out);
        let line: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!([&line["timestamp"], &line["record_timestamp"]], expected);
    }
}

#[test]
fn one_byte_decides_whether_a_string_is_plain_wherever_it_stands() {
    for around in [b'~', b' ', b'!', b'#', b'[', b']', 0x7f] {
        for length in 1..=33 {
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![around; length];
                    bytes[place] = byte;
                    let plain = byte.is_ascii() && byte >= b' ' && byte != b'"' && byte != b'\\';
                    assert_eq!(is_plain(&bytes), plain, "{bytes:?}");
                }
            }
        }
    }
}
