//! One run of one program: its processor time, how long it took, and the most memory it had.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::NamedTempFile;
use testbed::process::{Process, Program, memory};

/// Between two looks at a running program: the precision of its time, and little enough not to disturb it.
const LOOK: Duration = Duration::from_millis(5);
/// No run is meant to take longer.
pub const TIMEOUT: Duration = Duration::from_secs(300);

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// User and system time of the process and its children, in seconds.
    pub cpu: f64,
    /// From start to end, in seconds.
    pub wall: f64,
    /// The most memory it had, in bytes (`VmHWM`).
    pub peak_rss: u64,
}

impl Sample {
    /// CPU seconds per million messages.
    pub fn cpu_per_million(&self, messages: u64) -> f64 {
        self.cpu * 1e6 / messages as f64
    }

    /// Messages a second, start and end of the process included.
    pub fn rate(&self, messages: u64) -> f64 {
        messages as f64 / self.wall
    }

    /// Peak memory in MiB.
    pub fn peak_mib(&self) -> f64 {
        mib(self.peak_rss)
    }
}

/// Bytes as MiB.
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

/// Runs a program to its good end.
pub fn run(program: Program) -> Result<Sample> {
    let began = Instant::now();
    let process = program.spawn()?;
    finish(process, began)
}

/// Waits for the good end of a program that was started at `began`.
pub fn finish(process: Process, began: Instant) -> Result<Sample> {
    let mut peak_rss = 0;
    while process.is_running() {
        // The last look before the end is the most there was, but for its last milliseconds.
        peak_rss = memory(process.pid(), "VmHWM").unwrap_or(peak_rss);
        ensure!(began.elapsed() < TIMEOUT, "not done within {TIMEOUT:?}: {}", process.stderr());
        thread::sleep(LOOK);
    }
    let wall = began.elapsed().as_secs_f64();
    let outcome = process.wait(Duration::from_secs(10))?;
    if !outcome.status.success() {
        let said: Vec<&str> = outcome.stderr.lines().rev().take(3).collect();
        bail!("ended with {}: {}", outcome.status, said.join(" | "));
    }
    let cpu = outcome.cpu.context("the system tells no processor time")?.as_secs_f64();
    Ok(Sample { cpu, wall, peak_rss })
}

/// Processor time of a running process so far, in seconds.
pub fn cpu_so_far(pid: u32) -> Result<f64> {
    // Nanoseconds that each thread ran, finer than the ticks of `/proc/PID/stat`; threads that ended are not in it.
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        nanoseconds += text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(nanoseconds as f64 / 1e9)
}

/// The load of the machine over the last minute.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

/// Where records are logged to: a file in memory that is written over again and again, so that nobody pays for new pages
/// and what was written can be checked.
pub struct Sink {
    file: NamedTempFile,
}

impl Sink {
    /// An empty one.
    pub fn new() -> Result<Self> {
        Ok(Self { file: NamedTempFile::with_prefix_in("bench-", shared_memory())? })
    }

    /// A handle for the next run, at the file's beginning.
    pub fn rewind(&mut self) -> Result<File> {
        let mut file = self.file.reopen()?;
        file.rewind()?;
        Ok(file)
    }

    /// How many lines, and bytes of them, lie between the beginning and where the writer of this handle stopped.
    pub fn written(&mut self, writer: &mut File) -> Result<(u64, u64)> {
        let bytes = writer.stream_position()?;
        self.lines_between(0, bytes).map(|lines| (lines, bytes))
    }

    /// Lines that end between two positions.
    pub fn lines_between(&mut self, from: u64, to: u64) -> Result<u64> {
        let mut reader = self.file.reopen()?;
        reader.seek(SeekFrom::Start(from))?;
        let mut reader = reader.take(to - from);
        let (mut lines, mut chunk) = (0, vec![0; 1024 * 1024]);
        loop {
            match reader.read(&mut chunk)? {
                0 => return Ok(lines),
                length => lines += chunk[..length].iter().filter(|byte| **byte == b'\n').count() as u64,
            }
        }
    }
}

/// A folder in memory, where the system has one.
pub fn shared_memory() -> PathBuf {
    let folder = PathBuf::from("/dev/shm");
    if folder.is_dir() { folder } else { std::env::temp_dir() }
}
