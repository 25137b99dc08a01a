//! Brokers that are away, slow, wrong or refuse; signals; outputs that cannot be written. Whatever happens, the report adds up.

use std::fs::File;
use std::io::pipe;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr as Code};
use serde_json::{Value, json};
use testbed::mock::Mock;
use testbed::ports;
use testbed::process::{Process, Signal};
use testbed::records;
use testbed::visitors::Visitors;

use crate::support::*;

/// The values that a topic should hold: `0`, `1`, ... in any order.
fn assert_holds_each_once(cluster: &Cluster, count: usize) {
    let mut values: Vec<usize> = cluster.values().iter().map(|value| value.parse().unwrap()).collect();
    values.sort_unstable();
    assert_eq!(values, (0..count).collect::<Vec<_>>());
}

/// The numbers of messages that a report calls not acknowledged; it must know all of them.
fn unacknowledged(report: &Value) -> Vec<u64> {
    assert_eq!(report.get("unacknowledged_cut"), None, "{report}");
    let ranges: Vec<(u64, u64)> = serde_json::from_value(report["unacknowledged"].clone()).unwrap();
    ranges.into_iter().flat_map(|(first, last)| first..=last).collect()
}

fn lines(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| format!("{number}\n")).collect()
}

#[test]
fn who_is_no_broker_is_unreachable_with_the_cause() {
    let closed = format!("127.0.0.1:{}", ports::free_port().unwrap());
    let [web, closing, silent] = [Manner::Http, Manner::Closes, Manner::Silent].map(Impostor::new);
    let cases: [(&str, String, &[&str]); 5] = [
        ("a closed port", closed, &["Connection refused"]),
        ("a name that nobody has", "broker.invalid:9092".to_owned(), &["Failed to resolve 'broker.invalid:9092'"]),
        ("a web server", web.address(), &["speaks HTTP, not Kafka"]),
        ("a port that hangs up", closing.address(), &["Disconnected"]),
        ("a silent port", silent.address(), &["ApiVersionRequest failed", "Timed out"]),
    ];
    // Side by side, as each takes its whole time.
    let running: Vec<_> = cases
        .iter()
        .map(|(_, address, _)| producer().args(["-b", address, "--timeout", "3s", "-n", "5"]).spawn().unwrap())
        .collect();
    for (process, (name, address, cause)) in running.into_iter().zip(&cases) {
        let report = report(&process.wait(SOON).unwrap(), 3);
        assert_nothing_sent(&report, 5);
        let message = text(&report, "message");
        assert!(cause.iter().all(|cause| message.contains(cause)), "{name}: {message}");
        assert_says(message, &[address]);
        assert_eq!(text(&report, "outcome"), "unreachable");
    }
}

#[test]
fn an_unknown_topic_is_refused_after_a_grace_and_not_made() {
    let mock = Mock::start(1).unwrap();
    let servers = mock.bootstrap_servers();
    let began = Instant::now();
    let outcome = producer().args(["-b", &servers, "-t", "tset", "-n", "5"]).run(SOON).unwrap();
    let report = report(&outcome, 4);
    assert_nothing_sent(&report, 5);
    assert_says(text(&report, "message"), &["topic tset does not exist", &servers, "--create-topic"]);
    assert!(began.elapsed() >= Duration::from_secs(3), "a topic that was just created is not known everywhere at once");
    let created = records::count(&records::client_config(&servers), "tset");
    assert!(created.is_err(), "a look-up must not create a topic: {created:?}");
}

#[test]
fn a_topic_that_appears_within_the_grace_is_used() {
    let cluster = Cluster { mock: Mock::start(1).unwrap() };
    let process = cluster.producer().args(["--listen", "127.0.0.1:0", "--debug"]).spawn().unwrap();
    admin_address(&process);
    cluster.mock.create_topic(TOPIC, 2, 1).unwrap();
    assert_eq!(number(&report(&process.wait(SOON).unwrap(), 0), "delivered"), 20);
    assert_eq!(cluster.sequences(), (0..20).collect::<Vec<_>>());
}

#[test]
fn a_partition_out_of_range_is_refused() {
    let cluster = Cluster::new(3);
    let report = report(&cluster.run(&["-p", "3"]), 4);
    assert_nothing_sent(&report, 20);
    assert_says(text(&report, "message"), &["topic test has 3 partitions, 0 to 2", "no partition 3"]);
}

#[test]
fn a_refused_topic_ends_at_once() {
    let cluster = Cluster::new(1);
    cluster.mock.topic_error(TOPIC, Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).unwrap();
    let report = report(&cluster.run(&[]), 4);
    assert_nothing_sent(&report, 20);
    assert_says(text(&report, "message"), &["topic test", "the user may not even see the topic"]);
}

