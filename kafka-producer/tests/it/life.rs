//! The life of the process: a signal at any moment, outputs that nobody reads, a work that hangs. The verdict comes in any case.

use std::io::Read;
use std::time::{Duration, Instant};

use testbed::pipes;
use testbed::process::Signal;

use crate::support::*;

/// Far less than what hangs would take, far more than a busy machine needs.
const BOUND: Duration = Duration::from_secs(15);

/// A run that waits for its settings: as early as a program can be met.
fn starting() -> (tempfile::TempDir, testbed::process::Process, std::fs::File) {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings");
    pipes::named(&settings).unwrap();
    let process = producer().args(["-b", NOWHERE, "--properties-file", arg(&settings)]).spawn().unwrap();
    let writer = pipes::wait_for_reader(&settings, SOON).unwrap();
    (folder, process, writer)
}

#[test]
fn a_signal_before_the_settings_are_read_is_not_lost() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let (_folder, process, settings) = starting();
        process.signal(signal).unwrap();
        process.wait_for_stderr_event("signal", SOON).unwrap();
        drop(settings);
        assert_nothing_sent(&report(&process.wait(BOUND).unwrap(), code), 20);
    }
}

#[test]
fn a_signal_ends_a_start_that_hangs() {
    let (_folder, process, _settings) = starting();
    let outcome = process.stop(Signal::TERM, BOUND).unwrap().expect_code(143).unwrap();
    assert_says(&outcome.stderr, &["the start did not end"]);
}

#[test]
fn a_stdout_that_nobody_reads_does_not_change_the_verdict() {
    let cluster = Cluster::new(1);
    let (_folder, log) = file("termination-log", "");
    let (_reader, writer) = pipes::full().unwrap();
    let process = cluster.producer().args(["--termination-log", arg(&log)]).stdout(writer).spawn().unwrap();
    let outcome = process.wait(SOON).unwrap().expect_code(0).unwrap();
    assert_eq!(number(&report_on_stderr(&outcome, 0), "delivered"), 20);
    let left: serde_json::Value = serde_json::from_slice(&std::fs::read(&log).unwrap()).unwrap();
    check_report(&left, 0);
    assert_eq!(number(&left, "delivered"), 20);
}

#[test]
fn a_signal_during_a_stalled_stdout_does_not_change_the_verdict() {
    let cluster = Cluster::new(1);
    let (_folder, log) = file("termination-log", "");
    let (_reader, writer) = pipes::full().unwrap();
    let process = cluster.producer().args(["--termination-log", arg(&log)]).stdout(writer).spawn().unwrap();
    let deadline = Instant::now() + SOON;
    while std::fs::read(&log).unwrap().is_empty() {
        assert!(Instant::now() < deadline, "no termination log while stdout stalls");
        std::thread::sleep(Duration::from_millis(5));
    }
    process.stop(Signal::TERM, BOUND).unwrap().expect_code(0).unwrap();
}

#[test]
fn a_stderr_that_nobody_reads_holds_nothing_up() {
    let cluster = Cluster::new(1);
    let (_reader, writer) = pipes::full().unwrap();
    let args = ["-n", "10000000", "--rate", "1000/s", "--debug", "-X", "debug=protocol"];
    let process = cluster.producer().args(args).stderr(writer).spawn().unwrap();
    let servers = cluster.mock.bootstrap_servers();
    let deadline = Instant::now() + SOON;
    while testbed::records::count(&testbed::records::client_config(&servers), TOPIC).unwrap() < 100 {
        assert!(Instant::now() < deadline, "it does not publish");
    }
    let report = report(&process.stop(Signal::TERM, BOUND).unwrap(), 143);
    assert!(number(&report, "delivered") >= 100, "{report}");
}

#[test]
fn what_a_stalled_stderr_does_not_take_is_counted_and_told() {
    let cluster = Cluster::new(1);
    let address = format!("127.0.0.1:{}", testbed::ports::free_port().unwrap());
    let (mut reader, writer) = pipes::full().unwrap();
    let args = ["-i", "-", "--listen", &address, "--debug", "-X", "debug=protocol", "--log-format", "json"];
    let mut process = cluster.producer().args(args).stdin_piped().stderr(writer).spawn().unwrap();
    let dropped = "kafka_producer_log_lines_dropped_total";
    let lines = "one more line\n".repeat(1000);
    loop {
        process.write_stdin(&lines).unwrap();
        let page = testbed::http::wait_for(address.as_str(), "/metrics", SOON, |page| page.status == 200).unwrap();
        if metric(&page.body, dropped).unwrap() > 0.0 {
            break;
        }
    }
    let read = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    process.close_stdin();
    report(&process.wait(SOON).unwrap(), 0);
    let text = read.join().unwrap();
    assert_says(&text, &["log_lines_dropped"]);
    assert!(text.lines().filter(|line| !line.is_empty()).all(|line| line.ends_with('}')), "whole lines only");
}

