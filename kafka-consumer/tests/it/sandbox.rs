//! A consumer that has confined itself does its work, and its `ready` says how far it is confined.

use std::fs;

use testbed::process::Signal;

use crate::support::*;

#[test]
fn a_confined_consumer_does_all_its_work_and_says_how_far_it_is_confined() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..3, 1));
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("termination-log");
    fs::write(&log, "").unwrap();
    let program = cluster.consumer().args(["-p", "0", "--sandbox", "require", "--termination-log"]).arg(&log);
    let served = Served::start(program).ready();
    wait_for_records(&served.process, 3);
    assert!(served.metric("process_open_fds").is_some_and(|count| count > 0.0));
    let ready = served.process.wait_for_stderr_event("ready", SOON).unwrap();
    assert_eq!((&ready["sandbox.files"], &ready["sandbox.bind"]), (&true.into(), &true.into()), "{ready}");
    assert_eq!(
        (&ready["sandbox.missing"], ready["sandbox.abi"].as_u64().is_some_and(|abi| abi >= 6)),
        (&"".into(), true),
        "{ready}"
    );
    let outcome = stop(served.process, Signal::TERM, 0);
    let left: serde_json::Value = serde_json::from_slice(&fs::read(&log).unwrap()).unwrap();
    assert_eq!((&left["outcome"], &left["records"]), (&"ok".into(), &3.into()), "{outcome}");
}

#[test]
fn a_consumer_that_is_not_confined_says_nothing_of_it() {
    let cluster = Cluster::new(1);
    let served = Served::start(cluster.consumer().args(["-p", "0"])).ready();
    let ready = served.process.wait_for_stderr_event("ready", SOON).unwrap();
    assert!(ready.get("sandbox.abi").is_none(), "{ready}");
    stop(served.process, Signal::TERM, 0);
}

#[test]
fn a_port_that_is_taken_is_a_problem_with_the_settings() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for mode in ["off", "require"] {
        let outcome =
            consumer().args(["-b", NOWHERE, "--sandbox", mode]).env("ADMIN_LISTEN", &address).run(SOON).unwrap();
        let outcome = outcome.expect_code(2).unwrap();
        assert!(outcome.stderr.contains(&format!("--listen {address}: cannot be bound")), "{outcome}");
    }
}
