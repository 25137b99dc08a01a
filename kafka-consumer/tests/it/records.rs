//! Real records and the lines they become: every field, every shape, every flag that changes a line.

use std::ffi::{CStr, CString, c_void};
use std::fs::{self, File};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::bindings::rd_kafka_producev;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::util::Timeout;
use serde_json::{Value, json};
use testbed::process::Signal;
use testbed::records::{NewRecord, client_config};

use crate::support::{Cluster, SOON, TOPIC, lines, stop};

/// 2023-11-14T22:13:20.123Z
const RECORD_TIME: i64 = 1_700_000_000_123;
/// What container runtimes pass on in one piece, less their own prefix.
const LONGEST_LINE: usize = 15 * 1024;

/// The lines of these records, by default flags and a few more.
fn logged(records: &[NewRecord], flags: &[&str]) -> Vec<Value> {
    lines(&text(records, flags))
}

/// What comes to stdout for these records.
fn text(records: &[NewRecord], flags: &[&str]) -> String {
    let cluster = Cluster::new(1);
    cluster.produce(records);
    let count = records.len().to_string();
    let program = cluster.consumer().args(["-p", "0", "-n", &count]).args(flags);
    program.run(SOON).unwrap().expect_code(0).unwrap().stdout
}

fn line(record: NewRecord, flags: &[&str]) -> Value {
    logged(&[record], flags).remove(0)
}

/// A line without what depends on the moment.
fn timeless(mut line: Value) -> Value {
    let fields = line.as_object_mut().unwrap();
    assert!(fields.remove("timestamp").is_some() && fields.remove("latency_ms").is_some(), "{fields:?}");
    line
}

