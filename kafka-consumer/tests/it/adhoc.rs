//! Reading without a group: nothing is joined and nothing committed, whichever topics, positions and records are chosen.

use std::time::Duration;

use testbed::process::{Outcome, Program, Signal};
use testbed::records::NewRecord;

use crate::support::{
    Cluster, NOWHERE, SOON, Served, TOPIC, consumer, lines, message, numbered, numbers, report, stop, values,
    wait_for_records,
};

/// The program run to a good end: its record lines and its whole outcome.
fn ok(program: Program) -> Outcome {
    program.run(SOON).unwrap().expect_code(0).unwrap()
}

/// The events of this name.
fn events(outcome: &Outcome, name: &str) -> usize {
    outcome.events().iter().filter(|event| event["event"] == name).count()
}

#[test]
fn without_a_group_all_partitions_are_read_and_nothing_is_committed() {
    let cluster = Cluster::new(3);
    cluster.produce(&numbered(0..30, 3));
    for _ in 0..2 {
        let outcome = cluster.run(&["--exit-at-end"]).expect_code(0).unwrap();
        assert_eq!(numbers(&outcome.stdout), (0..30).collect::<Vec<_>>(), "from the earliest, each time");
        assert_eq!(events(&outcome, "no_group"), 1, "{outcome}");
        assert_eq!(events(&outcome, "rebalance"), 0, "{outcome}");
    }
    let member = ok(cluster.member("kafka-consumer").args(["--exit-at-end"]));
    assert_eq!(numbers(&member.stdout).len(), 30, "the group has no committed offsets");
    assert_eq!(events(&member, "no_group"), 0, "{member}");
}

#[test]
fn an_endless_run_without_a_group_follows() {
    let cluster = Cluster::new(2);
    cluster.produce(&numbered(0..4, 2));
    let process = cluster.consumer().spawn().unwrap();
    wait_for_records(&process, 4);
    cluster.produce(&numbered(4..10, 2));
    wait_for_records(&process, 10);
    assert_eq!(numbers(&stop(process, Signal::TERM, 0).stdout), (0..10).collect::<Vec<_>>());
}

#[test]
fn several_topics_are_read_by_their_names() {
    let cluster = Cluster::new(2);
    cluster.mock.create_topic("orders", 3, 1).unwrap();
    cluster.mock.create_topic("empty", 2, 1).unwrap();
    cluster.produce_values(TOPIC, &["a", "b", "c"]);
    cluster.produce_values("orders", &["d", "e"]);
    let outcome = cluster.run(&["-t", "test,orders,empty", "--exit-at-end"]).expect_code(0).unwrap();
    let mut all = values(&outcome.stdout);
    all.sort();
    assert_eq!(all, ["a", "b", "c", "d", "e"]);
    assert_eq!(report(&outcome)["topics"], serde_json::json!(["test", "orders", "empty"]));
    let none = cluster.run(&["-t", "test,orders", "--from", "latest", "--exit-at-end"]).expect_code(0).unwrap();
    assert_eq!(none.stdout, "");
    let missing = cluster.run(&["-t", "test,nowhere", "--exit-at-end"]).expect_code(4).unwrap();
    assert!(message(&missing).contains("topic nowhere does not exist"), "{missing}");
}

#[test]
fn a_topic_that_comes_later_is_read_beside_the_others() {
    let cluster = Cluster::new(1);
    cluster.produce_values(TOPIC, &["a", "b"]);
    let process = cluster.consumer().args(["-t", "test,later"]).spawn().unwrap();
    wait_for_records(&process, 2);
    process.wait_for_stderr_event("topic_missing", SOON).unwrap();
    cluster.mock.create_topic("later", 1, 1).unwrap();
    cluster.produce_values("later", &["c"]);
    wait_for_records(&process, 3);
    cluster.produce_values(TOPIC, &["d"]);
    wait_for_records(&process, 4);
    let outcome = stop(process, Signal::TERM, 0);
    assert_eq!(values(&outcome.stdout), ["a", "b", "c", "d"], "each once");
}

#[test]
fn a_group_is_named_by_flag_variable_or_property() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..3, 1));
    let runs: [fn(Program) -> Program; 3] = [
        |program| program.args(["--group", "named"]),
        |program| program.env("KAFKA_CONSUMER_GROUP", "named"),
        |program| program.args(["-X", "group.id=named"]),
    ];
    for (number, run) in runs.into_iter().enumerate() {
        let program = cluster.consumer().args(["--group-protocol", "consumer", "-n", "1"]);
        assert_eq!(numbers(&ok(run(program)).stdout), [i32::try_from(number).unwrap()], "each commits what it read");
    }
    let unset = ok(cluster.consumer().env("KAFKA_CONSUMER_GROUP", "").args(["-n", "1"]));
    assert_eq!(numbers(&unset.stdout), [0], "an empty variable is unset");
}

