//! Where a one-shot run ends: at the ends that the partitions had when it started, with every record before them logged,
//! and never later than a signal or its deadline asks for.

use std::io::pipe;
use std::time::{Duration, Instant};

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use testbed::mock::Mock;
use testbed::process::{Process, Signal, read_slowly};
use testbed::records::NewRecord;

use crate::support::{
    Cluster, SOON, Served, TOPIC, lines, message, numbered, numbers, report, stop, values, wait_for_records,
};

/// A record comes this often to a topic that is being written: more often than the loop's longest wait.
const LIVE: Duration = Duration::from_millis(20);
/// The mock answers a fetch that finds nothing after this time and not when something comes, so a live topic would otherwise
/// come in bursts.
const AS_IT_COMES: [&str; 2] = ["-X", "fetch.wait.max.ms=10"];
/// How late the end may be, after a signal or a deadline.
const AT_ONCE: Duration = Duration::from_secs(1);
/// A rebalance of a classic group takes a session less 1 s on the mock.
const SHORT_SESSION: [&str; 2] = ["-X", "session.timeout.ms=2000"];

/// Two brokers: the first leads partition 0, which is being written, the second leads partition 1 and fails every request
/// for its records, so that a one-shot run has something to wait for.
fn half_dead() -> Cluster {
    let mock = Mock::start(2).unwrap();
    mock.create_topic(TOPIC, 2, 1).unwrap();
    mock.move_leader(TOPIC, 0, Some(1)).unwrap();
    mock.move_leader(TOPIC, 1, Some(2)).unwrap();
    let cluster = Cluster { mock };
    cluster.produce(&numbered(0..10, 2));
    let failure = Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR);
    cluster.mock.answers(2, RDKafkaApiKey::Fetch, 1000, failure, Duration::ZERO).unwrap();
    cluster
}

/// Waits for the end of a run that must not go on for long, and says how long it took.
fn ended(process: Process, code: i32) -> (testbed::process::Outcome, Duration) {
    let began = Instant::now();
    let outcome = process.wait(SOON).unwrap().expect_code(code).unwrap();
    (outcome, began.elapsed())
}

#[test]
fn exit_at_end_ends_beside_a_live_producer_with_an_empty_partition() {
    let cluster = Cluster::new(3);
    let live = cluster.trickle(&[0], LIVE);
    live.wait_for(20, SOON).unwrap();
    for (number, from) in ["earliest", "latest"].into_iter().enumerate() {
        let group = format!("g{number}");
        for kind in [&["-p", "0-2"][..], &["-g", &group, "--group-protocol", "consumer"]] {
            let before = live.acknowledged();
            let flags = ["--exit-at-end", "--from", from];
            let process = cluster.consumer().args(flags).args(kind).args(AS_IT_COMES).spawn().unwrap();
            let (outcome, took) = ended(process, 0);
            let after = live.acknowledged();
            let read = numbers(&outcome.stdout);
            let count = u64::try_from(read.len()).unwrap();
            assert!(took < Duration::from_secs(6), "from {from} {kind:?}: it took {took:?}\n{}", outcome.stderr);
            if from == "earliest" {
                assert!(
                    (before..=after).contains(&count),
                    "{count} records, {before} before and {after} after the run"
                );
                assert_eq!(read, (0..i32::try_from(count).unwrap()).collect::<Vec<_>>(), "{kind:?}");
            }
        }
    }
}

#[test]
fn the_timeout_holds_beside_a_live_producer() {
    let cluster = half_dead();
    let _live = cluster.trickle(&[0], LIVE);
    let flags = ["-p", "0-1", "--exit-at-end", "--timeout", "2s"];
    let process = cluster.consumer().args(flags).args(AS_IT_COMES).spawn().unwrap();
    let (outcome, took) = ended(process, 1);
    assert!(took < Duration::from_secs(2) + AT_ONCE, "it took {took:?}\n{}", outcome.stderr);
    assert!(message(&outcome).contains("timeout"), "{outcome}");
}

