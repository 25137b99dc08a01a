//! The admin server while messages are published: metrics by name, health, versions.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;

use common::metrics::Program;
use serde_json::Value;
use testbed::http;
use testbed::process::Signal;

use crate::support::*;

/// All metrics with their kind and labels. Dashboards and alerts rest on them: whoever changes this list changes those too.
const METRICS: [(&str, &str, &[&str]); 26] = [
    ("kafka_producer_broker_round_trip_seconds", "gauge", &["broker", "stat"]),
    ("kafka_producer_broker_up", "gauge", &["broker"]),
    ("kafka_producer_build_info", "gauge", &["version", "librdkafka"]),
    ("kafka_producer_certificate_expiry_timestamp_seconds", "gauge", &["kind"]),
    ("kafka_producer_client_errors_total", "counter", &["error"]),
    ("kafka_producer_delivered_bytes_total", "counter", &[]),
    ("kafka_producer_delivered_messages_total", "counter", &[]),
    ("kafka_producer_delivery_seconds", "histogram", &[]),
    ("kafka_producer_enqueued_messages_total", "counter", &[]),
    ("kafka_producer_failed_messages_total", "counter", &["error"]),
    ("kafka_producer_http_requests_total", "counter", &["path", "status"]),
    ("kafka_producer_in_flight_messages", "gauge", &[]),
    ("kafka_producer_log_lines_dropped_total", "counter", &[]),
    ("kafka_producer_oauth_token_requests_total", "counter", &["result"]),
    ("kafka_producer_queue_full_total", "counter", &[]),
    ("kafka_producer_requested_messages", "gauge", &[]),
    ("kafka_producer_spans_total", "counter", &["result"]),
    ("kafka_producer_statistics_failures_total", "counter", &[]),
    ("kafka_producer_unsent_messages_total", "counter", &[]),
    ("process_cpu_seconds_total", "counter", &[]),
    ("process_max_fds", "gauge", &[]),
    ("process_open_fds", "gauge", &[]),
    ("process_resident_memory_bytes", "gauge", &[]),
    ("process_start_time_seconds", "gauge", &[]),
    ("process_threads", "gauge", &[]),
    ("process_virtual_memory_bytes", "gauge", &[]),
];

#[test]
fn the_metrics_are_exactly_these() {
    let program =
        Program { program: "test", version: "1", librdkafka: String::new(), features: String::new(), openssl: "3" };
    let registered = kafka_producer::metrics::register(&program).unwrap();
    let mut found: Vec<_> = registered
        .metrics
        .catalogue()
        .iter()
        .map(|entry| (entry.name.as_str(), entry.kind, entry.labels.iter().map(String::as_str).collect::<Vec<_>>()))
        .collect();
    found.sort_unstable();
    let pinned: Vec<_> = METRICS.iter().map(|(name, kind, labels)| (*name, *kind, labels.to_vec())).collect();
    assert_eq!(found, pinned);
    assert!(registered.metrics.catalogue().iter().all(|entry| !entry.help.is_empty()));
}

