//! What arrives on the broker when all is well, and what the report says of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::pipe;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use common::stamp::Stamp;
use serde_json::Value;
use testbed::http;
use testbed::process::Signal;
use testbed::records::Record;

use crate::support::*;

/// Microseconds since 1970.
fn now_us() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

#[test]
fn each_message_arrives_once_and_the_report_counts_it() {
    let cluster = Cluster::new(6);
    let before = now_us();
    let outcome = cluster.run(&["-n", "1000", "--run-id", "run-1"]);
    let after = now_us();
    let report = report(&outcome, 0);
    let records = cluster.records();

    let fields: BTreeSet<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(report["v"], 1);
    let expected = [
        "v",
        "event",
        "run_id",
        "attempt",
        "started",
        "topic",
        "total",
        "requested",
        "delivered",
        "failed",
        "unsent",
        "unacknowledged",
        "bytes",
        "seconds",
        "messages_per_second",
        "delivery_ms",
        "errors",
        "outcome",
        "exit_code",
    ];
    assert_eq!(fields, expected.into(), "the fields of the contract");
    assert_eq!((number(&report, "requested"), number(&report, "delivered")), (1000, 1000));
    assert_eq!((text(&report, "run_id"), text(&report, "topic"), text(&report, "outcome")), ("run-1", TOPIC, "ok"));
    assert_eq!(report["errors"], serde_json::json!({}));
    let size = |record: &Record| {
        [&record.key, &record.value].into_iter().map(|part| part.as_ref().map_or(0, Vec::len) as u64).sum::<u64>()
    };
    assert_eq!(number(&report, "bytes"), records.iter().map(size).sum::<u64>());
    let latencies = ["p50", "p95", "p99", "max"].map(|name| report["delivery_ms"][name].as_f64().unwrap());
    assert!(latencies[0] > 0.0 && latencies.is_sorted(), "{report}");

    assert_eq!(cluster.sequences(), (0..1000).collect::<Vec<_>>());
    let partitions: BTreeSet<i32> = records.iter().map(|record| record.partition).collect();
    assert_eq!(partitions, (0..6).collect(), "all partitions are used");
    let mut attempts = BTreeSet::new();
    for record in &records {
        let sequence = sequence(record);
        assert_eq!(record.key.as_deref(), Some(sequence.to_string().as_bytes()));
        let value: Value = serde_json::from_str(&record.text()).unwrap();
        let parts = (&value["dev"], &value["run_id"], &value["seq"]);
        assert_eq!(parts, (&Value::from(true), &Value::from("run-1"), &Value::from(sequence)));
        let names: Vec<&str> = record.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["stamp"]);
        let stamp = record.header("stamp").unwrap();
        let stamp = Stamp::parse(stamp.as_bytes()).unwrap();
        assert_eq!(stamp.run_id, "run-1");
        assert!((before..=after).contains(&stamp.sent_us), "{before} {stamp:?} {after}");
        assert!(stamp.matches(record.key.as_deref(), record.value.as_deref()), "{stamp:?}");
        attempts.insert(stamp.attempt);
    }
    assert_eq!(attempts.len(), 1, "drawn once");

    cluster.run(&["-n", "1", "--run-id", "run-1", "-k", "again"]).expect_code(0).unwrap();
    let records = cluster.records();
    let again = records.iter().find(|record| record.key.as_deref() == Some(b"again")).unwrap();
    let stamp = again.header("stamp").unwrap();
    assert!(!attempts.contains(&Stamp::parse(stamp.as_bytes()).unwrap().attempt), "another process: {stamp}");
}

