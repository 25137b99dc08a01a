//! Lines, records and files as input: what becomes of each line, and what a bad one leaves behind.

use std::fs;
use std::io::Read;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flate2::read::GzDecoder;
use testbed::process::Signal;

use crate::support::*;

#[test]
fn text_lines_arrive_as_they_are_and_in_order() {
    let cluster = Cluster::new(1);
    let (_folder, path) = file("lines", "one\r\n\n three ü\nlast");
    let report = report(&cluster.run(&["-i", arg(&path)]), 0);
    assert_eq!(number(&report, "requested"), 4);
    assert_eq!(cluster.values(), ["one", "", " three ü", "last"]);
    assert!(cluster.records().iter().all(|record| record.key.is_none()), "lines have no keys");
}

#[test]
fn raw_lines_may_hold_any_bytes() {
    let cluster = Cluster::new(1);
    let (_folder, path) = file("lines", b"a\xff\r\n\0");
    report(&cluster.run(&["-i", arg(&path), "--input-format", "raw"]), 0);
    let values: Vec<_> = cluster.records().into_iter().map(|record| record.value.unwrap()).collect();
    assert_eq!(values, [b"a\xff\r".to_vec(), b"\0".to_vec()]);
}

#[test]
fn json_records_keep_all_their_parts() {
    let cluster = Cluster::new(4);
    let lines = r#"{"key":"k","value":{"a": 1.00},"headers":[["h","1"],["h",null]],"partition":3,"timestamp":1795432527123}
{"value":"text","headers":{"x":"y"},"partition":2,"timestamp":"2026-11-23T11:15:27.123Z"}
{"key":"gone","partition":1}
"#;
    let (_folder, path) = file("records", lines);
    let report = report(&cluster.run(&["-i", arg(&path), "--input-format", "json", "--no-headers"]), 0);
    assert_eq!(number(&report, "delivered"), 3);
    let [gone, text, full] = <[_; 3]>::try_from(cluster.records()).unwrap();
    assert_eq!((full.partition, full.timestamp, full.key.as_deref()), (3, Some(1_795_432_527_123), Some(&b"k"[..])));
    assert_eq!(full.text(), r#"{"a":1.00}"#);
    assert_eq!(full.headers, [("h".to_owned(), Some(b"1".to_vec())), ("h".to_owned(), None)]);
    assert_eq!((text.partition, text.timestamp, text.text().as_str()), (2, Some(1_795_432_527_123), "text"));
    assert_eq!(text.header("x").as_deref(), Some("y"));
    assert_eq!((gone.partition, gone.key.as_deref(), gone.value), (1, Some(&b"gone"[..]), None));
}

#[test]
fn standard_input_is_read_to_its_end() {
    let cluster = Cluster::new(1);
    let mut process = cluster.producer().args(["--input", "-"]).stdin_piped().spawn().unwrap();
    process.write_stdin("one\ntw").unwrap();
    process.write_stdin("o\nthree").unwrap();
    process.close_stdin();
    let report = report(&process.wait(SOON).unwrap(), 0);
    assert_eq!(number(&report, "requested"), 3);
    assert_eq!(cluster.values(), ["one", "two", "three"]);
}

#[test]
fn a_number_of_messages_limits_an_input_and_does_not_stretch_it() {
    let cluster = Cluster::new(1);
    let (_folder, path) = file("lines", "1\n2\n3\n");
    assert_eq!(number(&report(&cluster.run(&["-i", arg(&path), "-n", "2"]), 0), "requested"), 2);
    assert_eq!(cluster.values(), ["1", "2"]);
    assert_eq!(number(&report(&cluster.run(&["-i", arg(&path), "-n", "10"]), 0), "requested"), 3);
    assert_eq!(cluster.count(), 5);
}

#[test]
fn an_empty_input_is_no_messages_and_no_failure() {
    let cluster = Cluster::new(1);
    let report = report(&cluster.run(&["-i", "-"]), 0);
    assert_nothing_sent(&report, 0);
    assert_eq!(cluster.count(), 0);
}

#[test]
fn all_of_standard_input_is_one_message() {
    let cluster = Cluster::new(1);
    // More than the queue holds by default, where a message would wait for ever.
    let bytes = 40 << 20;
    let send = |input: &[u8], args: &[&str]| {
        let mut process = cluster.producer().args(args).stdin_piped().spawn().unwrap();
        process.write_stdin(input).unwrap();
        process.close_stdin();
        report(&process.wait(SOON).unwrap(), 0)
    };
    assert_eq!(number(&send(b"one\ntwo\n", &["-f", "-", "-n", "2"]), "delivered"), 2);
    assert_eq!(cluster.values(), ["one\ntwo\n", "one\ntwo\n"]);
    assert_eq!(cluster.records()[0].header("file-name"), None);
    let args = ["-f", "-", "--dry-run"];
    let mut process = cluster.producer().args(args).env("PRODUCER_FILE", "no/such/file").stdin_piped().spawn().unwrap();
    process.close_stdin();
    process.wait(SOON).unwrap().expect_code(0).unwrap();
    let large = send(&vec![b'x'; bytes], &["--file=-", "-z", "gzip"]);
    assert_eq!(number(&large, "bytes"), bytes as u64);
}

#[test]
fn a_whole_file_is_one_message() {
    let cluster = Cluster::new(1);
    let xml = "<orders>\n  <order id=\"1\"/>\n</orders>\n".repeat(50_000);
    let (_folder, path) = file("orders.xml", &xml);
    // Larger than what brokers take by default: here the broker decides, and the mock takes all.
    assert_eq!(number(&report(&cluster.run(&["-f", arg(&path)]), 0), "bytes"), xml.len() as u64);
    let records = cluster.records();
    assert_eq!((records.len(), records[0].text()), (1, xml));
    assert_eq!(records[0].header("file-name").as_deref(), Some("orders.xml"));
    assert_eq!(records[0].header("content-encoding"), None);
}

#[test]
fn a_file_is_compressed_and_repeated_on_request() {
    let cluster = Cluster::new(1);
    let xml = "<order/>\n".repeat(1000);
    let (_folder, path) = file("orders.xml", &xml);
    report(&cluster.run(&["-f", arg(&path), "--gzip", "-n", "2"]), 0);
    let records = cluster.records();
    assert_eq!(records.len(), 2);
    for record in records {
        let mut back = String::new();
        GzDecoder::new(record.value.as_deref().unwrap()).read_to_string(&mut back).unwrap();
        assert_eq!(back, xml);
        assert_eq!(record.header("content-encoding").as_deref(), Some("gzip"));
    }
}

#[test]
fn a_bad_line_is_named_and_takes_back_nothing() {
    let bad: [(&[u8], &str, &[&str]); 5] = [
        (b"{\"value\":1}\n{\"value\":2}\n{\"value\":\n{\"value\":4}\n", "json", &["line 3", "not a JSON record"]),
        (b"{\"value\":1}\n{\"value\":2}\n[3]\n", "json", &["line 3", "not a JSON object"]),
        (b"{\"value\":1}\n{\"value\":2}\n\n{\"value\":4}\n", "json", &["line 3", "blank"]),
        (b"1\n2\nna\xefve\n4\n", "text", &["line 3", "byte 3 is not UTF-8", "--input-format raw"]),
        (b"1\n2\n33333333333333333333\n4\n", "text", &["line 3", "longer than 19 bytes"]),
    ];
    let cluster = Cluster::new(1);
    let files = bad.map(|(content, ..)| file("input", content));
    let runs: Vec<_> = files
        .iter()
        .zip(bad)
        .map(|((_, path), (_, format, _))| ["-i", arg(path), "--input-format", format, "--max-line", "19"])
        .collect();
    for (outcome, ((_, path), (_, _, says))) in cluster.run_all(&runs).iter().zip(files.iter().zip(bad)) {
        let report = report(outcome, 2);
        assert_says(text(&report, "message"), says);
        assert_says(text(&report, "message"), &[arg(path)]);
        let counts = ["requested", "delivered", "failed", "unsent"].map(|field| number(&report, field));
        assert_eq!(counts, [2, 2, 0, 0], "{outcome}");
    }
    let mut values = cluster.values();
    values.sort();
    let sent = ["1".to_owned(), "2".to_owned()].map(|value| vec![value; bad.len()]).concat();
    assert_eq!(values, sent, "what was sent before it is on the broker, what comes after is not");
}

#[test]
fn with_a_number_of_messages_a_bad_line_leaves_the_rest_unsent() {
    let cluster = Cluster::new(1);
    let (_folder, path) = file("records", "{\"value\":1}\nnone\n{\"value\":3}\n");
    let report = report(&cluster.run(&["-i", arg(&path), "--input-format", "json", "-n", "3"]), 2);
    let counts = ["requested", "delivered", "failed", "unsent"].map(|field| number(&report, field));
    assert_eq!(counts, [3, 1, 0, 2]);
}

#[test]
fn a_partition_that_the_topic_does_not_have_is_refused() {
    let cluster = Cluster::new(2);
    let (_folder, path) = file("records", "{\"value\":1}\n{\"value\":2,\"partition\":2}\n");
    let report = report(&cluster.run(&["-i", arg(&path), "--input-format", "json"]), 4);
    assert_eq!(report["errors"]["UnknownPartition"], 1, "{report}");
    assert_says(text(&report, "message"), &["topic test has 2 partitions, 0 to 1: there is no partition 2"]);
    assert!(cluster.count() <= 1);
}

#[test]
fn an_input_that_is_not_there_is_a_wrong_setting() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    for flag in ["-i", "-f"] {
        for path in [arg(&missing), arg(folder.path())] {
            let outcome = producer().args(["-b", NOWHERE, flag, path]).run(SOON).unwrap().expect_code(2).unwrap();
            assert_says(&outcome.stderr, &[path, "cannot open"]);
            assert_eq!(outcome.stdout, "", "nothing was begun, so there is no report: {outcome}");
        }
    }
}

