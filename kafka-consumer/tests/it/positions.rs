//! Which records are read: where a run starts, where it ends, and what is subscribed to. Starts by time need a broker that
//! looks times up, which the mock does not.

use std::time::{Duration, Instant};

use testbed::process::{Outcome, Signal};

use crate::support::{Cluster, SOON, Served, TOPIC, lines, numbered, numbers, report, stop, values, wait_for_records};

/// For how long a new topic may be unknown: then a one-shot run gives up.
const GRACE: Duration = Duration::from_secs(3);

fn ok(outcome: Outcome) -> String {
    outcome.expect_code(0).unwrap().stdout
}

#[test]
fn given_partitions_start_at_the_earliest_the_latest_or_an_offset() {
    let cluster = Cluster::new(2);
    cluster.produce(&numbered(0..10, 2));
    let read = |from: &[&str]| numbers(&ok(cluster.run(&[&["-p", "1", "--exit-at-end"], from].concat())));
    assert_eq!(read(&[]), [1, 3, 5, 7, 9], "without a group nothing is committed: the earliest");
    assert_eq!(read(&["--from", "earliest"]), [1, 3, 5, 7, 9]);
    assert_eq!(read(&["--from", "offset:3"]), [7, 9]);
    assert_eq!(read(&["--from", "latest"]), [0; 0]);
    assert_eq!(read(&["--from", "beginning"]), [1, 3, 5, 7, 9], "another word for the earliest");
    assert_eq!(read(&["--from", "end"]), [0; 0], "another word for the latest");
    assert_eq!(read(&["--from", "offset:5"]), [0; 0], "the offset of the next record to come");
}

#[test]
fn from_the_latest_only_what_comes_later_is_read() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..5, 1));
    let process = cluster.consumer().args(["-p", "0", "--from", "latest"]).spawn().unwrap();
    // Ready means assigned, and the fetcher asks the end right after: a record may come before, so one is sent until one shows.
    process.wait_for_stderr_event("ready", SOON).unwrap();
    let deadline = Instant::now() + SOON;
    let mut next = 5;
    while process.stdout().is_empty() {
        assert!(Instant::now() < deadline, "{}", process.stderr());
        cluster.produce(&numbered(next..next + 1, 1));
        next += 1;
    }
    let outcome = stop(process, Signal::TERM, 0);
    assert!(numbers(&outcome.stdout).iter().all(|number| *number >= 5), "{outcome}");
}

#[test]
fn several_partitions_are_read_each_to_its_end_empty_ones_too() {
    let cluster = Cluster::new(6);
    cluster.produce(&numbered(0..9, 3));
    let outcome = cluster.run(&["-p", "0-2,5", "--exit-at-end"]).expect_code(0).unwrap();
    assert_eq!(numbers(&outcome.stdout), (0..9).collect::<Vec<_>>());
    let report = report(&outcome);
    assert_eq!((&report["records"], &report["outcome"]), (&9.into(), &"ok".into()));
    let offsets: Vec<i64> = lines(&outcome.stdout)
        .iter()
        .filter(|line| line["partition"] == 1)
        .map(|line| line["offset"].as_i64().unwrap())
        .collect();
    assert_eq!(offsets, [0, 1, 2], "in the order of the partition");
}

#[test]
fn an_empty_topic_ends_at_once() {
    let cluster = Cluster::new(3);
    assert_eq!(ok(cluster.run(&["-p", "0-2", "--exit-at-end"])), "");
    let member = cluster.member("g").args(["--exit-at-end", "--timeout", "20s"]);
    assert_eq!(ok(member.run(SOON).unwrap()), "");
}

#[test]
fn max_records_is_exact_and_may_go_with_the_end() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..500, 1));
    let limited = cluster.run(&["-p", "0", "-n", "123"]);
    assert_eq!(numbers(&ok(limited)), (0..123).collect::<Vec<_>>());
    let enough = cluster.run(&["-p", "0", "-n", "500", "--exit-at-end"]);
    assert_eq!(numbers(&ok(enough)).len(), 500);
    let fewer = cluster.run(&["-p", "0", "-n", "501", "--exit-at-end"]).expect_code(1).unwrap();
    let report = report(&fewer);
    assert_eq!((&report["requested"], &report["records"], &report["exit_code"]), (&501.into(), &500.into(), &1.into()));
    assert!(report["message"].as_str().unwrap().contains("500 of 501 records read"), "{report}");
}

#[test]
fn a_topic_that_is_missing_beside_one_that_is_read_is_no_good_end() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..5, 1));
    let member = cluster.member("g").args(["-t", "test,no-such-topic", "--exit-at-end", "--timeout", "20s"]);
    let outcome = member.run(SOON).unwrap().expect_code(4).unwrap();
    assert_eq!(numbers(&outcome.stdout).len(), 5, "what there is was read");
    assert!(report(&outcome)["message"].as_str().unwrap().contains("no-such-topic"), "{outcome}");
}

