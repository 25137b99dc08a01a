//! A running `kafka-consumer` whose record lines are counted as they come.

use std::io::{BufRead, BufReader, PipeReader, pipe};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testbed::http;
use testbed::process::{Outcome, Process, Program, Signal};

use crate::received::Received;

/// How long a start, its admin server and a first assignment may take.
const READY: Duration = Duration::from_secs(60);
/// How long the end may take: more than the program's own drain deadline.
const END: Duration = Duration::from_secs(40);
/// Between two looks at what was received.
const LOOK: Duration = Duration::from_millis(50);

/// Where the lines of one or several consumers are counted.
pub type Shared = Arc<Mutex<Received>>;

/// An empty count.
pub fn shared(run_id: Option<&str>) -> Result<Shared> {
    Ok(Arc::new(Mutex::new(Received::new(run_id)?)))
}

/// The count, also after a thread that held it has failed.
pub fn lock(shared: &Shared) -> MutexGuard<'_, Received> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running consumer.
pub struct Consumer {
    process: Process,
    reader: JoinHandle<()>,
    admin: String,
}

impl Consumer {
    /// The program with what all tasks need: JSON on stdout, its log on stderr, its admin server on a free port.
    pub fn program(path: &Path, servers: &str, topic: &str) -> Program {
        let program = Program::new(path).args(["--bootstrap-servers", servers, "--topic", topic]);
        program.args(["--listen", "127.0.0.1:0", "--format", "json", "--log-format", "json"])
    }

    /// Starts it, its lines counted in `into`. It may not be ready yet.
    pub fn start(program: Program, into: &Shared) -> Result<Self> {
        let (reader, writer) = pipe()?;
        Self::attach(program.stdout(writer).spawn()?, reader, into)
    }

    /// Begins to read the lines of one that was started with the other end of this pipe.
    pub fn attach(process: Process, reader: PipeReader, into: &Shared) -> Result<Self> {
        let into = Arc::clone(into);
        let reader = thread::spawn(move || read(reader, &into));
        let event = process.wait_for_stderr_event("admin_listening", READY)?;
        let address = event.get("address").and_then(|address| address.as_str());
        let admin = address.context("the event names no address")?.to_owned();
        Ok(Self { process, reader, admin })
    }

    /// Waits until it has partitions and a broker, so that nothing sent from now on waits for a start.
    pub fn wait_until_ready(&self) -> Result<()> {
        self.wait_for_readiness(true, READY)
    }

    /// Waits until it says that it is ready, or that it is not.
    pub fn wait_for_readiness(&self, ready: bool, timeout: Duration) -> Result<()> {
        let wanted = if ready { 200 } else { 503 };
        let answer = http::wait_for(self.admin.as_str(), "/readyz", timeout, |answer| answer.status == wanted);
        answer.with_context(|| format!("the consumer's log:\n{}", self.process.stderr()))?;
        Ok(())
    }

    /// Waits until `/metrics` has this line.
    pub fn wait_for_metric(&self, line: &str, timeout: Duration) -> Result<()> {
        let has = |answer: &http::Response| answer.body.lines().any(|found| found == line);
        let answer = http::wait_for(self.admin.as_str(), "/metrics", timeout, has);
        answer.map(drop).with_context(|| format!("/metrics has not said {line:?}; the log:\n{}", self.process.stderr()))
    }

    /// The address of its admin server.
    pub fn address(&self) -> &str {
        &self.admin
    }

    /// What `/metrics` says now.
    pub fn metrics(&self) -> Result<String> {
        Ok(http::get(self.admin.as_str(), "/metrics")?.body)
    }

    /// Its own log, for an error.
    pub fn log(&self) -> String {
        format!("the consumer's log:\n{}", self.process.stderr())
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Sends a signal and waits for the end.
    pub fn stop(self, signal: Signal) -> Result<Outcome> {
        self.process.signal(signal)?;
        self.wait()
    }

    /// Waits for its end, with all its lines counted.
    pub fn wait(self) -> Result<Outcome> {
        let outcome = self.process.wait(END)?;
        // Nobody has the pipe's writing end any more.
        let _ = self.reader.join();
        Ok(outcome)
    }
}

/// Waits until a count satisfies `wanted`. The error says what had come until then.
pub fn wait_until(shared: &Shared, timeout: Duration, wanted: impl Fn(&Received) -> bool) -> Result<()> {
    let deadline = Instant::now() + timeout;
    loop {
        let received = lock(shared);
        if wanted(&received) {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "within {timeout:?} only {} different messages came ({} repeated, {} of others)",
            received.distinct(),
            received.duplicated(),
            received.others()
        );
        drop(received);
        thread::sleep(LOOK);
    }
}

fn read(pipe: PipeReader, into: &Shared) {
    let mut lines = BufReader::with_capacity(256 * 1024, pipe);
    let mut line = Vec::new();
    while let Ok(1..) = lines.read_until(b'\n', &mut line) {
        lock(into).line(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}