#[test]
fn the_server_shows_what_is_published() {
    let cluster = Cluster::new(2);
    let mut process = cluster
        .producer()
        .args(["-i", "-", "-n", "100", "--listen", "127.0.0.1:0", "--statistics-interval", "100ms"])
        .stdin_piped()
        .spawn()
        .unwrap();
    let address = admin_address(&process);
    process.write_stdin("12345\n".repeat(10)).unwrap();
    wait_for_delivered(address, 10.0);
    // By node id, and never for an address that was only asked first.
    let broker = "kafka_producer_broker_up{broker=\"1\"} 1";
    let page = http::wait_for(address, "/metrics", SOON, |response| response.body.contains(broker)).unwrap();
    assert_says(page.header("content-type").unwrap(), &["text/plain", "version=0.0.4"]);
    let value = |name: &str| metric(&page.body, name);
    for (name, expected) in [
        ("kafka_producer_requested_messages", 100.0),
        ("kafka_producer_enqueued_messages_total", 10.0),
        ("kafka_producer_delivered_messages_total", 10.0),
        ("kafka_producer_delivered_bytes_total", 50.0),
        ("kafka_producer_delivery_seconds_count", 10.0),
        ("kafka_producer_queue_full_total", 0.0),
        ("kafka_producer_statistics_failures_total", 0.0),
        ("kafka_producer_oauth_token_requests_total{result=\"error\"}", 0.0),
    ] {
        assert_eq!(value(name), Some(expected), "{name}\n{}", page.body);
    }
    assert!(value("process_resident_memory_bytes").unwrap() > 1e6);
    assert!(!page.body.contains("broker=\"-1\""), "{}", page.body);

    // Each name on the page is a pinned one, with its kind.
    let pinned: BTreeMap<_, _> = METRICS.iter().map(|(name, kind, _)| (*name, *kind)).collect();
    let shown: Vec<(&str, &str)> =
        page.body.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    assert!(shown.iter().all(|(name, kind)| pinned.get(name) == Some(kind)), "{shown:?}");
    let shown: BTreeSet<_> = shown.into_iter().map(|(name, _)| name).collect();
    // What nothing is known of yet has no series: errors, failed messages by error, and spans without traces.
    let absent: Vec<_> = pinned.keys().filter(|name| !shown.contains(*name)).collect();
    let rare = ["certificate_expiry_timestamp_seconds", "client_errors_total", "failed_messages_total", "spans_total"]
        .map(|name| format!("kafka_producer_{name}"));
    assert_eq!(absent, rare.iter().collect::<Vec<_>>());

    for path in ["/livez", "/readyz"] {
        assert_eq!(http::get(address, path).unwrap().status, 200, "{path}");
    }
    assert_eq!(http::get(address, "/nothing").unwrap().status, 404);
    let version: Value = serde_json::from_str(&http::get(address, "/version").unwrap().body).unwrap();
    assert_eq!(
        (&version["program"], &version["version"]),
        (&"kafka-producer".into(), &env!("CARGO_PKG_VERSION").into())
    );
    assert_says(version["features"].as_str().unwrap(), &["ssl", "sasl_scram", "zstd"]);
    let counted = http::get(address, "/metrics").unwrap().body;
    let count = |labels: &str| metric(&counted, &format!("kafka_producer_http_requests_total{{{labels}}}"));
    assert_eq!(count("path=\"/readyz\",status=\"200\""), Some(1.0), "{counted}");
    assert_eq!(count("path=\"other\",status=\"404\""), Some(1.0));
    assert!(!counted.contains("/nothing"), "a path as typed is no label");

    process.close_stdin();
    assert_eq!(number(&report(&process.wait(SOON).unwrap(), 0), "delivered"), 10);
}

#[test]
fn a_program_that_waits_for_a_broker_is_alive_and_not_ready() {
    let process = producer().args(["-b", NOWHERE, "--listen", "127.0.0.1:0"]).spawn().unwrap();
    let address = admin_address(&process);
    let readiness = http::get(address, "/readyz").unwrap();
    assert_eq!(readiness.status, 503);
    assert_says(&readiness.body, &["no broker has answered yet"]);
    assert_eq!(http::get(address, "/livez").unwrap().status, 200);
    http::wait_for(address, "/metrics", SOON, |response| {
        response.body.contains("kafka_producer_client_errors_total{error=\"AllBrokersDown\"}")
    })
    .unwrap();
    assert_nothing_sent(&report(&process.stop(Signal::TERM, SOON).unwrap(), 143), 20);
}

#[test]
fn a_program_that_drains_is_not_ready() {
    let cluster = Cluster::new(1);
    let mut process = cluster.producer().args(["-i", "-", "--listen", "127.0.0.1:0"]).stdin_piped().spawn().unwrap();
    let address = admin_address(&process);
    process.write_stdin("one\n").unwrap();
    wait_for_delivered(address, 1.0);
    // Longer than this test takes: the drain cannot be over before it is looked at.
    cluster.mock.round_trip_time_of_all(SOON).unwrap();
    process.write_stdin("two\n").unwrap();
    http::wait_for(address, "/metrics", SOON, |response| {
        metric(&response.body, "kafka_producer_in_flight_messages") == Some(1.0)
    })
    .unwrap();
    process.signal(Signal::TERM).unwrap();
    let drained = http::wait_for(address, "/readyz", SOON, |response| response.status == 503).unwrap();
    assert_says(&drained.body, &["draining"]);
    process.signal(Signal::TERM).unwrap();
    let report = report(&process.wait(SOON).unwrap(), 143);
    assert_eq!(["delivered", "failed"].map(|field| number(&report, field)), [1, 1], "{report}");
}

#[test]
fn a_taken_port_is_a_failed_start() {
    let cluster = Cluster::new(1);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let outcome = cluster.run(&["--listen", &address]).expect_code(2).unwrap();
    assert_says(&outcome.stderr, &["--listen", &address, "choose another port"]);
    assert_eq!(cluster.count(), 0, "nothing was sent");
}