#[test]
fn a_group_reads_several_topics_to_their_ends() {
    let cluster = Cluster::new(2);
    cluster.mock.create_topic("orders", 2, 1).unwrap();
    cluster.mock.create_topic("empty", 2, 1).unwrap();
    cluster.produce_values(TOPIC, &["a", "b", "c"]);
    cluster.produce_values("orders", &["d", "e"]);
    let flags = ["-t", "test,orders, empty", "--exit-at-end"];
    let outcome = cluster.member("g").args(flags).run(SOON).unwrap().expect_code(0).unwrap();
    let mut all = values(&outcome.stdout);
    all.sort();
    assert_eq!(all, ["a", "b", "c", "d", "e"]);
    assert_eq!(report(&outcome)["topics"], serde_json::json!(["test", "orders", "empty"]));
}

#[test]
fn a_regular_expression_takes_the_topics_it_matches_as_a_whole() {
    let cluster = Cluster::new(1);
    for topic in ["orders.eu", "orders.us", "old-orders.eu"] {
        cluster.mock.create_topic(topic, 1, 1).unwrap();
        cluster.produce_values(topic, &[topic]);
    }
    let flags = ["-t", r"^orders\..*", "-g", "g", "-n", "2"];
    let mut topics: Vec<_> = lines(&ok(cluster.run(&flags))).iter().map(|line| line["topic"].to_string()).collect();
    topics.sort();
    assert_eq!(topics, ["\"orders.eu\"", "\"orders.us\""]);
}

#[test]
fn a_group_starts_where_it_is_told_to_whatever_is_committed() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..6, 1));
    let read = |flags: &[&str]| numbers(&ok(cluster.member("g").args(flags).run(SOON).unwrap()));
    assert_eq!(read(&["-n", "4"]), [0, 1, 2, 3], "nothing committed: the earliest");
    assert_eq!(read(&["--from", "earliest", "-n", "2"]), [0, 1]);
    assert_eq!(read(&["--from", "committed", "-n", "1"]), [2]);
    assert_eq!(read(&["--from", "offset:5", "-n", "1"]), [5]);
    assert_eq!(read(&["--from", "latest", "--exit-at-end"]), [0; 0]);
    assert_eq!(read(&["--exit-at-end"]), [0; 0], "all was committed");
}

#[test]
fn a_partition_that_does_not_exist_is_refused() {
    let cluster = Cluster::new(2);
    let outcome = cluster.run(&["-p", "0,2"]).expect_code(4).unwrap();
    let said = &outcome.stderr;
    assert!(said.contains("topic test has 2 partitions, 0 to 1: there is no partition 2"), "{outcome}");
}

#[test]
fn a_missing_topic_ends_a_one_shot_run_and_is_not_created() {
    let cluster = Cluster::new(1);
    let started = Instant::now();
    let kinds = [&["-p", "0"][..], &["--group-protocol", "consumer"]];
    let runs = kinds.map(|flags| cluster.consumer().args(["-t", "nowhere", "-n", "1"]).args(flags).spawn().unwrap());
    for run in runs {
        let outcome = run.wait(SOON).unwrap().expect_code(4).unwrap();
        let report = report(&outcome);
        let message = report["message"].as_str().unwrap();
        assert!(message.contains("topic nowhere does not exist") && message.contains("KAFKA_TOPIC"), "{report}");
        assert_eq!((&report["exit_code"], &report["outcome"]), (&4.into(), &"refused".into()));
    }
    assert!(started.elapsed() > GRACE, "a new topic is not known everywhere at once");
    // Created by accident it would be found now.
    let process = Served::start(cluster.consumer().args(["-t", "nowhere", "-p", "0"]));
    process.wait_for("/readyz", 503, "topic nowhere does not exist");
}

#[test]
fn an_endless_run_waits_for_its_topics_whichever_comes_first() {
    let cluster = Cluster::new(1);
    // A classic group, as the mock tells no new topic to the other kind; its rebalance takes a session less 1 s.
    let flags = ["-g", "g", "-t", "first,second", "-X", "session.timeout.ms=2000"];
    let served = Served::start(cluster.consumer().args(flags));
    served.wait_for("/readyz", 503, "topics first, second do not exist");
    served.process.wait_for_stderr_events("topic_missing", 2, SOON).unwrap();
    assert_eq!(served.get("/livez").status, 200);
    cluster.mock.create_topic("second", 1, 1).unwrap();
    cluster.produce_values("second", &["b"]);
    wait_for_records(&served.process, 1);
    served.wait_for("/readyz", 503, "topic first does not exist");
    cluster.mock.create_topic("first", 1, 1).unwrap();
    cluster.produce_values("first", &["a"]);
    wait_for_records(&served.process, 2);
    let served = served.ready();
    let outcome = stop(served.process, Signal::TERM, 0);
    assert_eq!(values(&outcome.stdout), ["b", "a"]);
}