#[test]
fn brokers_that_go_and_come_back_cost_nothing_but_time() {
    let cluster = Cluster::new(3);
    let mut process = cluster.producer().args(["-i", "-", "--listen", "127.0.0.1:0"]).stdin_piped().spawn().unwrap();
    let address = admin_address(&process);
    process.write_stdin(lines(0..50)).unwrap();
    wait_for_delivered(address, 50.0);
    cluster.mock.all_down().unwrap();
    process.write_stdin(lines(50..100)).unwrap();
    process.wait_for_stderr(SOON, |line| line.contains("AllBrokersDown")).unwrap();
    cluster.mock.all_up().unwrap();
    process.write_stdin(lines(100..150)).unwrap();
    process.close_stdin();
    let report = report(&process.wait(SOON).unwrap(), 0);
    assert_eq!(number(&report, "delivered"), 150);
    assert_holds_each_once(&cluster, 150);
}

#[test]
fn brokers_that_stay_away_are_waited_for_until_the_timeout() {
    let cluster = Cluster::new(3);
    let args = ["-i", "-", "-n", "200", "--timeout", "8s", "--listen", "127.0.0.1:0"];
    let mut process = cluster.producer().args(args).stdin_piped().spawn().unwrap();
    let address = admin_address(&process);
    process.write_stdin(lines(0..50)).unwrap();
    wait_for_delivered(address, 50.0);
    cluster.mock.all_down().unwrap();
    process.write_stdin(lines(50..100)).unwrap();
    let outcome = process.wait(SOON).unwrap();
    let report = report(&outcome, 3);
    assert_eq!(["requested", "delivered"].map(|field| number(&report, field)), [200, 50], "{outcome}");
    assert!(number(&report, "unsent") >= 100, "what was never read: {report}");
    assert_says(text(&report, "message"), &[&cluster.mock.bootstrap_servers(), "Connection refused"]);
    cluster.mock.all_up().unwrap();
    assert_eq!(cluster.count(), 50);
}

#[test]
fn a_broker_that_comes_late_is_waited_for() {
    let cluster = Cluster::new(1);
    cluster.mock.all_down().unwrap();
    let process = cluster.producer().args(["-n", "10"]).spawn().unwrap();
    process.wait_for_stderr(SOON, |line| line.contains("AllBrokersDown")).unwrap();
    cluster.mock.all_up().unwrap();
    assert_eq!(number(&report(&process.wait(SOON).unwrap(), 0), "delivered"), 10);
    assert_eq!(cluster.sequences(), (0..10).collect::<Vec<_>>());
}

/// Publishes far more than there is time for, on a slow broker.
fn slowly(cluster: &Cluster) -> Process {
    cluster.mock.round_trip_time_of_all(Duration::from_millis(100)).unwrap();
    let args = ["-n", "10000000", "--rate", "2000/s", "--size", "10", "--listen", "127.0.0.1:0"];
    cluster.producer().args(args).spawn().unwrap()
}

#[test]
fn a_signal_delivers_what_is_in_flight_and_reports_the_rest() {
    let runs = [(Signal::TERM, 143, "SIGTERM"), (Signal::INT, 130, "SIGINT")].map(|(signal, code, name)| {
        let cluster = Cluster::new(2);
        (slowly(&cluster), cluster, signal, code, name)
    });
    for (process, cluster, signal, code, name) in runs {
        wait_for_delivered(admin_address(&process), 1.0);
        let outcome = process.stop(signal, SOON).unwrap();
        let report = report(&outcome, code);
        assert_eq!(number(&report, "failed"), 0, "all that was sent was drained: {outcome}");
        let delivered = number(&report, "delivered");
        assert!(delivered > 0 && number(&report, "unsent") > 0, "{report}");
        assert_says(text(&report, "message"), &[name, "of 10,000,000 messages acknowledged"]);
        cluster.mock.round_trip_time_of_all(Duration::ZERO).unwrap();
        assert_eq!(cluster.sequences(), (0..delivered).collect::<Vec<_>>(), "what is reported is what is there");
        assert_eq!(report["unacknowledged"], json!([[delivered, 9_999_999]]));
        assert_eq!((&report["total"], report.get("unacknowledged_cut")), (&10_000_000.into(), None));
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let cluster = Cluster::new(1);
    let mut process = cluster.producer().args(["-i", "-", "--listen", "127.0.0.1:0"]).stdin_piped().spawn().unwrap();
    let address = admin_address(&process);
    process.write_stdin(lines(0..10)).unwrap();
    wait_for_delivered(address, 10.0);
    // Nothing is acknowledged any more, so the drain would take its 20 seconds.
    cluster.mock.round_trip_time_of_all(Duration::from_secs(300)).unwrap();
    process.write_stdin(lines(10..20)).unwrap();
    testbed::http::wait_for(address, "/metrics", SOON, |response| {
        metric(&response.body, "kafka_producer_in_flight_messages") == Some(10.0)
    })
    .unwrap();
    process.signal(Signal::TERM).unwrap();
    process.wait_for_stderr_event("signal", SOON).unwrap();
    let began = Instant::now();
    process.signal(Signal::INT).unwrap();
    let outcome = process.wait(SOON).unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "half of the drain's time: {outcome}");
    // The first signal decides the code.
    let report = report(&outcome, 143);
    assert_eq!(["requested", "delivered", "failed"].map(|field| number(&report, field)), [20, 10, 10], "{outcome}");
    cluster.mock.round_trip_time_of_all(Duration::ZERO).unwrap();
    assert!(cluster.count() >= 10, "acknowledged is on the broker; what failed may be too");
}

