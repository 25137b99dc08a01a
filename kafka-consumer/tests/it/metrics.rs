//! Metrics: the full list of names, as people's dashboards know them, and that they count what happens.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{PipeReader, Read};
use std::thread::JoinHandle;
use std::time::Duration;

use common::metrics::Program;
use testbed::http::{self, Response};
use testbed::process::Signal;

use crate::support::{Cluster, SOON, Served, more_than_a_pipe, numbered, sample, stop, wait_for_records};

/// Name, type and labels. A change here is a change of what dashboards and alerts rest on.
const NAMES: &[(&str, &str, &[&str])] = &[
    ("kafka_consumer_assigned_partitions", "gauge", &[]),
    ("kafka_consumer_broker_round_trip_seconds", "gauge", &["broker", "stat"]),
    ("kafka_consumer_broker_up", "gauge", &["broker"]),
    ("kafka_consumer_build_info", "gauge", &["librdkafka", "version"]),
    ("kafka_consumer_certificate_expiry_timestamp_seconds", "gauge", &["kind"]),
    ("kafka_consumer_client_errors_total", "counter", &["error"]),
    ("kafka_consumer_commit_seconds", "histogram", &[]),
    ("kafka_consumer_commits_total", "counter", &["result"]),
    ("kafka_consumer_corrupt_batches_total", "counter", &["partition", "topic"]),
    ("kafka_consumer_end_to_end_latency_seconds", "histogram", &[]),
    ("kafka_consumer_http_requests_total", "counter", &["path", "status"]),
    ("kafka_consumer_info", "gauge", &["client_id", "group", "group_protocol"]),
    ("kafka_consumer_lag_records", "gauge", &["partition", "topic"]),
    ("kafka_consumer_lag_seconds", "gauge", &["partition", "topic"]),
    ("kafka_consumer_last_poll_timestamp_seconds", "gauge", &[]),
    ("kafka_consumer_log_lines_dropped_total", "counter", &[]),
    ("kafka_consumer_output_bytes_total", "counter", &[]),
    ("kafka_consumer_oauth_token_requests_total", "counter", &["result"]),
    ("kafka_consumer_ready", "gauge", &[]),
    ("kafka_consumer_rebalances_total", "counter", &["kind"]),
    ("kafka_consumer_record_bytes_total", "counter", &["partition", "topic"]),
    ("kafka_consumer_records_total", "counter", &["partition", "topic"]),
    ("kafka_consumer_repeated_records_total", "counter", &["partition", "topic"]),
    ("kafka_consumer_skipped_records_total", "counter", &["partition", "topic"]),
    ("kafka_consumer_spans_total", "counter", &["result"]),
    ("kafka_consumer_statistics_failures_total", "counter", &[]),
    ("process_cpu_seconds_total", "counter", &[]),
    ("process_max_fds", "gauge", &[]),
    ("process_open_fds", "gauge", &[]),
    ("process_resident_memory_bytes", "gauge", &[]),
    ("process_start_time_seconds", "gauge", &[]),
    ("process_threads", "gauge", &[]),
    ("process_virtual_memory_bytes", "gauge", &[]),
];

type Listed = BTreeMap<String, (String, BTreeSet<String>)>;

fn pinned() -> Listed {
    let labels = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
    NAMES.iter().map(|(name, kind, names)| ((*name).to_owned(), ((*kind).to_owned(), labels(names)))).collect()
}

/// Names, types and labels of a scrape.
fn scraped(text: &str) -> Listed {
    let mut listed = Listed::new();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            listed.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
        }
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once(['{', ' ']).unwrap();
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        let name = if listed.contains_key(base) { base } else { name };
        let labels = rest.split_once('}').map_or("", |(labels, _)| labels);
        let names = labels.split("\",").filter_map(|label| label.split_once('=')).map(|(name, _)| name.to_owned());
        listed.get_mut(name).unwrap().1.extend(names.filter(|name| name != "le"));
    }
    listed
}

