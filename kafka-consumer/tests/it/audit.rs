//! `kafka-consumer audit`: what it says of a run, and what it needs to be told. Starts by time need a broker that looks times
//! up, which the mock does not: it answers the end, so that these runs show that the audit then looks from the beginning.

use std::time::Duration;

use common::stamp::{HEADER, Writer};
use serde_json::Value;
use testbed::process::{Outcome, Signal};
use testbed::records::NewRecord;

use crate::support::{Cluster, NOWHERE, SOON, TOPIC, consumer, stop};

const RUN: &str = "run 1";
const PARTITIONS: i32 = 3;

/// Messages of one attempt, as a producer stamps them, over the partitions in turn.
fn messages(attempt: u32, numbers: impl Iterator<Item = u64>) -> Vec<NewRecord> {
    let mut stamp = Writer::new(RUN, attempt);
    let message = |seq: u64| {
        let (key, value) = (seq.to_string(), format!("message {seq}"));
        let header = stamp.write(seq, 1_795_432_527_123_456, Some(key.as_bytes()), Some(value.as_bytes())).to_vec();
        let partition = i32::try_from(seq).unwrap() % PARTITIONS;
        NewRecord::value(value).key(key).partition(partition).header(HEADER, Some(&header))
    };
    numbers.map(message).collect()
}

fn report(attempt: u32, requested: u64, delivered: u64, unacknowledged: &str) -> String {
    format!(
        r#"{{"v":1,"event":"report","run_id":"{RUN}","topic":"{TOPIC}","attempt":"{attempt:08x}","started":"2026-11-23T13:25:28.307Z","total":{requested},"requested":{requested},"delivered":{delivered},"failed":{},"unsent":0,"unacknowledged":{unacknowledged},"outcome":"ok","exit_code":0}}"#,
        requested - delivered
    )
}

fn audit(cluster: &Cluster, args: &[&str]) -> Outcome {
    let program = consumer().args(["audit", "-b", &cluster.mock.bootstrap_servers(), "--run", RUN]);
    program.args(args).run(SOON).unwrap()
}

/// What an audit says that ended with this code.
fn verdict(outcome: &Outcome, code: i32) -> Value {
    assert_eq!(outcome.code(), Some(code), "{outcome}");
    let verdict = outcome.json().unwrap();
    assert_eq!((&verdict["event"], &verdict["exit_code"]), (&"audit".into(), &code.into()), "{verdict}");
    verdict
}

/// Records, distinct, missing, lost, written twice, resent, reordered, damaged, unchecked, others.
fn counts(verdict: &Value) -> [u64; 10] {
    const NAMES: [&str; 10] = [
        "records",
        "distinct",
        "missing",
        "lost",
        "written_twice",
        "resent",
        "reordered",
        "damaged",
        "unchecked",
        "other_records",
    ];
    NAMES.map(|name| verdict[name].as_u64().unwrap_or_else(|| panic!("no {name}: {verdict}")))
}

#[test]
fn a_whole_run_is_proven_in_json_and_as_a_table() {
    let cluster = Cluster::new(PARTITIONS);
    cluster.produce(&messages(1, 0..20));
    cluster.produce(&[NewRecord::value("no stamp").partition(0)]);
    let seen = verdict(&audit(&cluster, &["--expect", "20"]), 0);
    assert_eq!(counts(&seen), [20, 20, 0, 0, 0, 0, 0, 0, 1, 0]);
    assert_eq!((&seen["expected"], &seen["attempts"], &seen["v"]), (&20.into(), &1.into(), &1.into()));
    assert_eq!((&seen["unproven"], &seen["outcome"]), (&Value::Array(Vec::new()), &"ok".into()));
    let table = audit(&cluster, &["--expect", "20", "--format", "table"]);
    assert_eq!(table.code(), Some(0), "{table}");
    assert!(table.stdout.contains("written twice  0\n") && table.stdout.contains("ok (exit code 0)"), "{table}");
}

#[test]
fn each_fault_has_its_name_and_its_places() {
    let cluster = Cluster::new(PARTITIONS);
    let mut records = messages(1, 0..20);
    // 4 and 7 change places, 5 is missing, 6 comes twice, the value of 8 is another one.
    records.swap(4, 7);
    records[8].value = Some(b"message 9".to_vec());
    let again = records[6].clone();
    records.insert(7, again);
    records.remove(5);
    cluster.produce(&records);
    let seen = verdict(&audit(&cluster, &["--expect", "20"]), 5);
    assert_eq!(counts(&seen), [20, 19, 1, 0, 1, 0, 1, 1, 0, 0]);
    assert_eq!(seen["missing_ranges"], serde_json::json!([[5, 5]]));
    let places = serde_json::json!({
        "written_twice": [{"seq": 6, "attempt": "00000001"}],
        "reordered": [{"partition": 1, "offset": 2, "seq": 4, "attempt": "00000001"}],
        "damaged": [{"partition": 2, "offset": 1, "seq": 8, "attempt": "00000001"}],
    });
    assert_eq!(seen["places"], places);
    let message = seen["message"].as_str().unwrap();
    assert!(message.ends_with("1 missing of 20, 1 written twice, 1 reordered, 1 damaged"), "{message}");
}