#[test]
fn the_drain_ends_at_its_deadline() {
    let cluster = Cluster::new(1);
    let args = ["-i", "-", "--drain-timeout", "500ms", "--listen", "127.0.0.1:0"];
    let mut process = cluster.producer().args(args).stdin_piped().spawn().unwrap();
    let address = admin_address(&process);
    process.write_stdin(lines(0..10)).unwrap();
    wait_for_delivered(address, 10.0);
    cluster.mock.all_down().unwrap();
    process.write_stdin(lines(10..20)).unwrap();
    testbed::http::wait_for(address, "/metrics", SOON, |response| {
        metric(&response.body, "kafka_producer_in_flight_messages") == Some(10.0)
    })
    .unwrap();
    let report = report(&process.stop(Signal::TERM, SOON).unwrap(), 143);
    assert_eq!(["requested", "delivered"].map(|field| number(&report, field)), [20, 10], "{report}");
}

#[test]
fn messages_that_the_broker_finds_too_large_fail_and_the_others_are_delivered() {
    let cluster = Cluster::new(4);
    cluster.mock.fail_requests(RDKafkaApiKey::Produce, &[Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    let outcome = cluster.run(&["-n", "100"]);
    let report = report(&outcome, 4);
    let (delivered, failed) = (number(&report, "delivered"), number(&report, "failed"));
    assert!(delivered > 0 && failed > 0 && number(&report, "unsent") == 0, "{outcome}");
    assert_eq!(report["errors"]["MessageSizeTooLarge"], failed);
    assert_eq!(cluster.count(), delivered);
    let there = cluster.sequences();
    assert_eq!(unacknowledged(&report), (0..100).filter(|seq| !there.contains(seq)).collect::<Vec<_>>());
    assert_says(text(&report, "message"), &["max.message.bytes", "batch.size"]);
}

#[test]
fn a_message_over_the_clients_own_limit_is_unsent_and_the_others_are_delivered() {
    let cluster = Cluster::new(1);
    let (_folder, path) = file("lines", format!("small\n{}\nsmall\n", "large".repeat(1000)));
    let report = report(&cluster.run(&["-i", arg(&path), "-X", "message.max.bytes=2000"]), 4);
    assert_eq!(["requested", "delivered", "failed", "unsent"].map(|field| number(&report, field)), [3, 2, 0, 1]);
    assert_eq!(report["errors"]["MessageSizeTooLarge"], 1);
    assert_eq!(cluster.values(), ["small", "small"]);
    assert_eq!((unacknowledged(&report), &report["total"]), (vec![1], &3.into()));
}

#[test]
fn a_right_that_is_taken_away_in_mid_run_ends_it() {
    let cluster = Cluster::new(1);
    let refusals = [Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 20];
    cluster.mock.fail_requests(RDKafkaApiKey::Produce, &refusals);
    let outcome = cluster.run(&["-n", "1000000", "--rate", "1000/s"]);
    let report = report(&outcome, 4);
    assert_eq!(number(&report, "delivered"), 0, "{outcome}");
    assert!(number(&report, "unsent") > 0, "it did not wait for a million refusals: {report}");
    assert_says(text(&report, "message"), &["test", "the user needs"]);
}

#[test]
fn errors_that_pass_are_retried_without_loss_or_duplicates() {
    let cluster = Cluster::new(3);
    cluster.mock.fail_requests(
        RDKafkaApiKey::Produce,
        &[
            Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            Code::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
            Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            Code::RD_KAFKA_RESP_ERR__TRANSPORT,
            Code::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        ],
    );
    let report = report(&cluster.run(&["-n", "1000"]), 0);
    assert_eq!(number(&report, "delivered"), 1000);
    assert_eq!(cluster.sequences(), (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_first_batch_that_was_refused_is_not_delivered_because_the_next_one_was_accepted() {
    let cluster = Cluster::new(1);
    cluster.mock.round_trip_time_of_all(Duration::from_millis(200)).unwrap();
    cluster.mock.fail_requests(RDKafkaApiKey::Produce, &[Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION]);
    let outcome = cluster.run(&["-n", "40", "--rate", "1000/s", "-X", "linger.ms=0"]);
    let report = report(&outcome, 1);
    let there = cluster.sequences();
    let missing: Vec<u64> = (0..40).filter(|seq| !there.contains(seq)).collect();
    assert!(!missing.is_empty(), "the broker did not accept the second batch: {outcome}");
    assert_eq!(number(&report, "failed"), missing.len() as u64, "{outcome}");
    assert_eq!(number(&report, "delivered"), there.len() as u64, "{outcome}");
    assert_eq!(report["errors"]["Inconsistent"], number(&report, "failed"));
    assert_eq!(unacknowledged(&report), missing);
    assert!(outcome.stderr.contains("\"unconfirmed\""), "{outcome}");
}

/// How a broker answers while fewer replicas are in sync than the topic wants, for longer than any of these runs.
const TOO_FEW_REPLICAS: [Code; 500] = [Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 500];

#[test]
fn what_the_broker_rejected_was_transmitted_and_what_no_leader_took_was_not() {
    let rejecting = Cluster::new(1);
    rejecting.mock.fail_requests(RDKafkaApiKey::Produce, &TOO_FEW_REPLICAS);
    let headless = Cluster::new(1);
    headless.mock.move_leader(TOPIC, 0, None).unwrap();
    let running = [(&rejecting, "failed", "unsent"), (&headless, "unsent", "failed")].map(|(cluster, all, none)| {
        (cluster.producer().args(["-n", "10", "--timeout", "4s"]).spawn().unwrap(), all, none)
    });
    for (process, all, none) in running {
        let outcome = process.wait(SOON).unwrap();
        let report = report(&outcome, 1);
        let counts = ["requested", "delivered", all, none].map(|field| number(&report, field));
        assert_eq!(counts, [10, 0, 10, 0], "all {all}: {outcome}");
        assert_eq!(unacknowledged(&report), (0..10).collect::<Vec<_>>(), "{all}");
        let message = text(&report, "message");
        assert_says(message, &["--timeout: 0 of 10 messages acknowledged"]);
        assert!(!message.contains("can be reached"), "the brokers answer: {message}");
        if all == "unsent" {
            assert_says(message, &["topic test: partition 0 of 1 has no leader"]);
        }
    }
}

#[test]
fn what_was_rejected_once_and_waits_for_its_next_attempt_is_not_unsent() {
    let cluster = Cluster::new(1);
    let args = ["-i", "-", "--drain-timeout", "1s", "--listen", "127.0.0.1:0"];
    let mut process = cluster.producer().args(args).stdin_piped().spawn().unwrap();
    let address = admin_address(&process);
    process.write_stdin(lines(0..5)).unwrap();
    wait_for_delivered(address, 5.0);
    cluster.mock.fail_requests(RDKafkaApiKey::Produce, &[Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION; 500]);
    process.write_stdin(lines(5..15)).unwrap();
    testbed::http::wait_for(address, "/metrics", SOON, |response| {
        metric(&response.body, "kafka_producer_in_flight_messages") == Some(10.0)
    })
    .unwrap();
    let outcome = process.stop(Signal::TERM, SOON).unwrap();
    let report = report(&outcome, 143);
    let counts = ["requested", "delivered", "failed", "unsent"].map(|field| number(&report, field));
    assert_eq!(counts, [15, 5, 10, 0], "{outcome}");
    // Its input has not ended, so nobody knows how many there are.
    assert_eq!((unacknowledged(&report), report.get("total")), ((5..15).collect(), None));
}

#[test]
fn a_broker_that_refuses_a_transaction_gets_nothing() {
    let cluster = Cluster::new(1);
    let refusals = [Code::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED; 5];
    cluster.mock.fail_requests(RDKafkaApiKey::InitProducerId, &refusals);
    let report = report(&cluster.run(&["--transactional-id", "tx", "--timeout", "10s"]), 4);
    assert_nothing_sent(&report, 20);
    assert_says(text(&report, "message"), &["transactional id"]);
    assert_eq!(cluster.count(), 0);
}

#[test]
fn a_transaction_with_a_failed_message_is_aborted() {
    let cluster = Cluster::new(2);
    cluster.mock.fail_requests(RDKafkaApiKey::Produce, &[Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    let outcome = cluster.run(&["-n", "20", "--transactional-id", "tx", "--timeout", "20s"]);
    let report = report(&outcome, 4);
    assert_eq!(["delivered", "bytes"].map(|field| number(&report, field)), [0, 0], "{outcome}");
    assert!(report.get("delivery_ms").is_none(), "nothing was delivered, so nothing has a latency: {report}");
}

#[test]
fn a_signal_aborts_a_transaction() {
    let cluster = Cluster::new(1);
    let args = ["-i", "-", "--transactional-id", "tx", "--listen", "127.0.0.1:0"];
    let mut process = cluster.producer().args(args).stdin_piped().spawn().unwrap();
    let address = admin_address(&process);
    process.write_stdin(lines(0..5)).unwrap();
    wait_for_delivered(address, 5.0);
    let report = report(&process.stop(Signal::TERM, SOON).unwrap(), 143);
    assert_eq!(["requested", "delivered", "failed"].map(|field| number(&report, field)), [5, 0, 5], "{report}");
    assert_eq!(unacknowledged(&report), [0, 1, 2, 3, 4], "an aborted transaction has nothing");
}

#[test]
fn a_full_or_closed_stdout_does_not_change_the_verdict() {
    let cluster = Cluster::new(1);
    for (args, code) in [(["-n", "20"], 0), (["-p", "9"], 4)] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let outcome = cluster.producer().args(args).stdout(full).run(SOON).unwrap().expect_code(code).unwrap();
        assert_eq!(number(&report_on_stderr(&outcome, code), "requested"), 20);
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let outcome = cluster.producer().args(args).stdout(writer).run(SOON).unwrap().expect_code(code).unwrap();
        assert_eq!(number(&report_on_stderr(&outcome, code), "requested"), 20);
    }
    assert_eq!(cluster.count(), 40);
}

#[test]
fn a_full_or_closed_stderr_does_not_change_the_verdict() {
    let cluster = Cluster::new(1);
    let full = || File::options().write(true).open("/dev/full").unwrap();
    report(&cluster.producer().stderr(full()).run(SOON).unwrap(), 0);
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    report(&cluster.producer().stderr(writer).run(SOON).unwrap(), 0);
    assert_eq!(cluster.count(), 40);
    for args in [["-n", "0"], ["--nonsense", "1"]] {
        producer().args(args).stderr(full()).run(SOON).unwrap().expect_code(2).unwrap();
    }
}

#[test]
fn a_termination_log_that_cannot_be_written_is_a_warning() {
    let cluster = Cluster::new(1);
    let folder = tempfile::tempdir().unwrap();
    // A folder cannot be opened for writing, whoever asks, and a full disk takes no byte.
    let places = [arg(folder.path()), "/dev/full"];
    let outcomes = cluster.run_all(&places.map(|place| ["--termination-log", place]));
    for (outcome, place) in outcomes.into_iter().zip(places) {
        report(&outcome, 0);
        let warned = outcome.events().iter().any(|event| {
            (&event["event"], &event["level"], &event["path"])
                == (&"termination_log_unwritten".into(), &"WARN".into(), &place.into())
        });
        assert!(warned, "{outcome}");
    }
}

#[test]
fn many_producers_side_by_side_do_not_disturb_each_other() {
    let cluster = Cluster::new(3);
    let servers = cluster.mock.bootstrap_servers();
    let running: Vec<_> = ["0", "1", "2", "3"]
        .map(|shard| {
            let servers = servers.clone();
            thread::spawn(move || {
                let args = ["-b", &servers, "-n", "400", "--shards", "4", "--shard", shard];
                report(&producer().args(args).run(SOON).unwrap(), 0);
            })
        })
        .into();
    for thread in running {
        thread.join().unwrap();
    }
    assert_eq!(cluster.sequences(), (0..400).collect::<Vec<_>>());
}

#[test]
fn a_broker_that_is_away_is_tried_less_and_less_often() {
    let visitors = Visitors::expect().unwrap();
    let program = producer().args(["-b", &visitors.address(), "-n", "1", "--timeout", "6s"]);
    report(&program.run(SOON).unwrap(), 3);
    // Seven in the first two and a half seconds, then one in two. It were four hundred.
    assert!((4..=20).contains(&visitors.count()), "{} connections in 6 s", visitors.count());
}