/// librdkafka counts the lines of its log that wait as outstanding, and each look at what is in flight makes more of them.
#[test]
fn librdkafkas_own_log_holds_up_no_end() {
    let cluster = Cluster::new(6);
    let outcome = cluster.producer().args(["-n", "100", "-X", "debug=all"]).env("RUST_LOG", "trace").run(SOON).unwrap();
    assert_eq!(number(&report(&outcome, 0), "delivered"), 100);
    assert!(outcome.stderr.contains(r#""facility":"SEND""#), "librdkafka's own lines are not there: {outcome}");
    assert_eq!(cluster.count(), 100);
}

#[test]
fn twenty_messages_when_nobody_says_how_many_and_each_run_has_a_name_of_its_own() {
    let cluster = Cluster::new(1);
    let runs: Vec<_> = cluster.run_all(&[[], []]).iter().map(|outcome| report(outcome, 0)).collect();
    assert!(runs.iter().all(|report| number(report, "delivered") == 20), "{runs:?}");
    assert_ne!(runs[0]["run_id"], runs[1]["run_id"]);
    assert_eq!(cluster.count(), 40);
}

#[test]
fn variables_say_what_flags_say() {
    let cluster = Cluster::new(3);
    let outcome = producer()
        .env("KAFKA_BOOTSTRAP_SERVER", cluster.mock.bootstrap_servers())
        .env("KAFKA_TOPIC", TOPIC)
        .env("PRODUCER_MESSAGES", "5")
        .env("PRODUCER_PARTITION", "2")
        .env("PRODUCER_VALUE", "v{{seq}}")
        .env("PRODUCER_HEADERS", "a=1;b={{seq}}")
        .env("PRODUCER_NO_HEADERS", "true")
        .env("PRODUCER_NO_KEY", "yes")
        .env("KAFKA_PROPERTIES", "linger.ms=0;batch.num.messages=1")
        .run(SOON)
        .unwrap();
    assert_eq!(number(&report(&outcome, 0), "delivered"), 5);
    let records = cluster.records();
    assert!(records.iter().all(|record| record.partition == 2 && record.key.is_none()), "{records:?}");
    assert_eq!(cluster.values(), ["v0", "v1", "v2", "v3", "v4"]);
    let headers = [("a".to_owned(), Some(b"1".to_vec())), ("b".to_owned(), Some(b"4".to_vec()))];
    assert_eq!(records[4].headers, headers);
}

#[test]
fn keys_values_and_headers_follow_their_templates() {
    let cluster = Cluster::new(1);
    let (_folder, template) = file("value", "{\"n\":{{seq}},\"by\":\"{{run_id}}\"}");
    let args =
        ["-n", "2", "-k", "k-{{seq}}", "--value-file", arg(&template), "-H", "a={{seq}}", "-H", "a=", "--run-id", "r"];
    report(&cluster.run(&args), 0);
    let records = cluster.records();
    assert_eq!(cluster.values(), [r#"{"n":0,"by":"r"}"#, r#"{"n":1,"by":"r"}"#]);
    assert_eq!(records[1].key.as_deref(), Some(&b"k-1"[..]));
    let own: Vec<_> = records[1].headers.iter().skip(1).cloned().collect();
    assert_eq!(
        own,
        [("a".to_owned(), Some(b"1".to_vec())), ("a".to_owned(), Some(Vec::new()))],
        "order and duplicates stay"
    );
}

#[test]
fn payloads_have_their_size_with_every_compression() {
    let cluster = Cluster::new(1);
    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    let runs = codecs.map(|codec| ["-n", "20", "--size", "1KiB", "--payload", "compressible", "-z", codec, "--no-key"]);
    for (outcome, codec) in cluster.run_all(&runs).iter().zip(codecs) {
        assert_eq!(number(&report(outcome, 0), "bytes"), 20 * 1024, "{codec}");
    }
    let records = cluster.records();
    assert_eq!(records.len(), 20 * codecs.len());
    assert!(records.iter().all(|record| record.value.as_ref().is_some_and(|value| value.len() == 1024)));
    let distinct: BTreeSet<_> = records.iter().map(|record| &record.value).collect();
    assert_eq!(distinct.len(), records.len(), "no value comes twice");
}

#[test]
fn a_key_goes_where_javas_client_puts_it() {
    let cluster = Cluster::new(11);
    // Kafka's own test vectors of murmur2: 21 is -973932308, foobar is -790332482, without the sign and modulo 11.
    for (key, partition) in [("21", 5), ("foobar", 8)] {
        report(&cluster.run(&["-n", "1", "-k", key]), 0);
        let records = cluster.records();
        let found = records.iter().find(|record| record.key.as_deref() == Some(key.as_bytes())).unwrap();
        assert_eq!(found.partition, partition, "{key}");
    }
}

#[test]
fn shares_of_an_indexed_job_add_up_without_gap_or_overlap() {
    let cluster = Cluster::new(3);
    let running = ["0", "1", "2"].map(|index| {
        let program = cluster.producer().args(["-n", "100"]);
        program.env("PRODUCER_SHARDS", "3").env("JOB_COMPLETION_INDEX", index).spawn().unwrap()
    });
    let requested = running.map(|process| number(&report(&process.wait(SOON).unwrap(), 0), "requested"));
    assert_eq!(requested, [34, 33, 33]);
    assert_eq!(cluster.sequences(), (0..100).collect::<Vec<_>>());

    // A share may be empty: that pod has nothing to do and has done it.
    let outcome = cluster.run(&["-n", "2", "--shards", "3", "--shard", "2"]);
    assert_eq!(number(&report(&outcome, 0), "requested"), 0);
    assert_eq!(cluster.count(), 100);
}

#[test]
fn shares_of_an_input_add_up_too() {
    let cluster = Cluster::new(3);
    let lines: Vec<String> = (0..10).map(|line| format!("line {line}")).collect();
    let (_folder, path) = file("lines", lines.join("\n"));
    let runs = ["0", "1", "2"].map(|shard| ["-i", arg(&path), "--shards", "3", "--shard", shard]);
    let outcomes = cluster.run_all(&runs);
    let requested: Vec<_> = outcomes.iter().map(|outcome| number(&report(outcome, 0), "requested")).collect();
    assert_eq!(requested, [4, 3, 3]);
    let mut values = cluster.values();
    values.sort();
    assert_eq!(values, lines);
}

#[test]
fn a_rate_is_never_exceeded() {
    let cluster = Cluster::new(1);
    let report = report(&cluster.run(&["-n", "21", "--rate", "100/s"]), 0);
    // The last message is due 200 ms after the first. Earlier is wrong, later is a busy machine.
    assert!(report["seconds"].as_f64().unwrap() >= 0.2, "{report}");
}

#[test]
fn with_a_rate_latency_counts_from_the_scheduled_time() {
    let cluster = Cluster::new(1);
    let mut process = cluster
        .producer()
        .args(["-i", "-", "--rate", "1000/s", "--listen", "127.0.0.1:0"])
        .stdin_piped()
        .spawn()
        .unwrap();
    let address = admin_address(&process);
    process.write_stdin("first\n").unwrap();
    wait_for_delivered(address, 1.0);
    // The second message was due a millisecond after the first. It comes as late as these answers take.
    let overdue = Instant::now();
    for _ in 0..100 {
        http::get(address, "/livez").unwrap();
    }
    let late = overdue.elapsed().as_secs_f64() * 1e3;
    process.write_stdin("second\n").unwrap();
    process.close_stdin();
    let report = report(&process.wait(SOON).unwrap(), 0);
    // The first message was read after its schedule too, at most as late as the second is at least.
    assert!(report["delivery_ms"]["max"].as_f64().unwrap() >= late - 1.0, "{late} {report}");
}

#[test]
fn a_dry_run_asks_no_broker_and_can_be_fed_back() {
    let args =
        ["-n", "5", "--dry-run", "-k", "k{{seq}}", "--value", "v{{seq}} ü", "-H", "a=1", "-p", "1", "--run-id", "dry"];
    let dry = producer().args(["-b", NOWHERE]).args(args).run(SOON).unwrap().expect_code(0).unwrap();
    let shown = dry.json_lines().unwrap();
    assert_eq!(shown.len(), 5);
    assert_eq!(
        (&shown[4]["key"], &shown[4]["value"], &shown[4]["partition"]),
        (&"k4".into(), &"v4 ü".into(), &1.into())
    );

    let cluster = Cluster::new(2);
    let (_folder, path) = file("records", &dry.stdout);
    report(&cluster.run(&["-i", arg(&path), "--input-format", "json", "--no-headers"]), 0);
    let records = cluster.records();
    assert!(records.iter().all(|record| record.partition == 1));
    assert_eq!(cluster.values(), ["v0 ü", "v1 ü", "v2 ü", "v3 ü", "v4 ü"]);
    assert_eq!(records[3].key.as_deref(), Some(&b"k3"[..]));
    let headers: BTreeMap<_, _> = records[3].headers.iter().cloned().collect();
    let stamp = headers["stamp"].as_deref().and_then(Stamp::parse).unwrap();
    assert_eq!((stamp.run_id, stamp.seq), ("dry", 3));
    assert!(stamp.matches(records[3].key.as_deref(), records[3].value.as_deref()), "{stamp:?}");
    assert_eq!(headers["a"].as_deref(), Some(&b"1"[..]));
}

#[test]
fn a_dry_run_of_bytes_and_tombstones_can_be_fed_back_too() {
    let lines =
        "{\"key_base64\":\"/wA=\",\"value_base64\":\"/v8=\"}\n{\"key\":\"k\",\"value\":null}\n{\"value\":\"\"}\n";
    let (_folder, path) = file("records", lines);
    let args = ["-i", arg(&path), "--input-format", "json", "--no-headers"];
    let dry = producer().args(args).arg("--dry-run").run(SOON).unwrap().expect_code(0).unwrap();
    let (_folder, path) = file("records", &dry.stdout);
    let cluster = Cluster::new(1);
    report(&cluster.run(&["-i", arg(&path), "--input-format", "json", "--no-headers"]), 0);
    let parts: Vec<_> = cluster.records().into_iter().map(|record| (record.key, record.value)).collect();
    assert_eq!(parts[0], (Some(vec![0xff, 0]), Some(vec![0xfe, 0xff])));
    assert_eq!(parts[1], (Some(b"k".to_vec()), None));
    assert_eq!(parts[2], (None, Some(Vec::new())));
}

#[test]
fn a_dry_run_ends_quietly_with_its_reader_and_loudly_with_a_full_disk() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let closed = producer().args(["--dry-run", "-n", "100000"]).stdout(writer).run(SOON).unwrap();
    closed.expect_code(0).unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let full = producer().args(["--dry-run", "-n", "100000"]).stdout(full).run(SOON).unwrap().expect_code(1).unwrap();
    assert_says(&full.stderr, &["cannot write records to stdout"]);
}

#[test]
fn a_dry_run_stops_on_a_signal() {
    let nobody = File::options().write(true).open("/dev/null").unwrap();
    let args = ["--dry-run", "-n", "1000000000000", "--listen", "127.0.0.1:0"];
    let process = producer().args(args).stdout(nobody).spawn().unwrap();
    admin_address(&process);
    process.signal(Signal::INT).unwrap();
    process.wait(SOON).unwrap().expect_code(130).unwrap();
}

#[test]
fn a_transaction_is_committed_when_all_is_acknowledged() {
    let cluster = Cluster::new(3);
    let report = report(&cluster.run(&["-n", "50", "--transactional-id", "tx"]), 0);
    assert_eq!(number(&report, "delivered"), 50);
    assert_eq!(cluster.sequences(), (0..50).collect::<Vec<_>>());
}

#[test]
fn in_a_transaction_that_is_not_committed_nothing_counts_as_delivered() {
    let cluster = Cluster::new(1);
    let (_folder, path) = file("records", "{\"value\":1}\n{\"value\":2}\nno record\n{\"value\":4}\n");
    let outcome = cluster.run(&["-i", arg(&path), "--input-format", "json", "--transactional-id", "tx"]);
    let report = report(&outcome, 2);
    let counts = ["requested", "delivered", "failed", "unsent", "bytes"].map(|field| number(&report, field));
    assert_eq!(counts, [2, 0, 2, 0, 0], "{report}");
    assert_eq!(report["errors"]["TransactionAborted"], 2);
    assert_says(text(&report, "message"), &["line 3"]);
}

#[test]
fn acknowledgements_can_be_weakened_by_properties() {
    let cluster = Cluster::new(2);
    let report = report(&cluster.run(&["-n", "10", "-X", "acks=1", "-X", "enable.idempotence=false"]), 0);
    assert_eq!(number(&report, "delivered"), 10);
    assert_eq!(cluster.count(), 10);
}

#[test]
fn the_termination_log_gets_the_report_where_it_exists() {
    let cluster = Cluster::new(1);
    let (_folder, path) = file("termination-log", "older\n".repeat(2000));
    let outcome = cluster.run(&["--termination-log", arg(&path)]);
    let left = fs::read_to_string(&path).unwrap();
    let seen = report(&outcome, 0);
    assert!(left.len() < 4096);
    assert_eq!(serde_json::from_str::<Value>(&left).unwrap(), seen);

    // Never made: outside Kubernetes it would be litter.
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("termination-log");
    report(&cluster.run(&["--termination-log", arg(&absent)]), 0);
    assert!(!absent.exists());
}

#[test]
fn the_termination_log_is_a_whole_report_below_its_limit_whatever_the_names() {
    let (_folder, path) = file("termination-log", "");
    let topic = "t".repeat(249);
    let name = "\"\\".repeat(100);
    let servers = vec![NOWHERE; 300].join(",");
    let args = ["-t", &topic, "--run-id", &name, "-b", &servers, "--timeout", "1s", "--termination-log", arg(&path)];
    let outcome = producer().args(args).run(SOON).unwrap();
    report(&outcome, 3);
    let left = fs::read_to_string(&path).unwrap();
    assert!(left.len() < 4096, "{}", left.len());
    check_report(&serde_json::from_str(&left).unwrap(), 3);
}

#[test]
fn the_report_is_a_table_on_request() {
    let cluster = Cluster::new(1);
    let outcome = cluster.run(&["-n", "7", "--report", "table", "--run-id", "r"]).expect_code(0).unwrap();
    let rows: BTreeMap<&str, &str> =
        outcome.stdout.lines().filter_map(|line| line.trim_start().split_once("  ")).collect();
    assert_eq!((rows["requested"], rows["delivered"], rows["failed"], rows["unsent"]), ("7", "7", "0", "0"));
    assert_eq!((rows["run"], rows["outcome"]), ("r", "ok (exit code 0)"));
    assert!(outcome.json().is_err(), "{outcome}");
}