#[test]
fn a_group_with_nothing_new_says_so() {
    let cluster = Cluster::new(2);
    let read = || ok(cluster.member("g").arg("--exit-at-end"));
    assert_eq!(report(&read())["message"], serde_json::Value::Null, "an empty topic: nothing was committed");
    cluster.produce(&numbered(0..6, 2));
    assert_eq!(report(&read())["message"], serde_json::Value::Null, "there were records");
    let nothing = read();
    assert_eq!(
        message(&nothing),
        "0 records: the group's committed offsets are at the end; `--from earliest` reads again"
    );
    assert_eq!(report(&nothing)["outcome"], "ok");
}

#[test]
fn the_admin_server_is_up_by_default_only_where_a_group_is_named() {
    // No broker is needed: the server comes first. The port is taken, if at all, by the run that names a group.
    let end = ["-b", NOWHERE, "-n", "1", "--timeout", "300ms"];
    let run = |flags: &[&str]| consumer().env("ADMIN_LISTEN", "").args(end).args(flags).run(SOON).unwrap();
    assert_eq!(events(&run(&[]), "admin_listening"), 0);
    assert_eq!(events(&run(&["-p", "0"]), "admin_listening"), 0);
    let given = run(&["--listen", "127.0.0.1:0"]);
    assert_eq!(events(&given, "admin_listening"), 1, "{given}");
    let named = run(&["-g", "g"]);
    // Something else may have this port here: then that is said, and it shows the same.
    assert!(named.stderr.contains("0.0.0.0:8080"), "{named}");
}

/// The partitions and offsets of the records that a run to the end shows.
fn shown(cluster: &Cluster, flags: &[&str]) -> Vec<(i64, i64)> {
    let outcome = cluster.run(flags).expect_code(0).unwrap();
    let place = |line: &serde_json::Value| (line["partition"].as_i64().unwrap(), line["offset"].as_i64().unwrap());
    let mut places: Vec<_> = lines(&outcome.stdout).iter().map(place).collect();
    places.sort_unstable();
    places
}

#[test]
fn the_tail_is_the_last_records_of_each_partition() {
    let cluster = Cluster::new(3);
    // Partition 2 stays empty, and partition 1 has fewer records than are asked for below.
    cluster.produce(&numbered(0..10, 1));
    cluster.produce(&[NewRecord::value("x").partition(1)]);
    assert_eq!(shown(&cluster, &["--tail", "3", "--exit-at-end"]), [(0, 7), (0, 8), (0, 9), (1, 0)]);
    assert_eq!(shown(&cluster, &["--tail", "100", "--exit-at-end"]).len(), 11);
    assert_eq!(shown(&cluster, &["--tail", "2", "-p", "0", "-n", "1"]), [(0, 8)]);
    let process = cluster.consumer().args(["--tail", "1"]).spawn().unwrap();
    wait_for_records(&process, 2);
    cluster.produce(&[NewRecord::value("new").partition(2)]);
    wait_for_records(&process, 3);
    assert!(values(&stop(process, Signal::TERM, 0).stdout).contains(&"new".to_owned()), "it follows");
}

#[test]
fn a_range_ends_each_partition_before_its_second_place() {
    let cluster = Cluster::new(3);
    cluster.produce(&numbered(0..10, 1));
    cluster.produce(&(0..3).map(|_| NewRecord::value("1").partition(1)).collect::<Vec<_>>());
    let to = |place: &'static str| ["--to", place, "--timeout", "20s"];
    assert_eq!(shown(&cluster, &to("offset:2")), [(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(shown(&cluster, &to("latest")).len(), 13);
    assert_eq!(shown(&cluster, &to("offset:1000")).len(), 13, "never beyond the current end");
    assert_eq!(shown(&cluster, &to("offset:0")), []);
    assert_eq!(shown(&cluster, &["--from", "offset:2", "--to", "offset:4", "-p", "0"]), [(0, 2), (0, 3)]);
    assert_eq!(shown(&cluster, &["--from", "offset:5", "--to", "offset:4", "-p", "0"]), [], "an empty range");
    assert_eq!(shown(&cluster, &["--tail", "4", "--to", "offset:8", "-p", "0"]), [(0, 6), (0, 7)]);
    let short = cluster.run(&["-p", "0", "-n", "5", "--to", "offset:4"]).expect_code(1).unwrap();
    assert!(message(&short).contains("4 of 5 records read"), "{short}");
}

#[test]
fn a_time_without_a_zone_is_of_utc_and_that_is_said_once() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..3, 1));
    // The mock answers look-ups of times with the end.
    for (time, count) in [("2026-11-26", 1), ("2026-11-26T10:00", 1), ("2026-11-26T10:00:00Z", 0), ("-1h", 0)] {
        let outcome = cluster.run(&["--to", time]).expect_code(0).unwrap();
        assert_eq!(numbers(&outcome.stdout).len(), 3, "{time}: {outcome}");
        assert_eq!(events(&outcome, "utc_assumed"), count, "{time}: {outcome}");
    }
}