#[test]
fn a_signal_is_honoured_within_a_second_beside_a_live_producer() {
    let cluster = half_dead();
    let live = cluster.trickle(&[0], LIVE);
    let process = cluster.consumer().args(["-p", "0-1", "--exit-at-end"]).args(AS_IT_COMES).spawn().unwrap();
    // The end of partition 0 is behind it: what comes now is not logged any more.
    process.wait_for_stdout(SOON, |_| true).unwrap();
    let logged = live.acknowledged();
    live.wait_for(logged + 50, SOON).unwrap();
    process.signal(Signal::TERM).unwrap();
    let (outcome, took) = ended(process, 143);
    assert!(took < AT_ONCE, "it took {took:?}\n{}", outcome.stderr);
    assert_eq!(report(&outcome)["exit_code"], 143);
}

#[test]
fn exit_at_end_hands_over_all_records_to_a_slow_reader() {
    const RECORDS: i32 = 120_000;
    let cluster = Cluster::new(4);
    let records = (0..RECORDS).map(|number| NewRecord::value(format!("{number:0100}")).partition(number % 4));
    cluster.produce(&records.collect::<Vec<_>>());
    // Long queues make it most likely that the client has all of them before the reader has half.
    let flags = ["-X", "queued.min.messages=200000", "-X", "queued.max.messages.kbytes=100000"];
    for run in 0..3 {
        let (reader, writer) = pipe().unwrap();
        let process =
            cluster.consumer().args(["-p", "0-3", "--exit-at-end"]).args(flags).stdout(writer).spawn().unwrap();
        let reader = read_slowly(reader, Duration::from_millis(3));
        let (outcome, _) = ended(process, 0);
        let count = reader.join().unwrap().lines().count();
        assert_eq!(count, usize::try_from(RECORDS).unwrap(), "run {run}: {}", report(&outcome));
    }
}

#[test]
fn exit_at_end_hands_over_all_records_on_a_fifth_of_a_core() {
    const RECORDS: i32 = 12_000;
    let cluster = Cluster::new(12);
    cluster.produce(&numbered(0..RECORDS, 12));
    for run in 0..3 {
        let process = cluster.consumer().args(["-p", "0-11", "--exit-at-end"]).spawn().unwrap();
        let throttle = process.throttle(0.2);
        let outcome = process.wait(SOON * 2).unwrap().expect_code(0).unwrap();
        drop(throttle);
        assert_eq!(
            outcome.stdout.lines().count(),
            usize::try_from(RECORDS).unwrap(),
            "run {run}: {}",
            report(&outcome)
        );
    }
}

#[test]
fn exit_at_end_reads_150_partitions_with_few_records() {
    const RECORDS: i32 = 1000;
    let cluster = Cluster::new(150);
    cluster.produce(&numbered(0..RECORDS, 150));
    for kind in [&["-p", "0-149"][..], &["-g", "g", "--group-protocol", "consumer"], &["-g", "h"]] {
        let process = cluster.consumer().arg("--exit-at-end").args(kind).spawn().unwrap();
        let (outcome, took) = ended(process, 0);
        assert_eq!(numbers(&outcome.stdout), (0..RECORDS).collect::<Vec<_>>(), "{kind:?}: {}", report(&outcome));
        assert!(took < Duration::from_secs(10), "{kind:?}: it took {took:?}");
    }
}

#[test]
fn twenty_empty_partitions_end_in_under_three_seconds() {
    let cluster = Cluster::new(20);
    let (outcome, took) = ended(cluster.consumer().args(["-p", "0-19", "--exit-at-end"]).spawn().unwrap(), 0);
    assert_eq!(outcome.stdout, "");
    assert!(took < Duration::from_secs(3), "it took {took:?}\n{}", outcome.stderr);
    // As many with records: these end where the last record is.
    cluster.produce(&numbered(0..40, 20));
    let (outcome, took) = ended(cluster.consumer().args(["-p", "0-19", "--exit-at-end"]).spawn().unwrap(), 0);
    assert_eq!(numbers(&outcome.stdout), (0..40).collect::<Vec<_>>());
    assert!(took < Duration::from_secs(3), "it took {took:?}\n{}", outcome.stderr);
}

