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