#[test]
fn a_report_tells_what_is_lost_and_what_its_process_never_promised() {
    let cluster = Cluster::new(PARTITIONS);
    // The second attempt covers the gap of the first.
    cluster.produce(&messages(1, (0..20).filter(|seq| *seq != 5)));
    cluster.produce(&messages(2, 0..20));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("producer.log");
    let flag = file.to_str().unwrap();
    let second = report(2, 20, 20, "[]");
    std::fs::write(&file, format!("a line of a log\n{}\n{second}\n", report(1, 20, 19, "[[5,5]]"))).unwrap();
    let seen = verdict(&audit(&cluster, &["--report", flag]), 0);
    assert_eq!(counts(&seen), [39, 20, 0, 0, 0, 19, 0, 0, 0, 0]);
    std::fs::write(&file, format!("{}\n{second}\n", report(1, 20, 20, "[]"))).unwrap();
    let seen = verdict(&audit(&cluster, &["--report", flag]), 5);
    assert_eq!(counts(&seen), [39, 20, 0, 1, 0, 19, 0, 0, 0, 0]);
    assert_eq!(seen["places"]["lost"], serde_json::json!([{"seq": 5, "attempt": "00000001"}]));
    std::fs::write(&file, format!("{}\n{second}\n", report(1, 20, 18, "[[9,9]]"))).unwrap();
    let seen = verdict(&audit(&cluster, &["--report", flag]), 1);
    let reasons = seen["unproven"].to_string();
    assert!(reasons.contains("the report of attempt 00000001 does not list all"), "{reasons}");
}

#[test]
fn without_an_expectation_faults_are_found_and_nothing_is_proven() {
    let cluster = Cluster::new(PARTITIONS);
    cluster.produce(&messages(1, 0..20));
    let seen = verdict(&audit(&cluster, &["--no-expect"]), 1);
    assert_eq!((&seen["expected"], counts(&seen)[0]), (&Value::Null, 20));
    assert!(seen["unproven"].to_string().contains("--no-expect"), "{seen}");
    cluster.produce(&messages(1, 3..4));
    let seen = verdict(&audit(&cluster, &["--no-expect"]), 5);
    assert_eq!(counts(&seen), [21, 20, 0, 0, 1, 0, 0, 0, 0, 0]);
}

#[test]
fn what_cannot_be_audited_is_a_problem_with_the_settings() {
    let says = |args: &[&str], text: &str| {
        let program = consumer().args(["audit", "-b", NOWHERE]).args(args);
        let outcome = program.run(SOON).unwrap().expect_code(2).unwrap();
        assert!(outcome.stderr.contains(text), "{args:?}: {outcome}");
        assert_eq!(outcome.stdout, "");
    };
    let run = ["--run", RUN];
    says(&[], "--run");
    says(&run, "nothing says what was sent");
    says(&[&run[..], &["--expect", "1000000001"]].concat(), "at most 1000000000");
    says(&[&run[..], &["--expect", "5", "--no-expect"]].concat(), "--no-expect");
    says(&[&run[..], &["--report", "/nowhere/report.json"]].concat(), "--report /nowhere/report.json: cannot be read");
    says(&[&run[..], &["--expect", "5", "--wait"]].concat(), "--wait needs --timeout");
    says(&[&run[..], &["--expect", "5", "--from", "latest"]].concat(), "expected earliest, time:");
    says(
        &[&run[..], &["--expect", "5", "--timeout", "soon"]].concat(),
        "--timeout (AUDIT_TIMEOUT): expected a duration",
    );
    says(&[&run[..], &["--expect", "5", "-X", "isolation.level=read_uncommitted"]].concat(), "isolation.level");
    says(&["--run", "a;b", "--expect", "5"], "without semicolons");
    says(&[&run[..], &["--expect", "5", "-t", "a,b"]].concat(), "--topic");
}

#[test]
fn settings_come_from_variables_and_a_consumers_own_do_not_disturb() {
    let cluster = Cluster::new(PARTITIONS);
    cluster.produce(&messages(1, 0..20));
    let program = consumer().args(["audit", "-b", &cluster.mock.bootstrap_servers()]);
    let variables =
        [("AUDIT_RUN", RUN), ("AUDIT_EXPECT", "20"), ("CONSUMER_FROM", "latest"), ("CONSUMER_MAX_RECORDS", "1")];
    let outcome = program.envs(variables).run(SOON).unwrap();
    assert_eq!(counts(&verdict(&outcome, 0))[1], 20);
}