#[test]
fn a_silent_pipe_can_be_left_by_a_signal() {
    let cluster = Cluster::new(1);
    let mut process = cluster.producer().args(["-i", "-", "--listen", "127.0.0.1:0"]).stdin_piped().spawn().unwrap();
    let address = admin_address(&process);
    process.write_stdin("one\nhalf a li").unwrap();
    wait_for_delivered(address, 1.0);
    process.signal(Signal::TERM).unwrap();
    let outcome = process.wait(SOON).unwrap();
    let report = report(&outcome, 143);
    assert_eq!(number(&report, "delivered"), 1, "{outcome}");
    assert_eq!(cluster.values(), ["one"], "half a line is none");
    assert_says(text(&report, "message"), &["SIGTERM: 1 of 1 messages acknowledged before the end of the input"]);
}

#[test]
fn a_silent_pipe_is_left_at_the_deadline() {
    let cluster = Cluster::new(1);
    let mut process = cluster.producer().args(["-i", "-", "--timeout", "1s", "-n", "3"]).stdin_piped().spawn().unwrap();
    process.write_stdin("one\n").unwrap();
    let report = report(&process.wait(SOON).unwrap(), 1);
    assert_eq!(["requested", "delivered", "unsent"].map(|field| number(&report, field)), [3, 1, 2]);
    assert_says(text(&report, "message"), &["--timeout: 1 of 3 messages acknowledged"]);
}

