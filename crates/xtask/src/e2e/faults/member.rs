//! A member of the group: a running consumer, its lines counted as they come by a reader that can stall and go away.

use std::fs::File;
use std::io::{PipeReader, Read, pipe};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use testbed::http;
use testbed::ports::free_port;
use testbed::process::{Outcome, Process, Program, Signal};

use super::logged::Shared;
use super::samples::{Sample, Samples};

/// How long a start and a first assignment may take.
const READY: Duration = Duration::from_secs(60);
/// How long the end may take: more than the program's own drain deadline.
const END: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(20);

/// How the reader of the records behaves.
#[derive(Default)]
struct Gate {
    stalled: AtomicBool,
    closing: AtomicBool,
}

/// A running member.
pub struct Member {
    process: Process,
    admin: String,
    gate: Arc<Gate>,
    reader: Option<JoinHandle<()>>,
    samples: Samples,
    /// It was there before the fault began.
    pub first: bool,
}

impl Ended {
    /// Fails with the log unless it ended with this exit code.
    pub fn expect_code(self, code: i32) -> Result<Self> {
        Ok(Self { outcome: self.outcome.expect_code(code)?, ..self })
    }
}

/// A member that has ended.
pub struct Ended {
    /// How, with its log.
    pub outcome: Outcome,
    /// What was seen of it while it lived.
    pub samples: Vec<Sample>,
    /// It was there before the fault began.
    pub first: bool,
}

/// Where the records come from.
enum Source {
    Pipe(PipeReader),
    File(File),
}

impl Member {
    /// Starts a member whose lines are counted in `into`.
    pub fn start(program: Program, into: &Shared) -> Result<Self> {
        let (reader, writer) = pipe()?;
        Self::spawn(program.stdout(writer), Source::Pipe(reader), into)
    }

    /// Starts a member that writes its records to a file.
    pub fn to_file(program: Program, path: &Path, into: &Shared) -> Result<Self> {
        let file = File::create(path)?;
        Self::spawn(program.stdout(file), Source::File(File::open(path)?), into)
    }

    fn spawn(program: Program, source: Source, into: &Shared) -> Result<Self> {
        // A port that is known beforehand, as its log may be read by nobody.
        let admin = format!("127.0.0.1:{}", free_port()?);
        let process = program.args(["--listen", &admin]).spawn()?;
        let gate = Arc::new(Gate::default());
        let (into, passing) = (into.clone(), Arc::clone(&gate));
        let reader = thread::spawn(move || read(source, &passing, &into));
        let samples = Samples::begin(process.pid(), Some(admin.clone()));
        // It answers nobody before it listens.
        samples.set_silent(true);
        Ok(Self { process, admin, gate, reader: Some(reader), samples, first: false })
    }

    /// Waits until it is ready; from then on its health is watched.
    pub fn wait_until_ready(&self) -> Result<()> {
        let answer = http::wait_for(self.admin.as_str(), "/readyz", READY, |answer| answer.status == 200);
        answer.with_context(|| format!("a member is not ready; its log:\n{}", self.process.stderr()))?;
        self.samples.set_silent(false);
        Ok(())
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Waits until it says whether it is ready.
    pub fn is_ready(&self) -> bool {
        http::get(self.admin.as_str(), "/readyz").is_ok_and(|answer| answer.status == 200)
    }

    /// Stops or continues it: SIGSTOP and SIGCONT.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        if frozen {
            self.samples.set_silent(true);
            return self.process.signal(Signal::STOP);
        }
        self.process.signal(Signal::CONT)?;
        self.samples.set_silent(false);
        Ok(())
    }

    /// The reader of its records stops to read, or goes on.
    pub fn stall(&self, stalled: bool) {
        self.gate.stalled.store(stalled, Ordering::Relaxed);
    }

    /// The reader of its records goes away with all that was written, at a moment when nothing is being written.
    pub fn close(&mut self) -> Result<()> {
        self.samples.end();
        self.process.signal(Signal::STOP)?;
        self.gate.closing.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        self.process.signal(Signal::CONT)
    }

    /// Sends a signal that ends it; [`Member::wait`] follows.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.samples.end();
        self.process.signal(signal)
    }

    /// Waits for its end, with all its lines counted.
    pub fn wait(mut self) -> Result<Ended> {
        self.samples.end();
        let outcome = match self.process.wait(END) {
            Ok(outcome) => outcome,
            Err(error) => bail!("a member has not ended: {error:#}"),
        };
        self.gate.closing.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        Ok(Ended { outcome, samples: self.samples.taken(), first: self.first })
    }
}

/// Reads until the writers are gone, or until it is to go away and nothing is left.
fn read(source: Source, gate: &Gate, into: &Shared) {
    let (mut chunk, mut rest) = (vec![0; 64 * 1024], Vec::new());
    loop {
        if gate.stalled.load(Ordering::Relaxed) {
            thread::sleep(LOOK);
            continue;
        }
        // Asked before reading: what is written afterwards is not ours to see.
        let closing = gate.closing.load(Ordering::Relaxed);
        let length = match &source {
            Source::Pipe(pipe) => match wait_readable(pipe) {
                false if closing => return,
                false => continue,
                true => match (&mut &*pipe).read(&mut chunk) {
                    Ok(0) | Err(_) => return,
                    Ok(length) => length,
                },
            },
            Source::File(file) => match (&mut &*file).read(&mut chunk) {
                Ok(0) if closing => return,
                Ok(0) => {
                    thread::sleep(LOOK);
                    continue;
                }
                Ok(length) => length,
                Err(_) => return,
            },
        };
        rest.extend_from_slice(&chunk[..length]);
        let now = Instant::now();
        let mut logged = into.lock();
        let mut start = 0;
        while let Some(end) = rest[start..].iter().position(|byte| *byte == b'\n') {
            logged.line(&rest[start..start + end], now);
            start += end + 1;
        }
        drop(logged);
        rest.drain(..start);
    }
}

fn wait_readable(pipe: &PipeReader) -> bool {
    let wait = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    let mut polled = [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)];
    poll(&mut polled, Some(&wait)).is_ok_and(|ready| ready > 0)
}
