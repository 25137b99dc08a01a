//! `round-trip`: what is published is read back by the same process, and judged.

use std::time::Duration;

use testbed::process::{Outcome, Program, Signal};
use testbed::records::{self, NewRecord};

use crate::support::*;

/// A round trip on this cluster.
fn round_trip(cluster: &Cluster) -> Program {
    producer().args(["round-trip", "-b", &cluster.mock.bootstrap_servers()])
}

/// One run to its end with these arguments.
fn run(cluster: &Cluster, args: &[&str]) -> Outcome {
    round_trip(cluster).args(args).run(SOON).unwrap()
}

/// The number of a report's audit.
fn found(report: &serde_json::Value, field: &str) -> u64 {
    number(&report["audit"], field)
}

#[test]
fn what_was_published_is_read_back_beside_what_is_in_the_topic_already() {
    let cluster = Cluster::new(6);
    let others: Vec<NewRecord> = (0..50).map(|number| NewRecord::value(number.to_string())).collect();
    records::produce(&records::client_config(&cluster.mock.bootstrap_servers()), TOPIC, &others).unwrap();

    let outcome = run(&cluster, &["-n", "500", "--report", "json"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let report = outcome.json().unwrap();
    assert_eq!(report["event"], "round_trip");
    assert_eq!((number(&report, "delivered"), found(&report, "distinct")), (500, 500), "{report}");
    for none in ["missing", "lost", "written_twice", "reordered", "damaged", "unchecked", "other_records"] {
        assert_eq!(found(&report, none), 0, "{none}: {report}");
    }
    let latencies = ["p50", "p95", "p99", "max"].map(|name| report["end_to_end_ms"][name].as_f64().unwrap());
    assert!(latencies[0] > 0.0 && latencies.is_sorted(), "{report}");
    assert!(report["end_to_end_ms"]["max"].as_f64() >= report["delivery_ms"]["p50"].as_f64(), "{report}");
    assert_eq!(cluster.count(), 550);
}

#[test]
fn people_get_a_table_and_the_last_word() {
    let cluster = Cluster::new(3);
    let outcome = run(&cluster, &["-n", "100", "--report", "table"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let proven = "every message was received exactly once, whole and in order";
    assert_says(
        &outcome.stdout,
        &["delivered  100", "received  100 of 3 partitions", "missing  0", "end to end  p50", proven],
    );
}

#[test]
fn a_run_that_is_not_published_is_not_proven() {
    let cluster = Cluster::new(1);
    let outcome = run(&cluster, &["-n", "10", "-t", "nothing", "--report", "json"]);
    assert_eq!(outcome.code(), Some(4), "{outcome}");
    let report = outcome.json().unwrap();
    assert_eq!((report["event"].as_str(), report.get("audit")), (Some("round_trip"), None), "{report}");
    assert_nothing_sent(&report, 10);

    let outcome = producer().args(["round-trip", "-b", NOWHERE, "-n", "10", "--timeout", "3s"]).run(SOON).unwrap();
    assert_eq!(outcome.code(), Some(3), "{outcome}");
}

#[test]
fn settings_that_leave_nothing_to_read_back_are_refused() {
    for (flags, says) in [
        (&["--no-headers"][..], "messages without a stamp"),
        (&["--dry-run"], "nothing is sent"),
        (&["--shards", "3", "--shard", "0"], "kafka-consumer audit"),
        (&["-n", "2000000000"], "at most 1000000000 messages"),
    ] {
        let outcome = producer().args(["round-trip", "-b", NOWHERE]).args(flags).run(SOON).unwrap();
        assert_eq!(outcome.code(), Some(2), "{outcome}");
        assert_says(&outcome.stderr, &[says]);
    }
}

#[test]
fn a_signal_ends_it_with_what_is_known() {
    let cluster = Cluster::new(2);
    let process = round_trip(&cluster)
        .args(["-n", "100000", "-r", "100/s", "--report", "json", "--drain-timeout", "5s"])
        .spawn()
        .unwrap();
    process.wait_for_stderr_event("publishing", SOON).unwrap();
    process.signal(Signal::TERM).unwrap();
    let outcome = process.wait(SOON).unwrap();
    assert_eq!(outcome.code(), Some(143), "{outcome}");
    assert_eq!(outcome.json().unwrap()["event"], "round_trip");
}

#[test]
fn lines_are_read_back_and_an_empty_input_is_a_run_of_no_messages() {
    let cluster = Cluster::new(2);
    let (_folder, lines) = file("lines", "one\ntwo\nthree\n");
    let outcome = run(&cluster, &["-i", arg(&lines), "--report", "json"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(found(&outcome.json().unwrap(), "distinct"), 3);
    let (_folder, nothing) = file("nothing", "");
    let outcome = run(&cluster, &["-i", arg(&nothing), "--report", "json"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
}

/// The mock cluster forgets what exceeds 5 MB a partition: what was acknowledged and is gone when it is to be read is missing.
#[test]
fn what_is_gone_is_missing_or_unproven_and_never_well() {
    let cluster = Cluster::new(1);
    // The reader is held up, the producer is not.
    cluster.mock.round_trip_time(1, Duration::from_millis(300)).unwrap();
    let outcome =
        run(&cluster, &["-n", "300000", "--size", "100", "-z", "none", "--report", "json", "--timeout", "10s"]);
    let report = outcome.json().unwrap();
    assert!(matches!(outcome.code(), Some(1 | 5)), "{outcome}");
    assert_ne!(report["outcome"], "ok", "{report}");
}
