//! What the tests share: starting the program, checking its report, brokers with a topic, and ports that are no broker.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use common::stamp::{self, Stamp};
use serde_json::Value;
use tempfile::TempDir;
use testbed::http;
use testbed::mock::Mock;
use testbed::process::{Outcome, Process, Program};
use testbed::records::{self, Record};

/// For what should happen at once; as long as it is because machines that test are busy.
pub const SOON: Duration = Duration::from_secs(30);
/// The topic of all tests, the program's own default.
pub const TOPIC: &str = "test";
/// An address that a program without a broker may be given: nobody can listen there.
pub const NOWHERE: &str = "127.0.0.1:1";

/// The program, with nothing configured.
pub fn producer() -> Program {
    Program::new(env!("CARGO_BIN_EXE_kafka-producer"))
}

/// A mock cluster with [`TOPIC`].
pub struct Cluster {
    pub mock: Mock,
}

impl Cluster {
    /// One broker.
    pub fn new(partitions: i32) -> Self {
        Self { mock: Mock::with_topic(TOPIC, partitions).unwrap() }
    }

    /// The program with this cluster's address.
    pub fn producer(&self) -> Program {
        producer().arg("-b").arg(self.mock.bootstrap_servers())
    }

    /// The program run to its end with these arguments.
    pub fn run(&self, args: &[&str]) -> Outcome {
        self.producer().args(args).run(SOON).unwrap()
    }

    /// Several runs side by side, as each has to wait for the broker now and then.
    pub fn run_all<'a, A: AsRef<[&'a str]>>(&self, runs: &[A]) -> Vec<Outcome> {
        let running: Vec<_> = runs.iter().map(|args| self.producer().args(args.as_ref()).spawn().unwrap()).collect();
        running.into_iter().map(|process| process.wait(SOON).unwrap()).collect()
    }

    /// All that the topic holds, by partition and offset.
    pub fn records(&self) -> Vec<Record> {
        records::read_all(&records::client_config(&self.mock.bootstrap_servers()), TOPIC).unwrap()
    }

    /// The values that the topic holds, as text.
    pub fn values(&self) -> Vec<String> {
        self.records().iter().map(Record::text).collect()
    }

    /// How many records the topic holds.
    pub fn count(&self) -> u64 {
        let count = records::count(&records::client_config(&self.mock.bootstrap_servers()), TOPIC).unwrap();
        u64::try_from(count).unwrap()
    }

    /// The sequence numbers in the topic, sorted.
    pub fn sequences(&self) -> Vec<u64> {
        let mut sequences: Vec<u64> = self.records().iter().map(sequence).collect();
        sequences.sort_unstable();
        sequences
    }
}

/// The number in a record's stamp.
pub fn sequence(record: &Record) -> u64 {
    let value = record.header(stamp::HEADER).unwrap();
    Stamp::parse(value.as_bytes()).unwrap().seq
}

/// The report of a program that ended with this code. It always adds up and never contradicts the exit code.
pub fn report(outcome: &Outcome, code: i32) -> Value {
    assert_eq!(outcome.code(), Some(code), "{outcome}");
    let report = outcome.json().unwrap();
    check_report(&report, code);
    report
}

/// Checks what holds for every report.
pub fn check_report(report: &Value, code: i32) {
    assert_eq!(report["event"], "report");
    assert_eq!(report["exit_code"], code, "{report}");
    let sum = number(report, "delivered") + number(report, "failed") + number(report, "unsent");
    assert_eq!(number(report, "requested"), sum, "{report}");
    assert_eq!(report.get("message").is_some(), code != 0, "a message says why, and only why not: {report}");
}

/// The report in the operational log, where it goes when stdout cannot take it.
pub fn report_on_stderr(outcome: &Outcome, code: i32) -> Value {
    let event = outcome.events().into_iter().find(|event| event["event"] == "report_unwritten");
    let event = event.unwrap_or_else(|| panic!("no report on stderr: {outcome}"));
    let report = serde_json::from_str(event["report"].as_str().unwrap()).unwrap();
    check_report(&report, code);
    report
}

/// A whole number of a report.
pub fn number(report: &Value, field: &str) -> u64 {
    report[field].as_u64().unwrap_or_else(|| panic!("no number {field} in {report}"))
}

/// A text of a report.
pub fn text<'a>(report: &'a Value, field: &str) -> &'a str {
    report[field].as_str().unwrap_or_else(|| panic!("no text {field} in {report}"))
}

/// A report without messages delivered, of which none was transmitted either.
pub fn assert_nothing_sent(report: &Value, requested: u64) {
    let counts = ["requested", "delivered", "failed", "unsent"].map(|field| number(report, field));
    assert_eq!(counts, [requested, 0, 0, requested], "{report}");
}

/// Fails unless the text contains each of these.
pub fn assert_says(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "{wanted:?} is missing in:\n{text}");
    }
}

/// A temporary folder with one file in it.
pub fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

/// A path as an argument.
pub fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The address of the admin server of a program started with `--listen 127.0.0.1:0`.
pub fn admin_address(process: &Process) -> SocketAddr {
    let event = process.wait_for_stderr_event("admin_listening", SOON).unwrap();
    event["address"].as_str().unwrap().parse().unwrap()
}

/// The value of a metric without labels.
pub fn metric(body: &str, name: &str) -> Option<f64> {
    let line = body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.parse().ok()
}

/// Waits until this many messages were acknowledged, going by the program's metrics.
pub fn wait_for_delivered(address: SocketAddr, at_least: f64) {
    http::wait_for(address, "/metrics", SOON, |response| {
        metric(&response.body, "kafka_producer_delivered_messages_total").is_some_and(|count| count >= at_least)
    })
    .unwrap();
}

/// A port with somebody behind it who is no broker.
pub struct Impostor {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What somebody who is no broker does with a connection.
#[derive(Clone, Copy)]
pub enum Manner {
    /// Answers as web servers do.
    Http,
    /// Closes at once.
    Closes,
    /// Says nothing.
    Silent,
}

impl Impostor {
    pub fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&ended);
        let serve = move || {
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(mut stream) = stream else { continue };
                match manner {
                    // The other side may be gone already, which is its business.
                    Manner::Http => {
                        let _ = stream.read(&mut [0; 1024]);
                        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
                    }
                    Manner::Closes => drop(stream),
                    Manner::Silent => kept.push(stream),
                }
            }
        };
        Self { address, ended, thread: Some(std::thread::spawn(serve)) }
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread from its wait for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
