//! `check` against the mock cluster, which has no rights and no configuration to tell, and against none.

use serde_json::Value;
use testbed::process::{Outcome, Signal};

use crate::support::*;

/// A check with these arguments.
fn check(args: &[&str]) -> Outcome {
    producer().arg("check").args(args).run(SOON).unwrap()
}

/// The status of each finding of a layer.
fn statuses(report: &Value, layer: &str) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap_or_else(|| panic!("no findings: {report}"));
    let of_layer = findings.iter().filter(|finding| finding["layer"] == layer);
    of_layer.map(|finding| finding["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_there_passes_line_by_line() {
    let cluster = Cluster::new(3);
    let servers = cluster.mock.bootstrap_servers();
    let outcome = check(&["-b", &servers, "--json"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let report = outcome.json().unwrap();
    assert_eq!(report["event"], "check");
    for layer in ["name", "tcp", "login", "listeners", "topic"] {
        assert_eq!(statuses(&report, layer), ["PASS"], "{layer}: {report}");
    }
    assert!(statuses(&report, "tls").is_empty(), "nobody asked for it: {report}");
    assert_eq!(cluster.count(), 0, "a check sends nothing");

    let outcome = check(&["-b", &servers]);
    assert_says(
        &outcome.stdout,
        &["PASS  name ", "PASS  topic test: 3 partitions", "not verified  rights Write on topic test"],
    );
}

#[test]
fn each_layer_that_fails_has_its_code_and_those_below_are_not_reached() {
    let outcome = check(&["-b", NOWHERE, "--json"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    let report = outcome.json().unwrap();
    assert_eq!((statuses(&report, "name"), statuses(&report, "tcp")), (vec!["PASS".into()], vec!["FAIL".into()]));
    for layer in ["login", "brokers", "listeners", "topic", "rights"] {
        assert_eq!(statuses(&report, layer), ["not reached"], "{layer}: {report}");
    }

    let outcome = check(&["-b", "no-such-host.invalid:9092", "--json"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    let report = outcome.json().unwrap();
    assert_eq!(
        (statuses(&report, "name"), statuses(&report, "tcp")),
        (vec!["FAIL".into()], vec!["not reached".into()])
    );

    let web = Impostor::new(Manner::Http);
    let outcome = check(&["-b", &web.address(), "--json", "--timeout", "3s"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    let outcome = check(&["-b", &web.address(), "--security-protocol", "SSL", "--json", "--timeout", "3s"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    let report = outcome.json().unwrap();
    assert_eq!(
        (statuses(&report, "tls"), statuses(&report, "login")),
        (vec!["FAIL".into()], vec!["not reached".into()])
    );
}

#[test]
fn a_topic_that_is_not_there_is_refused_unless_the_run_creates_it() {
    let cluster = Cluster::new(1);
    let servers = cluster.mock.bootstrap_servers();
    let outcome = check(&["-b", &servers, "-t", "nothing", "--json"]);
    assert_eq!(outcome.code(), Some(4), "{outcome}");
    assert_says(&outcome.stdout, &["missing Describe, or no such topic"]);
    let outcome = check(&["-b", &servers, "-t", "nothing", "--create-topic", "1:1", "--json"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(cluster.run(&["-t", "nothing", "--timeout", "10s"]).code(), Some(4), "a check creates nothing");
}

#[test]
fn it_waits_until_all_is_there() {
    let cluster = Cluster::new(1);
    cluster.mock.all_down().unwrap();
    let servers = cluster.mock.bootstrap_servers();
    let process = producer().args(["check", "-b", &servers, "--wait", "--timeout", "60s", "--json"]).spawn().unwrap();
    process.wait_for_stderr_event("check_again", SOON).unwrap();
    cluster.mock.all_up().unwrap();
    let outcome = process.wait(SOON).unwrap();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
}

#[test]
fn a_signal_ends_it() {
    let process = producer().args(["check", "-b", NOWHERE, "--wait", "--timeout", "60s", "--json"]).spawn().unwrap();
    process.wait_for_stderr_event("check_again", SOON).unwrap();
    process.signal(Signal::TERM).unwrap();
    let outcome = process.wait(SOON).unwrap();
    assert_eq!(outcome.code(), Some(143), "{outcome}");
}

#[test]
fn wrong_settings_are_told_before_anything_is_tried() {
    let outcome = check(&["-b", "http://nowhere:9092", "-t", "bad name"]);
    assert_eq!(outcome.code(), Some(2), "{outcome}");
    assert_says(&outcome.stderr, &["--topic", "an address is no URL"]);
}

#[test]
fn who_takes_connections_and_answers_nothing_is_no_broker_that_passes() {
    let (cluster, silent) = (Cluster::new(1), Impostor::new(Manner::Silent));
    let servers = format!("{},{}", cluster.mock.bootstrap_servers(), silent.address());
    let outcome = check(&["-b", &servers]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert_says(&outcome.stdout, &["FAIL  brokers", &silent.address(), "takes connections, and answers nothing"]);
}
