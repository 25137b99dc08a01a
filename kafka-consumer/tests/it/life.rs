//! The life of the process: a signal at any moment, outputs that nobody reads, a work that hangs. The verdict comes in any case.

use std::fs::{self, File};
use std::io::pipe;
use std::time::Duration;

use testbed::pipes;
use testbed::process::{Process, Signal};

use crate::support::{Cluster, NOWHERE, SOON, Served, consumer, more_than_a_pipe, report, stop};

/// Far less than what hangs would take, far more than a busy machine needs.
const BOUND: Duration = Duration::from_secs(15);

fn full_disk() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

fn closed_pipe() -> std::io::PipeWriter {
    let (_, writer) = pipe().unwrap();
    writer
}

/// A run that waits for its settings: as early as a program can be met.
fn starting(flags: &[&str]) -> (tempfile::TempDir, Process, File) {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings");
    pipes::named(&settings).unwrap();
    let program = consumer().args(["-b", NOWHERE, "--properties-file"]).arg(&settings).args(flags);
    let process = program.spawn().unwrap();
    let writer = pipes::wait_for_reader(&settings, SOON).unwrap();
    (folder, process, writer)
}

#[test]
fn a_signal_before_the_settings_are_read_is_not_lost() {
    for (flags, code) in [(&[][..], 0), (&["-n", "1"], 143)] {
        let (_folder, process, settings) = starting(flags);
        process.signal(Signal::TERM).unwrap();
        process.wait_for_stderr_event("signal", SOON).unwrap();
        drop(settings);
        process.wait(BOUND).unwrap().expect_code(code).unwrap();
    }
}

#[test]
fn a_signal_ends_a_start_that_hangs() {
    let (_folder, process, _settings) = starting(&[]);
    let outcome = process.stop(Signal::TERM, BOUND).unwrap().expect_code(143).unwrap();
    assert!(outcome.stderr.contains("the start did not end"), "{outcome}");
}

#[test]
fn a_full_or_closed_stderr_does_not_change_the_verdict() {
    let one_shot = ["-b", NOWHERE, "-n", "1", "--timeout", "2s"];
    for (args, code) in [(&one_shot[..], 3), (&["healthcheck", "--listen", NOWHERE], 1), (&["--nonsense"], 2)] {
        consumer().args(args).stderr(full_disk()).run(SOON).unwrap().expect_code(code).unwrap();
        consumer().args(args).stderr(closed_pipe()).run(SOON).unwrap().expect_code(code).unwrap();
    }
}

#[test]
fn a_command_ends_well_when_its_reader_is_gone_and_not_on_a_full_disk() {
    for args in [["config"], ["--help"], ["--version"]] {
        consumer().args(args).stdout(closed_pipe()).run(SOON).unwrap().expect_code(0).unwrap();
        let outcome = consumer().args(args).stdout(full_disk()).run(SOON).unwrap().expect_code(1).unwrap();
        assert!(outcome.stderr.contains("stdout cannot be written"), "{outcome}");
    }
}

#[test]
fn a_stderr_that_nobody_reads_holds_nothing_up() {
    let cluster = Cluster::new(1);
    cluster.produce(&more_than_a_pipe());
    let (_reader, writer) = pipes::full().unwrap();
    let flags = ["-p", "0", "--debug", "-X", "debug=all"];
    let process = cluster.consumer().args(flags).stderr(writer).spawn().unwrap();
    crate::support::wait_for_records(&process, 100);
    stop(process, Signal::TERM, 0);
}

#[test]
fn a_one_shot_run_that_hangs_is_reported_at_the_drain_deadline() {
    let cluster = Cluster::new(1);
    cluster.produce(&more_than_a_pipe());
    let (_reader, writer) = pipes::full().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("termination-log");
    fs::write(&log, "").unwrap();
    let flags = ["-p", "0", "-n", "1000", "--drain-timeout", "300ms"];
    let program = cluster.consumer().args(flags).arg("--termination-log").arg(&log).stdout(writer);
    let served = Served::start(program);
    // It has its records, and hangs in the write.
    served.wait_for_at_least("kafka_consumer_assigned_partitions", 1.0);
    let outcome = served.process.stop(Signal::TERM, BOUND).unwrap().expect_code(143).unwrap();
    let shown = report(&outcome);
    assert_eq!((&shown["v"], &shown["outcome"], &shown["requested"]), (&1.into(), &"terminated".into(), &1000.into()));
    assert!(shown["message"].as_str().unwrap().starts_with("SIGTERM: 0 of 1000 records read"), "{shown}");
    let left: serde_json::Value = serde_json::from_slice(&fs::read(&log).unwrap()).unwrap();
    assert_eq!(left, shown, "the same everywhere");
}

#[test]
fn an_endless_run_leaves_its_report_for_kubernetes() {
    let cluster = Cluster::new(1);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("termination-log");
    fs::write(&log, "").unwrap();
    let served = Served::start(cluster.consumer().args(["-p", "0", "--termination-log"]).arg(&log)).ready();
    let outcome = stop(served.process, Signal::TERM, 0);
    let left: serde_json::Value = serde_json::from_slice(&fs::read(&log).unwrap()).unwrap();
    assert_eq!((&left["event"], &left["outcome"], &left["records"]), (&"report".into(), &"ok".into(), &0.into()));
    assert!(outcome.events().iter().any(|event| event["event"] == "stopped"), "{outcome}");
    assert!(!outcome.stderr.contains(r#""event":"report""#), "an endless run has no report on stderr\n{outcome}");
}