#[test]
fn a_topic_or_broker_that_is_not_there_is_told_as_always() {
    let cluster = Cluster::new(PARTITIONS);
    let seen = verdict(&audit(&cluster, &["--expect", "1", "--topic", "other"]), 4);
    assert!(seen["message"].as_str().unwrap().contains("other"), "{seen}");
    let program = consumer().args(["audit", "-b", NOWHERE, "--run", RUN, "--expect", "1", "--timeout", "2s"]);
    let seen = verdict(&program.run(SOON).unwrap(), 3);
    assert_eq!(counts(&seen)[0], 0);
    assert!(!seen["unproven"].as_array().unwrap().is_empty(), "{seen}");
}

#[test]
fn a_partition_that_is_not_read_to_its_end_proves_nothing() {
    let cluster = Cluster::new(PARTITIONS);
    cluster.produce(&messages(1, 0..20));
    cluster.mock.move_leader(TOPIC, 1, None).unwrap();
    let seen = verdict(&audit(&cluster, &["--expect", "20", "--timeout", "3s"]), 1);
    assert!(seen["unproven"].to_string().contains("test[1]"), "{seen}");
}

#[test]
fn it_waits_for_what_is_missing_until_the_timeout() {
    let cluster = Cluster::new(PARTITIONS);
    cluster.produce(&messages(1, 0..10));
    let program = consumer().args(["audit", "-b", &cluster.mock.bootstrap_servers(), "--run", RUN, "--expect", "20"]);
    let waiting = program.args(["--wait", "--timeout", "60s"]).spawn().unwrap();
    // It has been through the topic once, at least.
    waiting.wait_for_stderr_events("ready", 2, SOON).unwrap();
    cluster.produce(&messages(1, 10..20));
    let seen = verdict(&waiting.wait(SOON).unwrap(), 0);
    assert_eq!(counts(&seen), [20, 20, 0, 0, 0, 0, 0, 0, 0, 0]);
    let seen = verdict(&audit(&cluster, &["--expect", "21", "--wait", "--timeout", "4s"]), 5);
    assert_eq!((counts(&seen)[2], &seen["missing_ranges"]), (1, &serde_json::json!([[20, 20]])));
}

#[test]
fn a_signal_ends_it_with_what_was_found() {
    let cluster = Cluster::new(PARTITIONS);
    cluster.produce(&messages(1, 0..10));
    let program = consumer().args(["audit", "-b", &cluster.mock.bootstrap_servers(), "--run", RUN, "--expect", "20"]);
    let waiting = program.args(["--wait", "--timeout", "60s"]).spawn().unwrap();
    waiting.wait_for_stderr_events("ready", 2, SOON).unwrap();
    let outcome = stop(waiting, Signal::TERM, 143);
    let seen = outcome.json().unwrap();
    assert_eq!((&seen["outcome"], counts(&seen)[2]), (&"terminated".into(), 10));
}

#[test]
fn the_verdict_is_left_in_the_termination_log() {
    let cluster = Cluster::new(PARTITIONS);
    cluster.produce(&messages(1, (0..1000).filter(|seq| seq % 7 != 0)));
    // Twice what is not a multiple of 5: many places.
    cluster.produce(&messages(1, (0..1000).filter(|seq| seq % 7 != 0 && seq % 5 != 0)));
    let log = tempfile::NamedTempFile::new().unwrap();
    let path = log.path().to_str().unwrap();
    let flags = ["--expect", "1000", "--termination-log", path];
    let seen = verdict(&audit(&cluster, &flags), 5);
    assert_eq!(seen["places"]["written_twice"].as_array().unwrap().len(), 20);
    let left: Value = serde_json::from_str(&std::fs::read_to_string(log.path()).unwrap()).unwrap();
    assert_eq!((&left["exit_code"], &left["written_twice"]), (&5.into(), &seen["written_twice"]));
}

#[test]
fn records_that_the_process_has_logged_before_are_counted_and_told() {
    const SESSION: Duration = Duration::from_secs(2);
    let cluster = Cluster::new(1);
    cluster.produce(&crate::support::numbered(0..10, 1));
    let session = format!("session.timeout.ms={}", SESSION.as_millis());
    let program = cluster.consumer().args(["-g", "g", "-X", &session, "--commit-interval", "1h"]);
    let served = crate::support::Served::start(program).ready();
    let series = r#"kafka_consumer_repeated_records_total{partition="0",topic="test"}"#;
    crate::support::wait_for_records(&served.process, 10);
    assert_eq!(served.metric(series), None, "nothing was repeated");
    // The group gives it up before it could commit.
    served.process.signal(Signal::STOP).unwrap();
    std::thread::sleep(SESSION * 2);
    served.process.signal(Signal::CONT).unwrap();
    crate::support::wait_for_records(&served.process, 20);
    let event = served.process.wait_for_stderr_event("records_repeated", SOON).unwrap();
    assert_eq!((&event["from"], &event["to"], &event["level"]), (&0.into(), &9.into(), &"WARN".into()));
    served.wait_for_metric(series, Some(10.0));
    stop(served.process, Signal::TERM, 0);
}
