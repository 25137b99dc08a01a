//! A standard output that is closed, full or stalled: nothing is lost, and the process says what is wrong.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, pipe};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use testbed::process::Signal;
use testbed::records::NewRecord;

use crate::support::{
    Cluster, SOON, Served, more_than_a_pipe, numbered, numbers, report, stop, values, wait_for_records,
};

fn full_disk() -> std::fs::File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// Waits until nothing more fits into the pipe. Its bytes do not tell: pages that are not filled up count as taken.
fn wait_until_full(writer: &PipeWriter) {
    let deadline = Instant::now() + SOON;
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    while poll(&mut [PollFd::new(writer, PollFlags::OUT)], Some(&at_once)).unwrap() > 0 {
        assert!(Instant::now() < deadline, "the pipe does not fill");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A consumer that hangs in a write, and the pipe it hangs in.
fn stalled(cluster: &Cluster, flags: &[&str]) -> (Served, PipeReader) {
    let (reader, writer): (PipeReader, PipeWriter) = pipe().unwrap();
    let same_end = writer.try_clone().unwrap();
    let served = Served::start(cluster.consumer().args(flags).stdout(writer));
    wait_until_full(&same_end);
    (served, reader)
}

/// Reads the pipe to its end, beside the test.
fn read_on(mut reader: PipeReader) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    })
}

#[test]
fn a_reader_that_goes_ends_it_quietly() {
    let cluster = Cluster::new(1);
    cluster.produce(&more_than_a_pipe());
    let (mut reader, writer) = pipe().unwrap();
    let process = cluster.consumer().args(["-p", "0"]).stdout(writer).spawn().unwrap();
    reader.read_exact(&mut [0; 100]).unwrap();
    drop(reader);
    let outcome = process.wait(SOON).unwrap().expect_code(0).unwrap();
    let loud = outcome.events().into_iter().find(|event| event["level"] == "ERROR" || event["level"] == "WARN");
    assert_eq!(loud, None, "{outcome}");
}

#[test]
fn a_reader_that_goes_is_noticed_when_no_record_comes() {
    let cluster = Cluster::new(1);
    cluster.produce(&[NewRecord::value("only")]);
    let (mut reader, writer) = pipe().unwrap();
    let process = cluster.consumer().args(["-p", "0"]).stdout(writer).spawn().unwrap();
    reader.read_exact(&mut [0; 100]).unwrap();
    drop(reader);
    process.wait(Duration::from_secs(5)).unwrap().expect_code(0).unwrap();
}

