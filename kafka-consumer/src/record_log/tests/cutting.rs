use base64::{Engine, engine::general_purpose::STANDARD};
use common::stamp;

use super::{
    super::{DEFAULT_MAX_LINE_BYTES, MIN_LINE_BYTES},
    *,
};

/// What a cut leaves at most unused: the flags that say what was cut, and less than one character.
const SLACK: usize = 120;

fn cut(line: &Value) -> [bool; 3] {
    ["value_truncated", "headers_truncated", "key_truncated"].map(|flag| {
        let set = line.get(flag);
        assert!(set.is_none_or(|set| set == true));
        set.is_some()
    })
}

fn full(options: &Options, record: &Record<'_, Headers<'_>>) {
    let len = text(options, record).len();
    assert!((DEFAULT_MAX_LINE_BYTES - SLACK..=DEFAULT_MAX_LINE_BYTES).contains(&len), "{len} bytes");
}

#[test]
fn a_long_text_is_cut_between_characters() {
    for unit in ["x", "ü", "世", "🦀", "\"", "\u{1}", "a\nb"] {
        let value = unit.repeat(40_000);
        let record = record(Some(b"key"), Some(value.as_bytes()), &[(b"h", Some(b"v"))]);
        let line = json(&Options::default(), &record);
        full(&Options::default(), &record);
        assert_eq!(cut(&line), [true, false, false]);
        assert!(value.starts_with(line["value"].as_str().unwrap()));
        assert_eq!(line["value_encoding"], "text");
        assert_eq!(line["value_size"], value.len());
        assert_eq!(line["headers"][0][1], "v");
        assert_eq!(line["key"], "key");
    }
}

#[test]
fn long_bytes_are_cut_so_that_they_decode() {
    for extra in 0..5 {
        let value = vec![0xff; 20_000 + extra];
        let record = of_value(&value);
        let line = json(&Options::default(), &record);
        full(&Options::default(), &record);
        assert_eq!(cut(&line), [true, false, false]);
        assert_eq!(line["value_encoding"], "base64");
        assert!(value.starts_with(&STANDARD.decode(line["value"].as_str().unwrap()).unwrap()));
    }
}

#[test]
fn json_that_does_not_fit_is_cut_text() {
    for value in [format!("[{}1]", "1,".repeat(20_000)), format!("[\"{}\"]", "\\n".repeat(7_600))] {
        let line = json(&Options::default(), &of_value(value.as_bytes()));
        assert_eq!(cut(&line), [true, false, false]);
        assert_eq!(line["value_encoding"], "text");
        assert!(value.starts_with(line["value"].as_str().unwrap()));
    }
}

#[test]
fn json_fits_when_its_whitespace_was_too_much() {
    let value = format!("[1,{}2]", " ".repeat(DEFAULT_MAX_LINE_BYTES - 10));
    let line = json(&Options::default(), &of_value(value.as_bytes()));
    assert_eq!(cut(&line), [false; 3]);
    assert_eq!(line["value"], serde_json::json!([1, 2]));
}

#[test]
fn a_value_is_cut_from_the_first_byte_that_does_not_fit() {
    for unit in [&b"x"[..], b"\xff"] {
        let uncut = Options { max_line_bytes: None, ..Options::default() };
        let mut value = Vec::new();
        while text(&uncut, &of_value(&value)).len() <= DEFAULT_MAX_LINE_BYTES - SLACK {
            value.extend_from_slice(&unit.repeat(SLACK / 2));
        }
        let mut seen = [false; 2];
        for _ in 0..2 * SLACK {
            value.extend_from_slice(unit);
            // The line reserves as much for the name of any encoding.
            let len = text(&uncut, &of_value(&value)).len() + "base64".len() - "text".len();
            let line = json(&Options::default(), &of_value(&value));
            let fits = len <= DEFAULT_MAX_LINE_BYTES;
            if len.abs_diff(DEFAULT_MAX_LINE_BYTES) > 2 {
                assert_eq!(cut(&line)[0], !fits, "{len}");
            }
            seen[usize::from(fits)] = true;
        }
        assert_eq!(seen, [true; 2]);
    }
}

#[test]
fn headers_are_dropped_whole_and_from_the_end() {
    let long = "h".repeat(1000);
    let headers: Vec<Header<'_>> = vec![(b"name", Some(long.as_bytes())); 30];
    let record = record(Some(b"key"), Some(b"[1]"), &headers);
    let line = json(&Options::default(), &record);
    assert_eq!(cut(&line), [false, true, false]);
    assert_eq!(line["headers_count"], 30);
    let kept = line["headers"].as_array().unwrap();
    assert_eq!(kept.len(), 14);
    assert!(kept.iter().all(|header| header[1] == *long));
    // What the headers leave is for the value.
    assert_eq!(line["value"], serde_json::json!([1]));
}