#[test]
fn a_signal_is_honoured_while_the_ends_are_asked() {
    let cluster = Cluster::new(20);
    cluster.produce(&numbered(0..20, 20));
    cluster.mock.track_requests();
    cluster.mock.answers(1, RDKafkaApiKey::ListOffsets, 40, None, Duration::from_secs(8)).unwrap();
    let process = cluster.consumer().args(["-p", "0-19", "--exit-at-end"]).spawn().unwrap();
    cluster.mock.wait_for_request(RDKafkaApiKey::ListOffsets, SOON).unwrap();
    process.signal(Signal::TERM).unwrap();
    let (outcome, took) = ended(process, 143);
    assert!(took < AT_ONCE, "it took {took:?}\n{}", outcome.stderr);
}

#[test]
fn the_timeout_holds_while_the_ends_are_asked() {
    let cluster = Cluster::new(20);
    cluster.produce(&numbered(0..20, 20));
    cluster.mock.answers(1, RDKafkaApiKey::ListOffsets, 40, None, Duration::from_secs(20)).unwrap();
    let process = cluster.consumer().args(["-p", "0-19", "--exit-at-end", "--timeout", "2s"]).spawn().unwrap();
    let began = Instant::now();
    let outcome = process.wait(SOON).unwrap();
    let took = began.elapsed();
    // The broker answers everything else, so either code may stand for it; what counts is that it says so in time.
    assert!(matches!(outcome.code(), Some(1 | 3)), "{outcome}");
    assert!(took < Duration::from_secs(2) + AT_ONCE, "it took {took:?}\n{}", outcome.stderr);
    assert_ne!(message(&outcome), "", "{outcome}");
}

/// One member has the only partition; a one-shot run joins its group and gets none.
fn no_share(kind: &[&str]) {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..10, 1));
    let holder = Served::start(cluster.consumer().args(["-g", "g"]).args(kind)).ready();
    wait_for_records(&holder.process, 10);
    holder.wait_for_metric("kafka_consumer_assigned_partitions", Some(1.0));
    // From the beginning there would be ten records to log.
    let flags = ["-g", "g", "--exit-at-end", "--from", "earliest", "--timeout", "15s"];
    let outcome = cluster.consumer().args(flags).args(kind).run(SOON).unwrap();
    let taken = outcome.stdout.lines().count();
    // The coordinator of a classic group may give the partition to the newcomer: then it has to log all of it.
    if taken > 0 {
        assert_eq!((outcome.code(), taken), (Some(0), 10), "{outcome}");
        return;
    }
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let message = message(&outcome);
    assert!(message.contains("partition"), "{message:?} does not say that it got none");
    assert_eq!(report(&outcome)["records"], 0);
    stop(holder.process, Signal::TERM, 0);
}

#[test]
fn a_one_shot_run_without_a_share_of_a_classic_group_says_so() {
    no_share(&SHORT_SESSION);
}

#[test]
fn a_one_shot_run_without_a_share_of_a_group_of_the_brokers_protocol_says_so() {
    no_share(&["--group-protocol", "consumer"]);
}

#[test]
fn a_partition_without_a_leader_is_retried_until_the_timeout_and_named() {
    let cluster = Cluster::new(3);
    cluster.produce(&numbered(0..9, 3));
    cluster.mock.move_leader(TOPIC, 1, None).unwrap();
    for kind in [&["-p", "0-2"][..], &["-g", "g", "--group-protocol", "consumer"]] {
        let flags = ["--exit-at-end", "--timeout", "4s"];
        let process = cluster.consumer().args(flags).args(kind).spawn().unwrap();
        let (outcome, took) = ended(process, 1);
        let message = message(&outcome);
        assert!(message.contains("test[1]") && message.contains("leader"), "{kind:?}: {message}");
        assert!(took > Duration::from_secs(3) && took < Duration::from_secs(5), "{kind:?}: it took {took:?}");
    }
}