#[test]
fn the_catalogue_is_the_pinned_list() {
    let program =
        Program { program: "test", version: "1", librdkafka: "2".into(), features: String::new(), openssl: "3" };
    let registered = kafka_consumer::metrics::register(&program).unwrap();
    let entries = registered.metrics.catalogue().iter();
    let catalogue: Listed = entries
        .map(|entry| (entry.name.clone(), (entry.kind.to_owned(), entry.labels.iter().cloned().collect())))
        .collect();
    assert_eq!(catalogue, pinned());
    assert!(registered.metrics.catalogue().iter().all(|entry| !entry.help.is_empty()));
}

#[test]
fn a_running_process_shows_the_pinned_list() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..10, 1));
    let served = Served::start(cluster.member("g").args(["--statistics-interval", "500ms"])).ready();
    wait_for_records(&served.process, 10);
    served.wait_for("/metrics", 200, "kafka_consumer_broker_round_trip_seconds{");
    // An error of the client gives the last name its first series.
    cluster.mock.all_down().unwrap();
    let known = ["kafka_consumer_client_errors_total{", "kafka_consumer_lag_records{", "kafka_consumer_lag_seconds{"];
    let all = |answer: &Response| known.iter().all(|series| answer.body.contains(series));
    let metrics = http::wait_for(served.address, "/metrics", SOON, all).unwrap();
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"), "{metrics:?}");
    // What nothing has happened to has no series yet.
    let (mut shown, mut listed) = (scraped(&metrics.body), pinned());
    for rare in [
        "kafka_consumer_certificate_expiry_timestamp_seconds",
        "kafka_consumer_corrupt_batches_total",
        "kafka_consumer_repeated_records_total",
        "kafka_consumer_skipped_records_total",
        "kafka_consumer_spans_total",
    ] {
        assert!(listed.remove(rare).is_some() && shown.remove(rare).is_none(), "{rare}");
    }
    assert_eq!(shown, listed);
}

