//! Brokers that are away, at the start or later: an endless run waits and says why, a one-shot run ends by its deadline.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Instant;

use testbed::process::Signal;
use testbed::visitors::Visitors;

use crate::support::{
    Cluster, NOWHERE, SOON, Served, consumer, numbered, numbers, report, stop, values, wait_for_records,
};

/// Statistics tell that a connection is back.
const SOON_KNOWN: [&str; 2] = ["--statistics-interval", "100ms"];

#[test]
fn an_endless_run_waits_for_its_brokers_and_says_why() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..3, 1));
    cluster.mock.all_down().unwrap();
    let served = Served::start(cluster.consumer().args(["-p", "0"]).args(SOON_KNOWN));
    let server = cluster.mock.bootstrap_servers();
    let unready = served.wait_for("/readyz", 503, "Connect");
    assert!(
        unready.body.contains("refused") || unready.body.contains("Disconnected"),
        "librdkafka's cause: {unready:?}"
    );
    assert!(unready.body.contains(&server), "{unready:?}");
    assert_eq!(served.get("/livez").status, 200, "a restart would not help");
    cluster.mock.all_up().unwrap();
    wait_for_records(&served.process, 3);
    let served = served.ready();
    let outcome = stop(served.process, Signal::TERM, 0);
    assert_eq!(values(&outcome.stdout), ["0", "1", "2"]);
}

#[test]
fn brokers_that_go_and_come_back_cost_nothing_but_time() {
    let cluster = Cluster::new(2);
    cluster.produce(&numbered(0..20, 2));
    let served = Served::start(cluster.member("g").args(SOON_KNOWN)).ready();
    wait_for_records(&served.process, 20);
    cluster.mock.all_down().unwrap();
    served.wait_for("/readyz", 503, "no broker of");
    assert_eq!(served.get("/livez").status, 200);
    served.wait_for_metric(r#"kafka_consumer_broker_up{broker="1"}"#, Some(0.0));
    cluster.mock.all_up().unwrap();
    cluster.produce(&numbered(20..40, 2));
    wait_for_records(&served.process, 40);
    let served = served.ready();
    served.process.wait_for_stderr_events("ready", 2, SOON).unwrap();
    let outcome = stop(served.process, Signal::TERM, 0);
    assert_eq!(numbers(&outcome.stdout), (0..40).collect::<Vec<_>>());
}

/// Runs a one-shot consumer against an address where no Kafka is; what it says of the cause.
fn unreachable(server: &str) -> String {
    let started = Instant::now();
    let program = consumer().args(["-b", server, "-n", "1", "--timeout", "1s"]);
    let outcome = program.run(SOON).unwrap().expect_code(3).unwrap();
    assert!(started.elapsed() < SOON / 2, "{:?}", started.elapsed());
    let report = report(&outcome);
    assert_eq!(
        (&report["outcome"], &report["exit_code"], &report["records"]),
        (&"unreachable".into(), &3.into(), &0.into())
    );
    report["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_one_shot_run_ends_by_its_deadline_and_names_the_cause() {
    let closed = unreachable(NOWHERE);
    assert!(closed.contains(NOWHERE) && closed.contains("Connection refused"), "{closed}");
    assert!(closed.contains("KAFKA_SECURITY_PROTOCOL"), "what to check: {closed}");
}

#[test]
fn a_host_that_does_not_exist_is_named() {
    let message = unreachable("no-such-host.invalid:9092");
    assert!(message.contains("no-such-host.invalid") && message.contains("resolve"), "{message}");
}

#[test]
fn a_port_that_is_no_kafka_is_unreachable_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // Ends with the test's process.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let message = unreachable(&address);
    assert!(message.contains(&address), "{message}");
}

#[test]
fn a_port_that_says_nothing_does_not_outlast_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let message = unreachable(&address);
    assert!(message.contains(&address), "{message}");
}

#[test]
fn a_broker_that_is_away_is_tried_less_and_less_often() {
    let visitors = Visitors::expect().unwrap();
    let program = consumer().args(["-b", &visitors.address(), "-g", "g", "-n", "1", "--timeout", "6s"]);
    program.run(SOON).unwrap().expect_code(3).unwrap();
    // Seven in the first two and a half seconds, then one in two. It were four hundred.
    assert!((4..=20).contains(&visitors.count()), "{} connections in 6 s", visitors.count());
}
