//! How a process ended and what it said.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A process that has ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its exit code, or the signal that ended it.
    pub status: ExitStatus,
    /// All it wrote to its standard output, if that was captured.
    pub stdout: String,
    /// All it wrote to its standard error, if that was captured.
    pub stderr: String,
    /// The processor time that it and its ended children took, in steps of 10 ms; known on Linux only.
    pub cpu: Option<Duration>,
}

impl Outcome {
    /// Its exit code; `None` when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The number of the signal that ended it.
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Itself, if it ended with this code; otherwise an error with all it said.
    pub fn expect_code(self, code: i32) -> Result<Self> {
        ensure!(self.code() == Some(code), "ended with {} instead of code {code}\n{self}", self.status);
        Ok(self)
    }

    /// Its standard output as one JSON value.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("its standard output is not one JSON value\n{self}"))
    }

    /// Its standard output as one JSON value a line.
    pub fn json_lines(&self) -> Result<Vec<Value>> {
        let parsed: Result<_, _> = self.stdout.lines().map(serde_json::from_str).collect();
        parsed.with_context(|| format!("its standard output is not JSON lines\n{self}"))
    }

    /// The lines of the operational log that are JSON.
    pub fn events(&self) -> Vec<Value> {
        self.stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "--- {}\n--- stdout\n{}\n--- stderr\n{}", self.status, self.stdout, self.stderr)
    }
}

/// The processor time of a process that has ended and is not reaped yet: `/proc` still knows it.
pub(super) fn cpu_of_ended(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold spaces; user and system time are the 12th and 13th field after it, and those of
    // its children the next two.
    let fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(4);
    let ticks = fields.map(|field| field.parse::<u64>().ok()).sum::<Option<u64>>()?;
    Some(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).ok()?)
}
