//! What the group's coordinator and the brokers refuse for good ends a run that has not begun its work with code 4 and
//! says why; what may yet come is waited for.

use std::time::{Duration, Instant};

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use testbed::process::Outcome;

use crate::support::{Cluster, SOON, Served, TOPIC, message, numbered, numbers, report, wait_for_records};

/// A refusal is told within seconds.
const SECONDS: Duration = Duration::from_secs(10);

/// The reason in an endless run's last words: it has no report.
fn last_words(outcome: &Outcome) -> String {
    let failed = outcome.events().into_iter().rfind(|event| event["level"] == "ERROR");
    let message = failed.as_ref().and_then(|event| event["message"].as_str());
    message.unwrap_or_else(|| panic!("no last words\n{outcome}")).to_owned()
}

/// An endless and a one-shot member both end with 4 in seconds, and say this.
fn refused(cluster: &Cluster, flags: &[&str], words: &[&str]) {
    let says = |said: &str| words.iter().all(|word| said.to_lowercase().contains(&word.to_lowercase()));
    let began = Instant::now();
    let endless = cluster.consumer().args(["-g", "g"]).args(flags).run(SOON).unwrap().expect_code(4).unwrap();
    assert!(began.elapsed() < SECONDS, "it took {:?}\n{endless}", began.elapsed());
    assert!(says(&last_words(&endless)), "{words:?}: {endless}");
    let began = Instant::now();
    let one_shot = cluster.consumer().args(["-g", "g", "--exit-at-end", "--timeout", "20s"]).args(flags);
    let one_shot = one_shot.run(SOON).unwrap().expect_code(4).unwrap();
    assert!(began.elapsed() < SECONDS, "it took {:?}\n{one_shot}", began.elapsed());
    assert!(says(&message(&one_shot)), "{words:?}: {one_shot}");
    assert_eq!(report(&one_shot)["outcome"], "refused");
}

fn refuses_to_join(error: RDKafkaRespErr, flags: &[&str], words: &[&str]) {
    let cluster = Cluster::new(1);
    cluster.mock.fail_requests(RDKafkaApiKey::JoinGroup, &[error; 200]);
    refused(&cluster, flags, words);
}

#[test]
fn an_inconsistent_group_protocol_is_final() {
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL;
    refuses_to_join(error, &[], &["protocol", "group g"]);
}

#[test]
fn a_session_timeout_out_of_bounds_is_final() {
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT;
    refuses_to_join(error, &["-X", "session.timeout.ms=1000"], &["session.timeout.ms"]);
}

#[test]
fn a_broker_without_the_new_group_protocol_is_named_as_such() {
    let cluster = Cluster::new(1);
    cluster.mock.without_kip848().unwrap();
    refused(&cluster, &["--group-protocol", "consumer"], &["KIP-848", "classic"]);
}

#[test]
fn a_regular_expression_without_a_match_is_an_unknown_topic() {
    let cluster = Cluster::new(1);
    let flags = ["-t", r"^orders\..*", "-g", "g"];
    let began = Instant::now();
    let one_shot = cluster.consumer().args(flags).args(["--exit-at-end", "--timeout", "20s"]);
    let outcome = one_shot.run(SOON).unwrap().expect_code(4).unwrap();
    assert!(began.elapsed() < SECONDS, "it took {:?}\n{outcome}", began.elapsed());
    assert!(message(&outcome).contains(r"^orders\..*"), "{outcome}");
}

#[test]
fn an_endless_run_waits_for_a_topic_that_its_regular_expression_matches() {
    let cluster = Cluster::new(1);
    let flags = ["-t", r"^orders\..*", "-g", "g", "-X", "session.timeout.ms=2000"];
    let refresh = ["-X", "topic.metadata.refresh.interval.ms=1000"];
    let served = Served::start(cluster.consumer().args(flags).args(refresh));
    let body = served.wait_for("/readyz", 503, r"^orders\..*").body;
    assert!(body.contains("match"), "the reason: {body}");
    cluster.mock.create_topic("orders.eu", 1, 1).unwrap();
    cluster.produce_values("orders.eu", &["1", "2"]);
    wait_for_records(&served.process, 2);
    served.wait_for("/readyz", 200, "");
    assert_eq!(numbers(&served.process.stdout()), [1, 2]);
}

#[test]
fn an_offset_that_a_partition_does_not_have_is_refused_with_its_range() {
    let cluster = Cluster::new(2);
    cluster.produce(&numbered(0..10, 2));
    for kind in [&["-p", "0"][..], &["-g", "g", "--group-protocol", "consumer"]] {
        for shape in [&["--exit-at-end"][..], &["--max-records", "1"], &[]] {
            let flags = ["--from", "offset:99999"];
            let outcome = cluster.consumer().args(kind).args(shape).args(flags).run(SOON).unwrap();
            let outcome = outcome.expect_code(4).unwrap();
            let said = last_words(&outcome);
            let named =
                said.contains("99999") && said.contains(TOPIC) && (said.contains("0 to 5") || said.contains("0 to 4"));
            assert!(named, "{kind:?} {shape:?}: {said}");
        }
    }
    // The next offset to come is one that the partition has.
    let at_the_end = cluster.run(&["-p", "0", "--from", "offset:5", "--exit-at-end"]).expect_code(0).unwrap();
    assert_eq!(at_the_end.stdout, "");
}

#[test]
fn no_reset_policy_ends_a_run_without_an_offset() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..10, 1));
    let flags = ["-g", "g", "--group-protocol", "consumer", "-X", "auto.offset.reset=error"];
    let outcome = cluster.consumer().args(flags).run(SOON).unwrap().expect_code(4).unwrap();
    assert!(last_words(&outcome).contains("auto.offset.reset"), "{outcome}");
    let outcome = cluster.consumer().args(flags).arg("--exit-at-end").run(SOON).unwrap().expect_code(4).unwrap();
    assert!(message(&outcome).contains("auto.offset.reset"), "{outcome}");
}
