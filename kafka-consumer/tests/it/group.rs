//! Groups: what is stored and committed, members that come and go, and how runs end.

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use serde_json::Value;
use testbed::process::{Process, Signal};
use testbed::records::NewRecord;

use crate::support::{Cluster, SOON, Served, lines, numbered, numbers, report, stop, values, wait_for_records};

/// A rebalance of a classic group takes a session less 1 s on the mock.
const SHORT_SESSION: [&str; 2] = ["-X", "session.timeout.ms=2000"];

/// The places of the records behind these lines, sorted.
fn places(stdout: &str) -> Vec<(i64, i64)> {
    let place = |line: &Value| (line["partition"].as_i64().unwrap(), line["offset"].as_i64().unwrap());
    let mut places: Vec<_> = lines(stdout).iter().map(place).collect();
    places.sort_unstable();
    places
}

#[test]
fn the_next_run_goes_on_where_the_last_one_ended() {
    let cluster = Cluster::new(3);
    cluster.produce(&numbered(0..300, 3));
    let mut read = Vec::new();
    for count in ["100", "151"] {
        let outcome = cluster.member("g").args(["-n", count]).run(SOON).unwrap().expect_code(0).unwrap();
        assert_eq!(outcome.stdout.lines().count(), count.parse::<usize>().unwrap());
        read.extend(numbers(&outcome.stdout));
    }
    // An endless one commits as well, when it is asked to end.
    let process = cluster.member("g").spawn().unwrap();
    wait_for_records(&process, 49);
    cluster.produce(&numbered(300..310, 3));
    wait_for_records(&process, 59);
    read.extend(numbers(&stop(process, Signal::TERM, 0).stdout));
    let rest = cluster.member("g").arg("--exit-at-end").run(SOON).unwrap().expect_code(0).unwrap();
    assert_eq!(rest.stdout, "");
    read.sort_unstable();
    assert_eq!(read, (0..310).collect::<Vec<_>>());
}

#[test]
fn offsets_are_committed_at_an_interval_too() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..5, 1));
    let served = Served::start(cluster.member("g").args(["--commit-interval", "100ms"]));
    wait_for_records(&served.process, 5);
    served.wait_for_metric(r#"kafka_consumer_commits_total{result="ok"}"#, Some(1.0));
    // Killed, it commits nothing more.
    drop(served);
    cluster.produce(&numbered(5..6, 1));
    let next = cluster.consumer().args(["-g", "g", "-n", "1"]).run(SOON).unwrap().expect_code(0).unwrap();
    assert_eq!(numbers(&next.stdout), [5]);
}