#[test]
fn value_then_headers_then_key_are_cut() {
    let (value, header, key) = ("v".repeat(20_000), "h".repeat(9_000), "k".repeat(9_000));
    let headers: [Header<'_>; 1] = [(b"h", Some(header.as_bytes()))];
    let short_key = record(Some(b"k"), Some(value.as_bytes()), &headers);
    let line = json(&Options::default(), &short_key);
    assert_eq!(cut(&line), [true, false, false]);

    let long_key = record(Some(key.as_bytes()), Some(value.as_bytes()), &headers);
    let line = json(&Options::default(), &long_key);
    assert_eq!(cut(&line), [true, true, false]);
    assert_eq!(line["headers"], serde_json::json!([]));

    let huge_key = "k".repeat(1_000_000);
    let record = record(Some(huge_key.as_bytes()), Some(value.as_bytes()), &headers);
    let line = json(&Options::default(), &record);
    assert_eq!(cut(&line), [true, true, true]);
    assert_eq!(line["key_size"], huge_key.len());
    assert!(line["key"].as_str().unwrap().len() > DEFAULT_MAX_LINE_BYTES - 600);
}

#[test]
fn a_huge_key_of_bytes_decodes() {
    let key = vec![0xff; 50_000];
    let line = json(&Options::default(), &record(Some(&key), None, &[]));
    assert_eq!(cut(&line), [false, false, true]);
    assert_eq!(line["key_encoding"], "base64");
    assert_eq!(line["value_encoding"], Value::Null);
    assert!(key.starts_with(&STANDARD.decode(line["key"].as_str().unwrap()).unwrap()));
}

#[test]
fn without_a_limit_nothing_is_cut() {
    let options = Options { max_line_bytes: None, ..Options::default() };
    let (value, key) = ("v".repeat(200_000), vec![0xff; 200_000]);
    let headers: [Header<'_>; 1] = [(b"h", Some(&key))];
    let line = json(&options, &record(Some(&key), Some(value.as_bytes()), &headers));
    assert_eq!(cut(&line), [false; 3]);
    assert_eq!(line["value"], *value);
    assert_eq!(line["headers"][0][1], line["key"]);
}

#[test]
fn the_smallest_limit_holds_the_longest_rest() {
    let options = Options { max_line_bytes: Some(0), ..Options::default() };
    let (topic, long, bytes) = ("\u{1}".repeat(249), "x".repeat(9_000), [0xff; 9_000]);
    let headers: [Header<'_>; 1] = [(b"h", Some(&bytes))];
    let mut record = record(Some(&bytes), Some(&bytes), &headers);
    record.topic = &topic;
    (record.partition, record.offset) = (i32::MIN, i64::MIN);
    record.timestamp = Some(RecordTimestamp::LogAppend(i64::MIN));
    record.latency_us = Some(i64::MIN);
    record.trace_id = Some(&long);
    let run_id = "\"".repeat(stamp::RUN_ID_BYTES);
    record.stamp = Some(Stamp { run_id: &run_id, seq: u64::MAX, sent_us: i64::MAX, attempt: 0, checksum: 0 });
    for format in [Format::Json, Format::Human] {
        for color in [false, true] {
            let options = Options { format, color, ..options.clone() };
            let line = text(&options, &record);
            assert!(line.len() <= MIN_LINE_BYTES, "{} bytes", line.len());
            assert_eq!(line.find('\n'), Some(line.len() - 1));
            if format == Format::Json {
                let line: Value = serde_json::from_str(&line).unwrap();
                assert_eq!(cut(&line), [true, true, true]);
            }
        }
    }
}

#[test]
fn a_huge_header_does_not_leave_a_huge_buffer() {
    let huge = "\u{1}".repeat(1_000_000);
    let headers: [Header<'_>; 1] = [(b"h", Some(huge.as_bytes()))];
    for format in [Format::Json, Format::Human] {
        let mut log = RecordLog::new(Options { format, ..Options::default() });
        let mut out = Vec::new();
        log.line(NOW_US, &record(Some(huge.as_bytes()), Some(huge.as_bytes()), &headers), &mut out);
        let kept = [&out, &log.headers, &log.tail].map(Vec::capacity);
        assert!(kept.iter().all(|&kept| kept < 16 * DEFAULT_MAX_LINE_BYTES), "{kept:?}");
    }
}