#[test]
fn known_series_start_at_zero() {
    let cluster = Cluster::new(1);
    let served = Served::start(cluster.consumer().args(["-p", "0"])).ready();
    let metrics = served.get("/metrics").body;
    let zero = [
        r#"commits_total{result="error"}"#,
        r#"commits_total{result="ok"}"#,
        "end_to_end_latency_seconds_count",
        "commit_seconds_count",
        r#"http_requests_total{path="/livez",status="200"}"#,
        r#"http_requests_total{path="/version",status="200"}"#,
        "output_bytes_total",
        "log_lines_dropped_total",
        r#"oauth_token_requests_total{result="error"}"#,
        r#"oauth_token_requests_total{result="ok"}"#,
        r#"rebalances_total{kind="assign"}"#,
        r#"rebalances_total{kind="lost"}"#,
        r#"rebalances_total{kind="revoke"}"#,
        r#"record_bytes_total{partition="0",topic="test"}"#,
        r#"records_total{partition="0",topic="test"}"#,
        "statistics_failures_total",
    ];
    for series in zero {
        assert_eq!(sample(&metrics, &format!("kafka_consumer_{series}")), Some(0.0), "{series}\n{metrics}");
    }
    let info = r#"kafka_consumer_info{client_id="kafka-consumer",group="",group_protocol=""}"#;
    assert_eq!(sample(&metrics, info), Some(1.0), "{metrics}");
    // A lag that is not known yet is no lag of zero.
    assert_eq!(sample(&metrics, r#"kafka_consumer_lag_records{partition="0",topic="test"}"#), None, "{metrics}");
}

#[test]
fn counters_are_what_was_logged_and_the_lag_goes_to_zero() {
    let cluster = Cluster::new(2);
    cluster.produce(&numbered(0..7, 2));
    let flags = ["--statistics-interval", "100ms", "--commit-interval", "100ms"];
    let served = Served::start(cluster.member("g").args(flags)).ready();
    wait_for_records(&served.process, 7);
    for (partition, count) in [(0, 4.0), (1, 3.0)] {
        let of = |name: &str| format!(r#"kafka_consumer_{name}{{partition="{partition}",topic="test"}}"#);
        served.wait_for_metric(&of("records_total"), Some(count));
        served.wait_for_metric(&of("lag_records"), Some(0.0));
        assert_eq!(served.metric(&of("record_bytes_total")), Some(count), "values of one digit without keys");
    }
    let number = |series: &str| served.metric(&format!("kafka_consumer_{series}")).unwrap();
    assert_eq!(number("output_bytes_total"), served.process.stdout().len() as f64);
    assert_eq!(number("end_to_end_latency_seconds_count"), 7.0);
    assert_eq!(number("assigned_partitions"), 2.0);
    assert_eq!(number(r#"rebalances_total{kind="assign"}"#), 1.0);
    assert_eq!(number(r#"broker_up{broker="1"}"#), 1.0);
    let started = served.metric("process_start_time_seconds").unwrap();
    assert!(number("last_poll_timestamp_seconds") >= started);
    cluster.produce(&numbered(7..10, 2));
    served.wait_for_metric(r#"kafka_consumer_records_total{partition="1",topic="test"}"#, Some(5.0));
    served.wait_for_metric(r#"kafka_consumer_lag_records{partition="1",topic="test"}"#, Some(0.0));
    served.wait_for_at_least(r#"kafka_consumer_commits_total{result="ok"}"#, 1.0);
    served.wait_for_at_least("kafka_consumer_commit_seconds_count", 1.0);
    assert_eq!(number(r#"commits_total{result="error"}"#), 0.0);
    stop(served.process, Signal::TERM, 0);
}

/// Reads a pipe to its end, a batch at a time with a pause before each.
fn read_slowly(mut reader: PipeReader, pause: Duration) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 64 * 1024];
        while reader.read(&mut buffer).unwrap() > 0 {
            std::thread::sleep(pause);
        }
    })
}

#[test]
fn a_lag_that_nobody_can_know_any_more_disappears() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..3, 1));
    let (reader, writer) = std::io::pipe().unwrap();
    let flags = ["--statistics-interval", "300ms", "--client-id", "mine"];
    let served = Served::start(cluster.member("g").args(flags).stdout(writer)).ready();
    let of = |name: &str| format!(r#"kafka_consumer_{name}{{partition="0",topic="test"}}"#);
    served.wait_for_metric(&of("records_total"), Some(3.0));
    served.wait_for_metric(&of("lag_records"), Some(0.0));
    served.wait_for_metric(&of("lag_seconds"), Some(0.0));
    served.wait_for_metric("kafka_consumer_ready", Some(1.0));
    let info = r#"kafka_consumer_info{client_id="mine",group="g",group_protocol="consumer"}"#;
    assert_eq!(served.metric(info), Some(1.0));
    // Nobody reads: the loop stands still in a write, and with it the statistics.
    let records = more_than_a_pipe();
    cluster.produce(&records);
    served.wait_for_metric(&of("lag_records"), None);
    assert_eq!(served.metric(&of("lag_seconds")), None);
    let written = served.metric(&of("records_total")).unwrap();
    assert!(written < 3.0 + records.len() as f64, "it does not stand still");
    // Read again, it goes on and knows its lag again.
    let read = read_slowly(reader, Duration::ZERO);
    served.wait_for_metric(&of("records_total"), Some(3.0 + records.len() as f64));
    served.wait_for_metric(&of("lag_records"), Some(0.0));
    stop(served.process, Signal::TERM, 0);
    read.join().unwrap();
}

#[test]
fn the_lag_behind_a_broker_that_is_away_is_not_known() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..3, 1));
    // Without a group: the last commit after an absence of the coordinator is another matter.
    let options = ["-p", "0", "--from", "earliest", "--statistics-interval", "100ms"];
    let served = Served::start(cluster.consumer().args(options)).ready();
    let lag =
        ["lag_records", "lag_seconds"].map(|name| format!(r#"kafka_consumer_{name}{{partition="0",topic="test"}}"#));
    lag.iter().for_each(|lag| served.wait_for_metric(lag, Some(0.0)));
    cluster.mock.broker_down(1).unwrap();
    lag.iter().for_each(|lag| served.wait_for_metric(lag, None));
    cluster.mock.broker_up(1).unwrap();
    lag.iter().for_each(|lag| served.wait_for_metric(lag, Some(0.0)));
    stop(served.process, Signal::TERM, 0);
}

#[test]
fn a_backlog_is_as_old_as_its_records_until_it_is_read() {
    let cluster = Cluster::new(1);
    let an_hour_ago = common::text::epoch_us() / 1000 - 3_600_000;
    let backlog = || more_than_a_pipe().into_iter().map(|record| record.timestamp(an_hour_ago));
    cluster.produce(&backlog().chain(backlog()).chain(backlog()).chain(backlog()).collect::<Vec<_>>());
    let (reader, writer) = std::io::pipe().unwrap();
    let read = read_slowly(reader, Duration::from_millis(50));
    let served = Served::start(cluster.member("g").args(["--statistics-interval", "100ms"]).stdout(writer));
    let seconds = r#"kafka_consumer_lag_seconds{partition="0",topic="test"}"#;
    served.wait_for_at_least(seconds, 3600.0);
    served.wait_for_metric(seconds, Some(0.0));
    stop(served.process, Signal::TERM, 0);
    read.join().unwrap();
}

#[test]
fn a_consumer_without_a_broker_is_not_ready_in_the_metrics_either() {
    let served = Served::start(crate::support::consumer().args(["-b", crate::support::NOWHERE, "-p", "0"]));
    assert_eq!(served.metric("kafka_consumer_ready"), Some(0.0));
}

#[test]
fn openmetrics_is_spoken_to_whoever_asks_for_it() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..3, 1));
    let served = Served::start(cluster.member("g")).ready();
    wait_for_records(&served.process, 3);
    let accept = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3";
    let answer = http::get_with(served.address, "/metrics", &[("Accept", accept)]).unwrap();
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8";
    assert_eq!(answer.header("content-type"), Some(kind), "{answer:?}");
    for line in [
        "# TYPE kafka_consumer_records counter",
        r#"kafka_consumer_end_to_end_latency_seconds_bucket{le="1.0"} "#,
        r#"kafka_consumer_end_to_end_latency_seconds_bucket{le="+Inf"} 3"#,
        "kafka_consumer_ready 1.0",
    ] {
        assert!(answer.body.lines().any(|found| found.starts_with(line)), "{line}\n{}", answer.body);
    }
    assert!(answer.body.ends_with("\n# EOF\n"), "{}", answer.body);
}

#[test]
fn requests_are_counted_by_route_and_status() {
    let served = Served::start(crate::support::consumer().args(["-b", crate::support::NOWHERE, "-p", "0"]));
    assert_eq!(served.get("/livez").status, 200);
    assert_eq!(served.get("/readyz").status, 503);
    assert_eq!(served.get("/readyz").status, 503);
    assert_eq!(served.get("/secret/path").status, 404);
    let version = served.get("/version");
    assert_eq!(version.status, 200);
    let version: serde_json::Value = serde_json::from_str(&version.body).unwrap();
    assert_eq!(
        (&version["program"], &version["version"]),
        (&"kafka-consumer".into(), &env!("CARGO_PKG_VERSION").into())
    );
    let count = |path: &str, status: &str| {
        served.metric(&format!(r#"kafka_consumer_http_requests_total{{path="{path}",status="{status}"}}"#))
    };
    let counted = [count("/livez", "200"), count("/readyz", "503"), count("/readyz", "200"), count("other", "404")];
    assert_eq!(counted, [Some(1.0), Some(2.0), Some(0.0), Some(1.0)]);
    assert_eq!(count("/secret/path", "404"), None, "not as typed: that would be without bounds");
    let outcome = served.process.stop(Signal::TERM, SOON).unwrap();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
}
