//! Inputs and outputs that make a program wait: named pipes, the paths of open descriptors, a stdout that nobody reads. A signal
//! and `--timeout` hold wherever it waits, and nothing that was written is lost.

use std::fs::File;
use std::io::{PipeWriter, Write, pipe};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testbed::pipes;
use testbed::process::{Process, Signal};

use crate::support::*;

/// Far less than the drain's 20 s, far more than a busy machine needs for a signal to be seen.
const BOUND: Duration = Duration::from_secs(10);

fn named_pipe() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    pipes::named(&path).unwrap();
    (folder, path)
}

/// Ends the process by a signal; fails when that takes as long as a wait that does not see it.
fn stop(process: Process, signal: Signal) -> testbed::process::Outcome {
    let began = Instant::now();
    let outcome = process.stop(signal, SOON).unwrap();
    assert!(began.elapsed() < BOUND, "after {:?}: {outcome}", began.elapsed());
    outcome
}

#[test]
fn a_named_pipe_is_read_to_its_end_whoever_comes_first() {
    let cluster = Cluster::new(1);
    for flag in ["-i", "-f"] {
        let (_folder, path) = named_pipe();
        let process = cluster.producer().args([flag, arg(&path)]).spawn().unwrap();
        let mut writer = pipes::wait_for_reader(&path, SOON).unwrap();
        writer.write_all(b"one\ntw").unwrap();
        writer.write_all(b"o\n").unwrap();
        drop(writer);
        report(&process.wait(SOON).unwrap(), 0);
    }
    let mut values = cluster.values();
    values.sort();
    assert_eq!(values, ["one", "one\ntwo\n", "two"]);
}

#[test]
fn a_silent_named_pipe_can_be_left() {
    let cluster = Cluster::new(1);
    let (_folder, path) = named_pipe();
    let args = ["-i", arg(&path), "--listen", "127.0.0.1:0"];
    let process = cluster.producer().args(args).spawn().unwrap();
    let mut writer = pipes::wait_for_reader(&path, SOON).unwrap();
    writer.write_all(b"one\nhalf a li").unwrap();
    wait_for_delivered(admin_address(&process), 1.0);
    let report = report(&stop(process, Signal::TERM), 143);
    assert_eq!(["requested", "delivered"].map(|field| number(&report, field)), [1, 1]);
    assert_eq!(cluster.values(), ["one"], "half a line is none");
}

#[test]
fn a_named_pipe_that_nobody_writes_to_can_be_left() {
    let cluster = Cluster::new(1);
    for (args, signal, code) in [
        (vec!["-i"], Signal::TERM, 143),
        (vec!["-f"], Signal::INT, 130),
        (vec!["-n", "1", "--value-file"], Signal::TERM, 143),
        (vec!["--dry-run", "-i"], Signal::TERM, 143),
        (vec!["--dry-run", "-f"], Signal::INT, 130),
    ] {
        let (_folder, path) = named_pipe();
        let program = cluster.producer().args(&args).arg(&path).args(["--listen", "127.0.0.1:0"]);
        let process = program.spawn().unwrap();
        admin_address(&process);
        let outcome = stop(process, signal).expect_code(code).unwrap();
        if args[0] == "--dry-run" {
            assert_eq!(outcome.stdout, "");
        } else {
            let report = report(&outcome, code);
            assert_eq!(number(&report, "delivered") + number(&report, "failed"), 0, "{report}");
        }
    }
    assert_eq!(cluster.count(), 0);
}

#[test]
fn a_named_pipe_is_left_at_the_deadline() {
    let cluster = Cluster::new(1);
    let running = ["-i", "-f"].map(|flag| {
        let (folder, path) = named_pipe();
        (cluster.producer().args([flag, arg(&path), "--timeout", "2s"]).spawn().unwrap(), folder)
    });
    for (process, _folder) in running {
        let report = report(&process.wait(SOON).unwrap(), 1);
        assert_says(text(&report, "message"), &["--timeout: 0 of"]);
    }
}

/// A program whose standard input is a pipe that stays open, named by its path.
fn by_path(cluster: &Cluster, flag: &str, path: &str) -> (Process, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(b"one\n").unwrap();
    let program = cluster.producer().args([flag, path, "--listen", "127.0.0.1:0"]).stdin(reader);
    (program.spawn().unwrap(), writer)
}

#[test]
fn a_descriptor_named_by_its_path_can_be_left() {
    let cluster = Cluster::new(1);
    for path in ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"] {
        let (process, _writer) = by_path(&cluster, "-i", path);
        wait_for_delivered(admin_address(&process), 1.0);
        let report = report(&stop(process, Signal::TERM), 143);
        assert_eq!(number(&report, "delivered"), 1, "{path}");
        let (process, _writer) = by_path(&cluster, "-f", path);
        admin_address(&process);
        assert_nothing_sent(&self::report(&stop(process, Signal::INT), 130), 1);
    }
    assert_eq!(cluster.count(), 3);
}

#[test]
fn a_template_may_come_from_a_pipe() {
    let cluster = Cluster::new(1);
    for (template, code) in [("v{{seq}}", 0), ("{{nonsense}}", 2)] {
        let (_folder, path) = named_pipe();
        let process = cluster.producer().args(["-n", "2", "--value-file", arg(&path)]).spawn().unwrap();
        pipes::wait_for_reader(&path, SOON).unwrap().write_all(template.as_bytes()).unwrap();
        process.wait(SOON).unwrap().expect_code(code).unwrap();
    }
    assert_eq!(cluster.values(), ["v0", "v1"]);
}

#[test]
fn standard_input_may_be_a_file() {
    let cluster = Cluster::new(1);
    let (_folder, path) = file("lines", "1\n2\n");
    let outcome = cluster.producer().args(["-i", "-"]).stdin(File::open(&path).unwrap()).run(SOON).unwrap();
    assert_eq!(number(&report(&outcome, 0), "delivered"), 2);
}

#[test]
fn a_dry_run_whose_reader_stands_still_sees_a_signal() {
    let (_reader, writer) = pipes::full().unwrap();
    let args = ["--dry-run", "-n", "1000000000", "--listen", "127.0.0.1:0"];
    let process = producer().args(args).stdout(writer).spawn().unwrap();
    admin_address(&process);
    stop(process, Signal::TERM).expect_code(143).unwrap();
}