#[test]
fn a_partition_that_gets_its_leader_in_time_is_read() {
    let cluster = Cluster::new(3);
    cluster.produce(&numbered(0..9, 3));
    cluster.mock.move_leader(TOPIC, 1, None).unwrap();
    cluster.mock.track_requests();
    let flags = ["--exit-at-end", "--timeout", "20s", "-p", "0-2"];
    let process = cluster.consumer().args(flags).spawn().unwrap();
    cluster.mock.wait_for_request(RDKafkaApiKey::Metadata, SOON).unwrap();
    // Long enough to have seen that nobody leads it.
    assert!(process.wait_for_stdout(Duration::from_secs(2), |line| line.contains(r#""partition":1,"#)).is_err());
    assert!(process.is_running(), "{}", process.stderr());
    cluster.mock.move_leader(TOPIC, 1, Some(1)).unwrap();
    let (outcome, _) = ended(process, 0);
    assert_eq!(numbers(&outcome.stdout), (0..9).collect::<Vec<_>>());
}

#[test]
fn the_broker_of_a_partition_that_is_away_is_retried_until_the_timeout() {
    let mock = Mock::start(2).unwrap();
    mock.create_topic(TOPIC, 2, 1).unwrap();
    mock.move_leader(TOPIC, 0, Some(1)).unwrap();
    mock.move_leader(TOPIC, 1, Some(2)).unwrap();
    let cluster = Cluster { mock };
    cluster.produce(&numbered(0..10, 2));
    cluster.mock.broker_down(2).unwrap();
    let flags = ["-p", "0-1", "--exit-at-end", "--timeout", "4s"];
    let (outcome, took) = ended(cluster.consumer().args(flags).spawn().unwrap(), 1);
    assert!(took < Duration::from_secs(4) + AT_ONCE, "it took {took:?}");
    assert!(message(&outcome).contains("test[1]"), "{}", report(&outcome));
    // Back in time, it costs nothing.
    let process = cluster.consumer().args(["-p", "0-1", "--exit-at-end", "--timeout", "25s"]).spawn().unwrap();
    assert!(process.wait_for_stdout(Duration::from_secs(2), |line| line.contains(r#""partition":1,"#)).is_err());
    assert!(process.is_running(), "{}", process.stderr());
    cluster.mock.broker_up(2).unwrap();
    let (outcome, _) = ended(process, 0);
    assert_eq!(numbers(&outcome.stdout), (0..10).collect::<Vec<_>>());
}

#[test]
fn several_topics_end_each_at_its_own_end() {
    let cluster = Cluster::new(3);
    cluster.mock.create_topic("orders", 3, 1).unwrap();
    cluster.mock.create_topic("empty", 3, 1).unwrap();
    cluster.produce(&numbered(0..300, 3));
    cluster.produce_values("orders", &["a", "b"]);
    let live = cluster.trickle(&[0], LIVE);
    live.wait_for(5, SOON).unwrap();
    let flags = ["-t", "test,orders,empty", "--exit-at-end"];
    let (outcome, took) = ended(cluster.member("g").args(flags).args(AS_IT_COMES).spawn().unwrap(), 0);
    let of = |topic: &str| lines(&outcome.stdout).iter().filter(|line| line["topic"] == topic).count();
    assert_eq!(of("orders"), 2);
    assert!(of(TOPIC) >= 305, "{} of {TOPIC}", of(TOPIC));
    assert_eq!(values(&outcome.stdout).len(), of(TOPIC) + 2);
    assert!(took < Duration::from_secs(6), "it took {took:?}");
}
