//! A program under strace, and its trace when it has ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testbed::process::Program;

use super::trace::CALLS;

/// How long strace may go on writing when the program has ended.
const REST: Duration = Duration::from_secs(20);
/// Between two looks at the file.
const LOOK: Duration = Duration::from_millis(20);

/// A trace that is being written.
pub struct Trace {
    file: PathBuf,
}

impl Trace {
    /// strace on a program, and where it writes. The process is the program's own, with its signals, streams and exit code: strace
    /// watches from the side. Only the calls of interest stop it.
    pub fn of(program: &Path, file: &Path) -> (Self, Program) {
        let calls = format!("trace={}", CALLS.join(","));
        let strace =
            Program::new("strace").args(["-D", "-f", "--seccomp-bpf", "-q", "-yy", "-s", "4096", "-e", &calls]);
        let strace = strace.arg("-o").arg(file).arg("--").arg(program);
        (Self { file: file.to_owned() }, strace)
    }

    /// All of it, once the program has ended.
    pub fn text(&self) -> Result<String> {
        let deadline = Instant::now() + REST;
        loop {
            let text = fs::read_to_string(&self.file)?;
            // Of the first process, which ends last.
            let first = text.split(' ').next().unwrap_or_default();
            let ended = |line: &str| {
                line.split_once(' ').is_some_and(|(process, rest)| {
                    let rest = rest.trim_start();
                    process == first && (rest.starts_with("+++ exited") || rest.starts_with("+++ killed"))
                })
            };
            if text.lines().any(ended) && text.ends_with('\n') {
                return Ok(text);
            }
            ensure!(Instant::now() < deadline, "strace has not written the end of the program within {REST:?}");
            thread::sleep(LOOK);
        }
    }
}