#[test]
fn a_transaction_that_hangs_after_a_signal_is_reported_within_the_drain_deadline() {
    let cluster = Cluster::new(1);
    let drain = Duration::from_secs(9);
    let args = ["-i", "-", "--transactional-id", "tx", "--drain-timeout", "9s", "--listen", "127.0.0.1:0"];
    let mut process = cluster.producer().args(args).stdin_piped().spawn().unwrap();
    let address = admin_address(&process);
    process.write_stdin("1\n2\n3\n").unwrap();
    wait_for_delivered(address, 3.0);
    // Nothing is answered any more: neither what is in flight, nor the end of the transaction.
    cluster.mock.round_trip_time_of_all(Duration::from_secs(300)).unwrap();
    process.write_stdin("4\n5\n").unwrap();
    testbed::http::wait_for(address, "/metrics", SOON, |page| {
        metric(&page.body, "kafka_producer_in_flight_messages") == Some(2.0)
    })
    .unwrap();
    let began = Instant::now();
    let outcome = process.stop(Signal::TERM, SOON).unwrap();
    let took = began.elapsed();
    let report = report(&outcome, 143);
    assert_eq!(["requested", "delivered"].map(|field| number(&report, field)), [5, 0], "{outcome}");
    assert!(took < drain + drain / 2, "to deliver and to abort share one budget: {took:?}\n{outcome}");
}

#[test]
fn a_problem_with_the_settings_is_an_event() {
    for (args, variables) in [
        (vec!["-n", "0", "--gzip", "--log-format", "json"], vec![]),
        (vec!["-n", "0", "--gzip"], vec![("LOG_FORMAT", "json")]),
        // Nobody is at a terminal here.
        (vec!["-n", "0", "--gzip"], vec![]),
        // However little is to be logged.
        (vec!["-n", "0", "--gzip"], vec![("RUST_LOG", "off")]),
    ] {
        let outcome = producer().args(&args).envs(variables).run(SOON).unwrap().expect_code(2).unwrap();
        let events = outcome.events();
        assert_eq!(events.len(), outcome.stderr.lines().count(), "JSON only\n{outcome}");
        let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
        assert_eq!(names, ["configuration_problem", "configuration_problem", "failed"], "{outcome}");
        assert!(events.iter().all(|event| event["level"] == "ERROR"), "{outcome}");
        assert_eq!((&events[2]["outcome"], &events[2]["exit_code"]), (&"usage".into(), &2.into()));
    }
    let outcome = producer().args(["--nonsense", "--log-format=json"]).run(SOON).unwrap().expect_code(2).unwrap();
    assert_eq!(outcome.events().len(), outcome.stderr.lines().count(), "{outcome}");
    assert_says(outcome.events()[0]["message"].as_str().unwrap(), &["unknown: --nonsense"]);
    let missing = producer().args(["-i", "nowhere"]).run(SOON).unwrap().expect_code(2).unwrap();
    assert_eq!(missing.events()[0]["event"], "configuration_problem", "{missing}");
}

#[test]
fn a_problem_with_the_settings_is_text_for_people() {
    let outcome = producer().args(["-n", "0", "--gzip", "--log-format", "text"]).run(SOON).unwrap();
    let lines: Vec<_> = outcome.expect_code(2).unwrap().stderr.lines().map(str::to_owned).collect();
    assert!(lines[0].starts_with("error: --messages") && lines[1].starts_with("error: --gzip"), "{lines:?}");
    assert_eq!(lines[2], "kafka-producer: 2 problems with the configuration");
    let outcome = producer().arg("--nonsense").env("LOG_FORMAT", "text").run(SOON).unwrap().expect_code(2).unwrap();
    assert_eq!(outcome.stderr, "error: unknown: --nonsense\n\nFor more information, try '--help'.\n");
}

#[test]
fn help_on_a_full_disk_is_an_error_and_on_a_closed_pipe_none() {
    for flag in ["--help", "--version"] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        producer().arg(flag).stdout(full).run(SOON).unwrap().expect_code(1).unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        producer().arg(flag).stdout(writer).run(SOON).unwrap().expect_code(0).unwrap();
    }
}

#[test]
fn a_signal_ends_a_command_whose_output_nobody_reads() {
    let (_reader, writer) = pipes::full().unwrap();
    let process = producer().args(["config", "--debug"]).stdout(writer).spawn().unwrap();
    process.stop(Signal::TERM, BOUND).unwrap();
}