#[test]
fn a_commit_that_fails_is_counted_and_repeated_without_a_further_record() {
    let cluster = Cluster::new(1);
    let refusal = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE];
    cluster.mock.fail_requests(RDKafkaApiKey::OffsetCommit, &refusal);
    cluster.produce(&numbered(0..5, 1));
    let served = Served::start(cluster.member("g").args(["--commit-interval", "100ms"]));
    served.wait_for_metric(r#"kafka_consumer_commits_total{result="ok"}"#, Some(1.0));
    assert_eq!(served.metric(r#"kafka_consumer_commits_total{result="error"}"#), Some(1.0));
    assert_eq!(served.metric("kafka_consumer_commit_seconds_count"), Some(2.0));
    served.process.wait_for_stderr_event("commit_failed", SOON).unwrap();
    stop(served.process, Signal::TERM, 0);
    let next = cluster.member("g").arg("--exit-at-end").run(SOON).unwrap().expect_code(0).unwrap();
    assert_eq!(next.stdout, "");
}

/// Two members share six partitions while records come; one leaves, and the other goes on alone.
fn one_of_two_leaves(member: impl Fn(&Cluster) -> Served) {
    let cluster = Cluster::new(6);
    let (one, other) = (member(&cluster), member(&cluster));
    for served in [&one, &other] {
        served.wait_for_metric("kafka_consumer_assigned_partitions", Some(3.0));
    }
    cluster.produce(&numbered(0..600, 6));
    wait_for_records(&one.process, 1);
    let left = stop(one.process, Signal::TERM, 0);
    cluster.produce(&numbered(600..1200, 6));
    let before = left.stdout.lines().count();
    assert!(before < 1200, "something is left for the other");
    wait_for_records(&other.process, 1200 - before);
    other.wait_for_metric("kafka_consumer_assigned_partitions", Some(6.0));
    let stayed = stop(other.process, Signal::TERM, 0);
    let all = places(&(left.stdout + &stayed.stdout));
    let expected: Vec<_> = (0..6).flat_map(|partition| (0..200).map(move |offset| (partition, offset))).collect();
    assert!(all == expected, "{} lines for 1200 records", all.len());
}

#[test]
fn a_member_that_leaves_loses_and_repeats_nothing() {
    one_of_two_leaves(|cluster| Served::start(cluster.consumer().args(["-g", "g"]).args(SHORT_SESSION)));
}

#[test]
fn a_member_of_the_brokers_protocol_that_leaves_loses_and_repeats_nothing() {
    one_of_two_leaves(|cluster| Served::start(cluster.member("g")));
}

#[test]
fn a_revoked_partition_takes_its_series_along() {
    let cluster = Cluster::new(2);
    cluster.produce(&numbered(0..20, 2));
    let flags = ["--statistics-interval", "100ms"];
    let one = Served::start(cluster.member("g").args(flags));
    wait_for_records(&one.process, 20);
    let series = |partition: i32| {
        ["records_total", "record_bytes_total", "lag_records"]
            .map(|name| one.metric(&format!(r#"kafka_consumer_{name}{{partition="{partition}",topic="test"}}"#)))
    };
    let both = [Some(10.0), Some(15.0), Some(0.0)];
    one.wait_for_metric(r#"kafka_consumer_lag_records{partition="1",topic="test"}"#, Some(0.0));
    one.wait_for_metric(r#"kafka_consumer_lag_records{partition="0",topic="test"}"#, Some(0.0));
    assert_eq!([series(0), series(1)], [both, both]);
    let other = Served::start(cluster.member("g").args(flags));
    other.wait_for_metric("kafka_consumer_assigned_partitions", Some(1.0));
    one.wait_for_metric("kafka_consumer_assigned_partitions", Some(1.0));
    let mut left = [series(0), series(1)];
    left.sort_by(|a, b| a.partial_cmp(b).unwrap());
    assert_eq!(left, [[None; 3], both], "the series of one partition went, all of the other stayed");
    assert_eq!(one.metric(r#"kafka_consumer_rebalances_total{kind="revoke"}"#), Some(1.0));
}

#[test]
fn a_member_without_partitions_is_ready() {
    let cluster = Cluster::new(1);
    let one = Served::start(cluster.member("g")).ready();
    // It waits for a partition, in case the first one dies.
    let spare = Served::start(cluster.member("g").args(["--statistics-interval", "100ms"])).ready();
    let assigned = [&one, &spare].map(|served| served.metric("kafka_consumer_assigned_partitions").unwrap());
    assert_eq!(assigned, [1.0, 0.0]);
    stop(one.process, Signal::TERM, 0);
    spare.wait_for_metric("kafka_consumer_assigned_partitions", Some(1.0));
}

#[test]
fn properties_that_are_the_brokers_are_refused_with_advice() {
    let cluster = Cluster::new(1);
    let forbidden = [
        "session.timeout.ms=6000",
        "heartbeat.interval.ms=500",
        "partition.assignment.strategy=range",
        "group.protocol.type=x",
    ];
    let raw = forbidden.iter().flat_map(|property| ["-X", property]);
    let outcome = cluster.member("g").args(raw).run(SOON).unwrap().expect_code(2).unwrap();
    for property in forbidden {
        let (key, _) = property.split_once('=').unwrap();
        let said = outcome.stderr.lines().filter(|line| line.contains(key)).collect::<Vec<_>>();
        assert_eq!(said.len(), 1, "{key} once: {outcome}");
        assert!(said[0].contains("KIP-848") && said[0].contains("--group-protocol classic"), "{outcome}");
    }
    assert!(outcome.stderr.contains("4 problems"), "{outcome}");
    let classic = cluster.consumer().args(["-X", "session.timeout.ms=6000", "config"]);
    assert_eq!(classic.run(SOON).unwrap().code(), Some(2), "flags before a subcommand are refused");
    let classic = cluster.consumer().env("KAFKA_PROPERTIES", "session.timeout.ms=6000").arg("config");
    assert!(!classic.run(SOON).unwrap().stderr.contains("KIP-848"));
}

#[test]
fn a_static_member_comes_back_to_its_partitions() {
    let cluster = Cluster::new(2);
    cluster.produce(&numbered(0..10, 2));
    let member = || cluster.member("g").args(["--instance-id", "pod-0", "-n", "5"]);
    let first = member().run(SOON).unwrap().expect_code(0).unwrap();
    let second = member().run(SOON).unwrap().expect_code(0).unwrap();
    assert_eq!(numbers(&(first.stdout + &second.stdout)), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_signal_ends_an_endless_run_well_and_a_one_shot_one_undone() {
    let cluster = Cluster::new(1);
    cluster.produce(&[NewRecord::value("0")]);
    let start = |flags: &[&str]| -> Process {
        let process = cluster.consumer().args(["-p", "0"]).args(flags).spawn().unwrap();
        wait_for_records(&process, 1);
        process
    };
    for (signal, one_shot) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let endless = stop(start(&[]), signal, 0);
        assert!(endless.events().iter().all(|event| event["event"] != "report"), "{endless}");
        let outcome = stop(start(&["-n", "2"]), signal, one_shot);
        let report = report(&outcome);
        assert_eq!(
            (&report["requested"], &report["records"], &report["exit_code"]),
            (&2.into(), &1.into(), &one_shot.into())
        );
    }
}

#[test]
fn fewer_records_than_asked_at_the_deadline_are_a_failure() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..3, 1));
    let outcome = cluster.run(&["-p", "0", "-n", "4", "--timeout", "1s"]).expect_code(1).unwrap();
    assert_eq!(values(&outcome.stdout), ["0", "1", "2"]);
    let report = report(&outcome);
    assert_eq!(report["message"], "--timeout passed: 3 of 4 records read");
    assert_eq!(
        (&report["outcome"], &report["records"], &report["bytes"]),
        (&"incomplete".into(), &3.into(), &3.into())
    );
    assert_eq!(report["topics"], serde_json::json!(["test"]));
    let seconds = report["seconds"].as_f64().unwrap();
    assert!((1.0..SOON.as_secs_f64()).contains(&seconds), "{report}");
}