#[test]
fn what_a_full_disk_did_not_take_comes_again() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..10, 1));
    for flags in [&["-n", "10"][..], &[]] {
        let process = cluster.member("g").args(flags).stdout(full_disk());
        let outcome = process.run(SOON).unwrap().expect_code(1).unwrap();
        assert!(outcome.stderr.contains("No space left on device"), "{outcome}");
        if !flags.is_empty() {
            assert_eq!(report(&outcome)["records"], 0, "none was logged");
        }
    }
    let next = cluster.member("g").arg("--exit-at-end").run(SOON).unwrap().expect_code(0).unwrap();
    assert_eq!(numbers(&next.stdout), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_stalled_pipe_holds_it_up_and_then_everything_comes_once() {
    let cluster = Cluster::new(1);
    let records = more_than_a_pipe();
    cluster.produce(&records);
    let flags = ["-g", "g", "--group-protocol", "consumer"];
    let (served, reader) = stalled(&cluster, &flags);
    assert_eq!(served.get("/livez").status, 200, "shorter than max.poll.interval.ms");
    assert_eq!(served.get("/metrics").status, 200);
    let text = read_on(reader);
    let series = r#"kafka_consumer_records_total{partition="0",topic="test"}"#;
    served.wait_for_metric(series, Some(100.0));
    cluster.produce(&[NewRecord::value("last one").partition(0)]);
    served.wait_for_metric(series, Some(101.0));
    stop(served.process, Signal::TERM, 0);
    let text = text.join().unwrap();
    let expected: Vec<_> =
        records.iter().map(|record| String::from_utf8(record.value.clone().unwrap()).unwrap()).collect();
    let logged = values(&text);
    assert!(logged[..100] == expected[..] && logged[100..] == ["last one"], "{} lines", logged.len());
    let rest = cluster.member("g").arg("--exit-at-end").run(SOON).unwrap().expect_code(0).unwrap();
    assert_eq!(rest.stdout, "", "all was committed");
}

#[test]
fn liveness_fails_beyond_the_poll_interval_and_the_records_come_all_the_same() {
    let cluster = Cluster::new(1);
    cluster.produce(&more_than_a_pipe());
    let limits = ["-X", "session.timeout.ms=1500", "-X", "max.poll.interval.ms=1500"];
    let (served, reader) = stalled(&cluster, &[&["-p", "0"][..], &limits].concat());
    let failed = served.wait_for("/livez", 503, "the work loop has not moved for 1 s, the limit is 1 s");
    assert_eq!(failed.status, 503);
    let text = read_on(reader);
    served.wait_for("/livez", 200, "ok");
    served.wait_for_metric(r#"kafka_consumer_records_total{partition="0",topic="test"}"#, Some(100.0));
    stop(served.process, Signal::TERM, 0);
    assert_eq!(text.join().unwrap().lines().count(), 100);
}

#[test]
fn a_member_that_stalls_for_too_long_loses_nothing() {
    let cluster = Cluster::new(1);
    cluster.produce(&more_than_a_pipe());
    let limits = ["-g", "g", "-X", "session.timeout.ms=2000", "-X", "max.poll.interval.ms=2000"];
    let (served, reader) = stalled(&cluster, &limits);
    // librdkafka looks twice a second whether the interval has passed.
    served.wait_for("/livez", 503, "has not moved for 3 s");
    let (last_seen, last) = channel();
    let text = thread::spawn(move || {
        let mut text = String::new();
        for line in BufReader::new(reader).lines() {
            let line = line.unwrap();
            if line.contains("last one") {
                last_seen.send(()).unwrap();
            }
            text += &(line + "\n");
        }
        text
    });
    // Its partition is lost and comes again, and with it what was not committed.
    let lost = served.process.wait_for_stderr_events("rebalance", 2, SOON).unwrap();
    assert_eq!(lost["kind"], "lost");
    served.process.wait_for_stderr_events("rebalance", 3, SOON).unwrap();
    served.wait_for("/livez", 200, "ok");
    cluster.produce(&[NewRecord::value("last one").partition(0)]);
    last.recv_timeout(SOON).unwrap();
    let outcome = stop(served.process, Signal::TERM, 0);
    let logged: BTreeSet<_> = values(&text.join().unwrap()).into_iter().collect();
    assert_eq!(logged.len(), 101, "each at least once\n{outcome}");
    let rest = cluster.member("g").arg("--exit-at-end").run(SOON).unwrap().expect_code(0).unwrap();
    assert_eq!(rest.stdout, "", "all was committed");
}

#[test]
fn a_drain_that_hangs_in_a_write_ends_at_its_deadline() {
    let cluster = Cluster::new(1);
    cluster.produce(&more_than_a_pipe());
    let (served, _reader) = stalled(&cluster, &["-p", "0", "--drain-timeout", "300ms"]);
    let outcome = stop(served.process, Signal::TERM, 1);
    assert!(outcome.events().iter().any(|event| event["event"] == "drain_missed"), "{outcome}");
}

#[test]
fn a_draining_process_is_not_ready_and_a_second_signal_ends_it() {
    let cluster = Cluster::new(1);
    cluster.produce(&more_than_a_pipe());
    let (served, _reader) = stalled(&cluster, &["-p", "0", "--drain-timeout", "1h"]);
    served.wait_for("/readyz", 200, "");
    served.process.signal(Signal::TERM).unwrap();
    served.wait_for("/readyz", 503, "draining");
    stop(served.process, Signal::INT, 143);
}

#[test]
fn a_run_that_is_done_is_not_held_up_by_brokers_that_went() {
    let cluster = Cluster::new(1);
    cluster.produce(&more_than_a_pipe());
    let flags = ["-g", "g", "--group-protocol", "consumer", "-n", "100", "--drain-timeout", "1s"];
    let (served, reader) = stalled(&cluster, &flags);
    cluster.mock.all_down().unwrap();
    let text = read_on(reader);
    let outcome = served.process.wait(Duration::from_secs(10)).unwrap().expect_code(1).unwrap();
    assert!(report(&outcome)["message"].as_str().unwrap().contains("could not be committed"), "{outcome}");
    assert_eq!(text.join().unwrap().lines().count(), 100);
}

#[test]
fn nothing_is_written_after_the_last_record_asked_for() {
    let cluster = Cluster::new(1);
    cluster.produce(&more_than_a_pipe());
    let process = cluster.consumer().args(["-p", "0", "-n", "99"]).spawn().unwrap();
    wait_for_records(&process, 99);
    let outcome = process.wait(SOON).unwrap().expect_code(0).unwrap();
    assert_eq!(outcome.stdout.lines().count(), 99);
}