#[test]
fn tails_and_ranges_never_join_the_group_that_a_variable_names() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..5, 1));
    for flags in [&["--tail", "2", "--exit-at-end"][..], &["--to", "offset:5"]] {
        let outcome = ok(cluster.consumer().env("KAFKA_CONSUMER_GROUP", "service").args(flags));
        assert_eq!(events(&outcome, "no_group"), 1, "{outcome}");
    }
    let member = ok(cluster.member("service").arg("--exit-at-end"));
    assert_eq!(numbers(&member.stdout).len(), 5, "nothing was committed");
}

/// Ten records: key `k0` to `k9`, a header `tenant` that is `acme` or `other`, in turn, and a value with the number.
fn described() -> Vec<NewRecord> {
    (0..10)
        .map(|number| {
            let tenant = if number % 2 == 0 { "acme-inc" } else { "other" };
            let record = NewRecord::value(format!("{number}")).partition(0).key(format!("k{number}"));
            record.header("tenant", Some(tenant.as_bytes()))
        })
        .collect()
}

#[test]
fn only_what_matches_is_shown_and_all_is_counted() {
    let cluster = Cluster::new(1);
    cluster.produce(&described());
    let cases: [(&[&str], &[i32]); 12] = [
        (&["--match-key", "k7"], &[7]),
        (&["--match-key", "k"], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (&["--match-key", "K7"], &[]),
        (&["--match-key", "^k[23]$"], &[]),
        (&["--match-key", "^K[23]$", "--regex"], &[]),
        (&["--match-key", "(?i)^K[23]$", "--regex"], &[2, 3]),
        (&["--match-header", "tenant=^o.*r$", "--match-value", "[79]", "--regex"], &[7, 9]),
        (&["--match-value", "3"], &[3]),
        (&["--match-header", "tenant=acme"], &[0, 2, 4, 6, 8]),
        (&["--match-header", "tenan=acme"], &[]),
        (&["--match-header", "tenant="], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (&["--match-header", "tenant=other", "--match-key", "k5", "--match-value", "5"], &[5]),
    ];
    for (flags, expected) in cases {
        let outcome = cluster.run(&[flags, &["--exit-at-end"]].concat()).expect_code(0).unwrap();
        assert_eq!(numbers(&outcome.stdout), expected, "{flags:?}");
        let report = report(&outcome);
        assert_eq!((&report["records"], &report["shown"]), (&10.into(), &expected.len().into()), "{flags:?}");
    }
    let all = cluster.run(&["--exit-at-end"]).expect_code(0).unwrap();
    assert_eq!(report(&all).get("shown"), None, "without anything to look for the report is as before");
}

#[test]
fn a_number_of_records_counts_those_that_are_shown() {
    let cluster = Cluster::new(1);
    cluster.produce(&described());
    let two = cluster.run(&["--match-header", "tenant=acme", "-n", "2"]).expect_code(0).unwrap();
    assert_eq!(numbers(&two.stdout), [0, 2]);
    assert_eq!(report(&two)["shown"], 2);
    let six = cluster.run(&["--match-header", "tenant=acme", "-n", "6", "--exit-at-end"]).expect_code(1).unwrap();
    assert_eq!(numbers(&six.stdout).len(), 5);
    assert!(message(&six).contains("5 of 6 records shown, 10 read"), "{six}");
    let late = cluster.run(&["--match-key", "x", "-n", "1", "--timeout", "1s"]).expect_code(1).unwrap();
    assert!(message(&late).contains("0 of 1 records shown, 10 read"), "{late}");
    // The next run of a group goes on behind the last record that was shown.
    let first = ok(cluster.member("g").args(["--match-key", "k3", "-n", "1"]));
    assert_eq!(numbers(&first.stdout), [3]);
    let rest = ok(cluster.member("g").arg("--exit-at-end"));
    assert_eq!(numbers(&rest.stdout), (4..10).collect::<Vec<_>>());
}

#[test]
fn what_is_passed_over_counts_in_the_metrics_and_is_committed() {
    let cluster = Cluster::new(1);
    cluster.produce(&described());
    let served = Served::start(cluster.member("g").args(["--match-key", "nothing", "--commit-interval", "100ms"]));
    served.wait_for_metric(r#"kafka_consumer_records_total{partition="0",topic="test"}"#, Some(10.0));
    served.wait_for_at_least(r#"kafka_consumer_commits_total{result="ok"}"#, 1.0);
    assert_eq!(stop(served.process, Signal::TERM, 0).stdout, "");
    assert_eq!(ok(cluster.member("g").arg("--exit-at-end")).stdout, "");
}

#[test]
fn a_reader_that_has_gone_is_noticed_while_nothing_matches() {
    let cluster = Cluster::new(1);
    cluster.produce(&described());
    let trickle = cluster.trickle(&[0], Duration::from_millis(5));
    let (reader, writer) = std::io::pipe().unwrap();
    let process = cluster.consumer().args(["--match-key", "nothing"]).stdout(writer).spawn().unwrap();
    process.wait_for_stderr_event("ready", SOON).unwrap();
    drop(reader);
    process.wait(SOON).unwrap().expect_code(0).unwrap();
    drop(trickle);
}
