//! Reading without a group: nothing is joined and nothing committed, whichever topics, positions and records are chosen.

use testbed::process::{Outcome, Program, Signal};

use crate::support::{
    Cluster, NOWHERE, SOON, TOPIC, consumer, lines, message, numbered, numbers, report, stop, values, wait_for_records,
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
    cluster.produce(&[testbed::records::NewRecord::value("x").partition(1)]);
    assert_eq!(shown(&cluster, &["--tail", "3", "--exit-at-end"]), [(0, 7), (0, 8), (0, 9), (1, 0)]);
    assert_eq!(shown(&cluster, &["--tail", "100", "--exit-at-end"]).len(), 11);
    assert_eq!(shown(&cluster, &["--tail", "2", "-p", "0", "-n", "1"]), [(0, 8)]);
    let process = cluster.consumer().args(["--tail", "1"]).spawn().unwrap();
    wait_for_records(&process, 2);
    cluster.produce(&[testbed::records::NewRecord::value("new").partition(2)]);
    wait_for_records(&process, 3);
    assert!(values(&stop(process, Signal::TERM, 0).stdout).contains(&"new".to_owned()), "it follows");
}

#[test]
fn a_range_ends_each_partition_before_its_second_place() {
    let cluster = Cluster::new(3);
    cluster.produce(&numbered(0..10, 1));
    cluster.produce(&(0..3).map(|_| testbed::records::NewRecord::value("1").partition(1)).collect::<Vec<_>>());
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