#[test]
fn a_line_has_every_field_of_its_record() {
    let now_us = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let stamp = format!("1;run a;17;{};0badcafe;9d6f2c11", now_us - 60_000_000);
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{trace_id}-00f067aa0ba902b7-01");
    let record = NewRecord::value(r#"{"dev": true, "seq": 17}"#)
        .key("17")
        .header("stamp", Some(stamp.as_bytes()))
        .header("stamp", Some(b"1;an older run;18;1;0badcafe;9d6f2c11"))
        .header("traceparent", Some(traceparent.as_bytes()))
        .timestamp(RECORD_TIME);
    let line = line(record, &[]);
    let latency = line["latency_ms"].as_f64().unwrap();
    assert!((60_000.0..60_000.0 + SOON.as_secs_f64() * 1e3).contains(&latency), "since it was sent: {latency}");
    let logged = line["timestamp"].as_str().unwrap();
    assert!(logged.len() == "2026-11-23T11:15:27.123456Z".len() && logged.ends_with('Z'), "{logged}");
    let expected = json!({
        "v": 1, "level": "INFO", "event": "record", "topic": TOPIC, "partition": 0, "offset": 0,
        "record_timestamp": "2023-11-14T22:13:20.123Z", "timestamp_type": "create",
        "key": "17", "key_size": 2,
        "value": {"dev": true, "seq": 17}, "value_encoding": "json", "value_size": 24,
        "headers": [["stamp", stamp], ["stamp", "1;an older run;18;1;0badcafe;9d6f2c11"], ["traceparent", traceparent]],
        "run_id": "run a", "seq": 17,
        "trace_id": trace_id,
    });
    assert_eq!(timeless(line), expected);
}

#[test]
fn keys_and_values_of_every_shape_are_shown_as_what_they_are() {
    let value = |value: &[u8]| NewRecord::value(value);
    let records = [
        value(b"plain text, \"quoted\"\n"),
        value(br#"[1, {"a" : null}]"#),
        value(b"42"),
        value(b"{not json"),
        value(&[0, 159, 146, 150]),
        value(b""),
        NewRecord::default().key("tombstone"),
        value(b"x").key(""),
        value(b"x").key([0xff]),
    ];
    let lines = logged(&records, &[]);
    let fields = |fields: &[&str]| -> Vec<Vec<Value>> {
        lines.iter().map(|line| fields.iter().map(|field| line[*field].clone()).collect()).collect()
    };
    let expected = [
        json!(["plain text, \"quoted\"\n", "text", 21]),
        json!([[1, {"a": null}], "json", 17]),
        json!(["42", "text", 2]),
        json!(["{not json", "text", 9]),
        json!(["AJ+Slg==", "base64", 4]),
        json!(["", "text", 0]),
        json!([null, null, null]),
        json!(["x", "text", 1]),
        json!(["x", "text", 1]),
    ];
    assert_eq!(json!(fields(&["value", "value_encoding", "value_size"])), json!(expected));
    let keys = fields(&["key", "key_encoding", "key_size"]);
    let expected = [json!(["tombstone", null, 9]), json!(["", null, 0]), json!(["/w==", "base64", 1])];
    assert_eq!(json!(keys[6..]), json!(expected));
    assert_eq!(json!(keys[0]), json!([null, null, null]), "a record without a key");
    assert!(lines[6].as_object().unwrap().contains_key("value"), "a tombstone says so: {}", lines[6]);
}

#[test]
fn headers_keep_their_order_duplicates_nulls_and_bytes() {
    let record = NewRecord::value("x")
        .header("b", Some(b"1"))
        .header("a", None)
        .header("b", Some(b"2"))
        .header("raw", Some(&[0xff, 0]))
        .header("empty", Some(b""));
    let expected = json!([["b", "1"], ["a", null], ["b", "2"], ["raw", "/wA=", "base64"], ["empty", ""]]);
    assert_eq!(line(record, &[])["headers"], expected);
    assert_eq!(line(NewRecord::value("x"), &[])["headers"], json!([]));
}

#[test]
fn a_header_name_that_is_not_text_is_shown_and_stops_nothing() {
    let cluster = Cluster::new(1);
    let name = [b'n', 0xff, b'e', 0];
    produce_with_header(&cluster, CStr::from_bytes_with_nul(&name).unwrap(), b"v");
    cluster.produce(&[NewRecord::value("after")]);
    let outcome = cluster.run(&["-p", "0", "-n", "2"]).expect_code(0).unwrap();
    let lines = lines(&outcome.stdout);
    assert_eq!(lines[0]["headers"], json!([["n\u{fffd}e", "v"]]));
    assert_eq!(lines[1]["value"], "after");
}

/// rdkafka takes names as text only; librdkafka, as other clients, takes bytes.
#[allow(unsafe_code, reason = "a header's name that is not UTF-8 can only be given to librdkafka itself")]
fn produce_with_header(cluster: &Cluster, name: &CStr, value: &[u8]) {
    use rdkafka::bindings::rd_kafka_vtype_t as vtype;
    let producer: BaseProducer = client_config(&cluster.mock.bootstrap_servers()).create().unwrap();
    let topic = CString::new(TOPIC).unwrap();
    // SAFETY: each tag is followed by what rdkafka.h says it takes, of the same C types, and END comes last; all pointers
    // are alive during the call, and librdkafka copies what it keeps of them.
    let code = unsafe {
        rd_kafka_producev(
            producer.client().native_ptr(),
            vtype::RD_KAFKA_VTYPE_TOPIC,
            topic.as_ptr(),
            vtype::RD_KAFKA_VTYPE_MSGFLAGS,
            rdkafka::bindings::RD_KAFKA_MSG_F_COPY,
            vtype::RD_KAFKA_VTYPE_VALUE,
            value.as_ptr().cast::<c_void>().cast_mut(),
            value.len(),
            vtype::RD_KAFKA_VTYPE_HEADER,
            name.as_ptr(),
            value.as_ptr().cast::<c_void>(),
            value.len(),
            vtype::RD_KAFKA_VTYPE_END,
        )
    };
    assert_eq!(code, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR);
    producer.flush(Timeout::After(SOON)).unwrap();
}

#[test]
fn huge_records_are_cut_to_a_line_that_nothing_splits() {
    let huge = "ü".repeat(50_000);
    let document = format!(r#"{{"a":"{huge}"}}"#);
    let records = [
        NewRecord::value(huge.as_str()),
        NewRecord::value(document.as_str()),
        NewRecord::value("small").key(huge.as_str()),
        NewRecord::value("small").header("small", Some(b"1")).header("h", Some(huge.as_bytes())),
        NewRecord::value([0xff; 100_000]).key(huge.as_str()).header("h", Some(huge.as_bytes())),
    ];
    let stdout = text(&records, &[]);
    for line in stdout.lines() {
        assert!(line.len() < LONGEST_LINE, "{} bytes: {}", line.len(), &line[..200]);
        assert!(line.len() > LONGEST_LINE / 2 || line.contains("headers_truncated"), "cut too short: {line}");
    }
    let lines = lines(&stdout);
    let cut = |line: &Value| -> Vec<bool> {
        ["value", "headers", "key"].iter().map(|part| line[format!("{part}_truncated")] == true).collect()
    };
    let parts: Vec<_> = lines.iter().map(cut).collect();
    assert_eq!(
        parts,
        [[true, false, false], [true, false, false], [false, false, true], [false, true, false], [true, true, true],]
    );
    assert_eq!(lines[0]["value_size"], huge.len(), "the full size stays");
    assert_eq!(lines[2]["key_size"], huge.len());
    assert!(huge.starts_with(lines[0]["value"].as_str().unwrap()), "what is shown is the beginning");
    assert_eq!((&lines[3]["headers"], &lines[3]["headers_count"]), (&json!([["small", "1"]]), &json!(2)));
}

#[test]
fn lines_are_cut_where_asked_or_not_at_all() {
    let huge = || NewRecord::value("x".repeat(100_000));
    let cut = text(&[huge()], &["--max-line", "2KiB"]);
    assert!(cut.len() <= 2048 && cut.len() > 1900, "{}", cut.len());
    let whole = line(huge(), &["--uncut"]);
    assert_eq!(whole["value"].as_str().unwrap().len(), 100_000);
    assert_eq!(whole.get("value_truncated"), None);
}

#[test]
fn values_are_left_out_on_request() {
    let line = line(NewRecord::value("canary").key("k"), &["--no-values"]);
    assert!(!line.to_string().contains("canary"), "{line}");
    assert_eq!((line.get("value"), &line["key"], &line["value_size"]), (None, &json!("k"), &json!(6)));
}

#[test]
fn redacted_fields_keys_and_headers_are_not_shown_in_any_form() {
    let records = || {
        [
            NewRecord::value(r#"{"user":{"email":"canary","id":1},"items":[{"card":"canary"},{"card":2}]}"#)
                .key("canary")
                .header("token", Some(b"canary"))
                .header("other", Some(b"shown")),
            NewRecord::value("canary in no document"),
        ]
    };
    let paths = ["user.email", "items.*.card", "key", "header:token"];
    let redact: Vec<_> = paths.iter().flat_map(|path| ["--redact", path]).collect();
    let lines = logged(&records(), &redact);
    assert_eq!(
        lines[0]["value"],
        json!({"user": {"email": "[redacted]", "id": 1}, "items": [{"card": "[redacted]"}, {"card": "[redacted]"}]})
    );
    assert_eq!(lines[0]["key"], "[redacted]");
    assert_eq!(lines[0]["headers"], json!([["token", "[redacted]"], ["other", "shown"]]));
    assert_eq!(lines[1]["value_encoding"], "withheld", "nobody can tell what is in it");
    for format in ["json", "human", "raw"] {
        let text = text(&records(), &[&redact[..], &["--format", format]].concat());
        assert!(!text.contains("canary") && text.lines().count() == 2, "{format}: {text}");
    }
}

#[test]
fn a_name_with_a_comma_is_redacted_by_flag_and_variable() {
    let cluster = Cluster::new(1);
    cluster.produce(&[NewRecord::value(r#"{"a,b":"canary","c":"canary","d":1}"#)]);
    let program = || cluster.consumer().args(["-p", "0", "-n", "1"]);
    for program in [program().args(["--redact", "a,b", "--redact", "c"]), program().env("CONSUMER_REDACT", r"a\,b, c")]
    {
        let outcome = program.run(SOON).unwrap().expect_code(0).unwrap();
        let value = lines(&outcome.stdout)[0]["value"].clone();
        assert_eq!(value, json!({"a,b": "[redacted]", "c": "[redacted]", "d": 1}), "{outcome}");
    }
}

#[test]
fn people_read_one_line_a_record() {
    let record = NewRecord::value(r#"{"seq":17}"#).key("17").header("tenant", Some(b"a"));
    let line = text(&[record], &["--format", "human"]);
    assert!(line.contains(&format!("{TOPIC}[0]@0 key=17 {{\"seq\":17}} tenant=a ")), "{line}");
    assert!(line.ends_with(" ms\n") && !line.contains('\x1b'), "no colors outside of a terminal: {line:?}");
}

#[test]
fn raw_values_are_their_bytes_and_a_line_break() {
    let cluster = Cluster::new(1);
    let bytes = [0xff, 0, b'"', b'\\'];
    cluster.produce(&[
        NewRecord::value(bytes),
        NewRecord::default().key("tombstone"),
        NewRecord::value("x".repeat(20_000)),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("values");
    let program = cluster.consumer().args(["-p", "0", "-n", "3", "--format", "raw"]);
    program.stdout(File::create(&path).unwrap()).run(SOON).unwrap().expect_code(0).unwrap();
    let expected = [&bytes[..], b"\n\n", "x".repeat(20_000).as_bytes(), b"\n"].concat();
    assert!(fs::read(&path).unwrap() == expected);
}

#[test]
fn a_record_at_a_trickle_shows_at_once() {
    let cluster = Cluster::new(1);
    let process = cluster.consumer().args(["-p", "0", "--commit-interval", "10s"]).spawn().unwrap();
    process.wait_for_stderr_event("ready", SOON).unwrap();
    for number in ["one", "two", "three"] {
        cluster.produce(&[NewRecord::value(number)]);
        // Far below the time after which anything else could flush a batch, such as the commit interval of 10 s.
        let line = process.wait_for_stdout(Duration::from_secs(3), |line| line.contains(number)).unwrap();
        assert_eq!(lines(&line)[0]["value"], number);
    }
    stop(process, Signal::TERM, 0);
}
