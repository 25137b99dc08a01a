//! Readiness: what a consumer that has its partitions needs to stay ready, and that it is ready again afterwards.

use std::time::Duration;

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use testbed::http;
use testbed::mock::Mock;
use testbed::process::Signal;

use crate::support::{Cluster, SOON, Served, TOPIC, numbered, stop, wait_for_records};

/// Commits may fail for this long before it counts.
const COMMITS: Duration = Duration::from_secs(30);
/// How late a change may be seen. A broker has 10 s to answer.
const SEEN: Duration = Duration::from_secs(15);

/// Waits until `/readyz` answers with this status, and what it says.
fn readyz(served: &Served, status: u16, within: Duration) -> String {
    http::wait_for(served.address, "/readyz", within, |answer| answer.status == status)
        .unwrap_or_else(|error| panic!("{error:#}\n--- stderr\n{}", served.process.stderr()))
        .body
}

#[test]
fn brokers_that_do_not_answer_make_it_not_ready_in_seconds() {
    let cluster = Cluster::new(2);
    cluster.produce(&numbered(0..10, 2));
    let served = Served::start(cluster.member("g")).ready();
    wait_for_records(&served.process, 10);
    // Connections stay open and nothing comes back: as if all packets were dropped.
    cluster.mock.round_trip_time_of_all(Duration::from_secs(60)).unwrap();
    let reason = readyz(&served, 503, SEEN);
    assert!(reason.contains("answer"), "no reason that fits: {reason:?}");
    assert_eq!(served.get("/livez").status, 200, "a restart would not help");
}

#[test]
fn the_leader_of_one_partition_that_does_not_answer_is_named_and_may_come_back() {
    let mock = Mock::start(3).unwrap();
    mock.create_topic(TOPIC, 3, 1).unwrap();
    for partition in 0..3 {
        mock.move_leader(TOPIC, partition, Some(partition + 1)).unwrap();
    }
    let cluster = Cluster { mock };
    cluster.produce(&numbered(0..9, 3));
    let served = Served::start(cluster.consumer().args(["-p", "0-2"])).ready();
    wait_for_records(&served.process, 9);
    // Two of three are away; the one that is left answers everything.
    cluster.mock.broker_down(2).unwrap();
    cluster.mock.broker_down(3).unwrap();
    let reason = readyz(&served, 503, SEEN);
    assert!(reason.contains("test[1]") || reason.contains("test[2]"), "no partition is named: {reason:?}");
    cluster.mock.broker_up(2).unwrap();
    cluster.mock.broker_up(3).unwrap();
    readyz(&served, 200, SOON);
    stop(served.process, Signal::TERM, 0);
}

#[test]
fn commits_that_fail_for_half_a_minute_make_it_not_ready_until_one_succeeds() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..10, 1));
    let served = Served::start(cluster.member("g").args(["--commit-interval", "500ms"])).ready();
    served.wait_for_at_least(r#"kafka_consumer_commits_total{result="ok"}"#, 1.0);
    let refusals = vec![RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE; 1000];
    cluster.mock.fail_requests(RDKafkaApiKey::OffsetCommit, &refusals);
    cluster.produce(&numbered(10..20, 1));
    served.wait_for_at_least(r#"kafka_consumer_commits_total{result="error"}"#, 1.0);
    assert_eq!(served.get("/readyz").status, 200, "one that fails is nothing");
    let reason = readyz(&served, 503, COMMITS + SEEN);
    assert!(reason.contains("commit"), "no reason that fits: {reason:?}");
    cluster.mock.clear_failures(RDKafkaApiKey::OffsetCommit);
    readyz(&served, 200, SOON);
    stop(served.process, Signal::TERM, 0);
}

#[test]
fn ready_comes_after_the_first_answered_fetch_of_each_topic() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..3, 1));
    let refusal = Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR);
    cluster.mock.answers(1, RDKafkaApiKey::Fetch, 1000, refusal, Duration::ZERO).unwrap();
    cluster.mock.track_requests();
    let served = Served::start(cluster.consumer().args(["-p", "0"]));
    cluster.mock.wait_for_request(RDKafkaApiKey::Fetch, SOON).unwrap();
    // It has its partition, and none of its records.
    let ready = http::wait_for(served.address, "/readyz", Duration::from_secs(3), |answer| answer.status == 200);
    assert!(ready.is_err(), "ready although no fetch was answered\n{}", served.process.stderr());
    let reason = served.get("/readyz").body;
    assert!(reason.contains(TOPIC), "no topic is named: {reason:?}");
    stop(served.process, Signal::TERM, 0);
}