#[test]
fn a_silent_pipe_can_be_left_before_its_first_line_and_in_a_dry_run() {
    let cluster = Cluster::new(1);
    for (args, has_report) in [(["-i", "-", "--no-headers"], true), (["-i", "-", "--dry-run"], false)] {
        let process = cluster.producer().args(args).args(["--listen", "127.0.0.1:0"]).stdin_piped().spawn().unwrap();
        admin_address(&process);
        process.signal(Signal::TERM).unwrap();
        let outcome = process.wait(SOON).unwrap().expect_code(143).unwrap();
        if has_report {
            assert_nothing_sent(&report(&outcome, 143), 0);
        }
    }
}

#[test]
fn a_signal_in_the_middle_of_a_file_is_not_its_end() {
    let cluster = Cluster::new(1);
    let (_folder, path) = file("lines", "line\n".repeat(100_000));
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 100_000);
    let args = ["-i", arg(&path), "--rate", "100/s", "--listen", "127.0.0.1:0"];
    let process = cluster.producer().args(args).spawn().unwrap();
    wait_for_delivered(admin_address(&process), 1.0);
    let report = report(&process.stop(Signal::TERM, SOON).unwrap(), 143);
    assert_eq!(number(&report, "delivered"), cluster.count());
    assert!(number(&report, "delivered") < 100_000);
}

#[test]
fn the_wait_for_a_line_is_no_latency_and_not_in_its_time() {
    const WAIT: Duration = Duration::from_secs(4);
    let cluster = Cluster::new(1);
    let args = ["-i", "-", "-k", "{{time_us}}", "--listen", "127.0.0.1:0"];
    let mut process = cluster.producer().args(args).stdin_piped().spawn().unwrap();
    let address = admin_address(&process);
    process.write_stdin("first\nsec").unwrap();
    wait_for_delivered(address, 1.0);
    // The time itself is what is tried here.
    thread::sleep(WAIT);
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    process.write_stdin("ond\n").unwrap();
    process.close_stdin();
    let report = report(&process.wait(SOON).unwrap(), 0);
    assert!(report["delivery_ms"]["max"].as_f64().unwrap() < WAIT.as_millis() as f64 * 0.9, "{report}");
    let sent: Vec<u128> = cluster
        .records()
        .iter()
        .map(|record| std::str::from_utf8(record.key.as_deref().unwrap()).unwrap().parse().unwrap())
        .collect();
    assert!(sent[1] >= before, "{sent:?} {before}");
}
