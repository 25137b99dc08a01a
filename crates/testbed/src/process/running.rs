//! A process that runs: what it says, signals to it, its end.

use std::io::Write;
use std::process::{Child, ChildStdin, ExitStatus};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use serde_json::Value;
use tempfile::TempDir;

use super::Outcome;
use super::capture::{Shared, Stream};
use super::outcome::cpu_of_ended;
use super::throttle::Throttle;

/// A running program. Dropped, it is killed and reaped.
pub struct Process {
    name: String,
    child: Child,
    seen: Shared,
    status: Option<ExitStatus>,
    cpu: Option<Duration>,
    scratch: Option<TempDir>,
    left: bool,
}

impl Process {
    pub(super) fn new(name: String, mut child: Child, scratch: Option<TempDir>) -> Result<Self> {
        let seen = Shared::default();
        if let Some(stdout) = child.stdout.take() {
            seen.read(Stream::Stdout, stdout);
        }
        if let Some(stderr) = child.stderr.take() {
            seen.read(Stream::Stderr, stderr);
        }
        let process = Self { name, child, seen, status: None, cpu: None, scratch, left: false };
        let (pid, seen) = (process.process_id(), process.seen.clone());
        // It only watches: to reap is left to the owner, so that no signal of ours can meet a process id used again.
        thread::spawn(move || {
            let watched = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while waitid(WaitId::Pid(pid), watched).is_err_and(|error| error == Errno::INTR) {}
            seen.change(|seen| seen.exited = true);
        });
        Ok(process)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The folder it runs in, if it is one of its own.
    pub fn scratch_dir(&self) -> Option<&std::path::Path> {
        self.scratch.as_ref().map(TempDir::path)
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        !self.seen.lock().exited
    }

    /// What it wrote to its standard output until now.
    pub fn stdout(&self) -> String {
        self.seen.lock().output(Stream::Stdout).text()
    }

    /// What it wrote to its standard error until now.
    pub fn stderr(&self) -> String {
        self.seen.lock().output(Stream::Stderr).text()
    }

    /// Waits for a line on its standard output. `wanted` sees each line once, the first ones first, also those that came
    /// before this call: to wait for the tenth, count in it.
    pub fn wait_for_stdout(&self, timeout: Duration, wanted: impl FnMut(&str) -> bool) -> Result<String> {
        self.wait_for_line(Stream::Stdout, timeout, wanted)
    }

    /// [`Process::wait_for_stdout`] on its standard error.
    pub fn wait_for_stderr(&self, timeout: Duration, wanted: impl FnMut(&str) -> bool) -> Result<String> {
        self.wait_for_line(Stream::Stderr, timeout, wanted)
    }

    /// Waits for an event of the operational log: a JSON line on standard error whose `event` or `message` is this, at the
    /// top or inside `fields`.
    pub fn wait_for_stderr_event(&self, name: &str, timeout: Duration) -> Result<Value> {
        self.wait_for_stderr_events(name, 1, timeout)
    }

    /// [`Process::wait_for_stderr_event`] for the event's nth time, counted from 1 at the start of the process.
    pub fn wait_for_stderr_events(&self, name: &str, nth: usize, timeout: Duration) -> Result<Value> {
        let (mut event, mut times) = (Value::Null, 0);
        self.wait_for_stderr(timeout, |line| {
            if let Ok(value) = serde_json::from_str::<Value>(line)
                && is_event(&value, name)
            {
                times += 1;
                event = value;
            }
            times == nth
        })
        .with_context(|| format!("event {name:?} was not logged for the {nth}. time"))?;
        Ok(event)
    }

    /// Writes to its standard input.
    pub fn write_stdin(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("the program was started without stdin_piped")?;
        stdin.write_all(bytes.as_ref())?;
        Ok(stdin.flush()?)
    }

    /// Hands over its standard input, to be written by another thread.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Ends its standard input.
    pub fn close_stdin(&mut self) {
        self.child.stdin = None;
    }

    /// Sends it a signal. That it has ended already is an error.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        if !self.is_running() {
            bail!("{} has ended before it got {signal:?}\n{}", self.name, self.transcript());
        }
        Ok(kill_process(self.process_id(), signal)?)
    }

    /// Lets it run for this share of the time only (0.2: a fifth of a core at most), until the guard is dropped.
    pub fn throttle(&self, share: f64) -> Throttle {
        Throttle::start(self.process_id(), self.seen.clone(), share)
    }

    /// Waits for its end and the end of its captured outputs.
    pub fn wait(mut self, timeout: Duration) -> Result<Outcome> {
        let ended = self.seen.wait(timeout, |seen| {
            let open = seen.output(Stream::Stdout).open || seen.output(Stream::Stderr).open;
            (seen.exited && !open).then_some(())
        });
        if ended.is_none() {
            bail!("{} did not end within {timeout:?}\n{}", self.name, self.transcript());
        }
        let status = self.reap()?;
        Ok(Outcome { status, stdout: self.stdout(), stderr: self.stderr(), cpu: self.cpu })
    }

    /// Sends it a signal and waits for its end.
    pub fn stop(self, signal: Signal, timeout: Duration) -> Result<Outcome> {
        self.signal(signal)?;
        self.wait(timeout)
    }

    /// Lets it go on without us: dropped, it is not killed.
    pub(crate) fn leave(mut self) {
        self.left = true;
    }

    fn wait_for_line(&self, stream: Stream, timeout: Duration, mut wanted: impl FnMut(&str) -> bool) -> Result<String> {
        let mut position = 0;
        let line = self.seen.wait(timeout, |seen| {
            let output = seen.output(stream);
            while let Some(line) = output.next_line(&mut position) {
                if wanted(&line) {
                    return Some(Ok(line));
                }
            }
            (!output.open).then_some(Err(()))
        });
        match line {
            Some(Ok(line)) => Ok(line),
            Some(Err(())) => bail!("{} ended its {stream:?} without the line\n{}", self.name, self.transcript()),
            None => bail!("{} did not write the line within {timeout:?}\n{}", self.name, self.transcript()),
        }
    }

    fn reap(&mut self) -> Result<ExitStatus> {
        self.cpu = cpu_of_ended(self.pid());
        let status = self.child.wait()?;
        self.status = Some(status);
        Ok(status)
    }

    fn transcript(&self) -> String {
        format!("--- stdout\n{}\n--- stderr\n{}", self.stdout(), self.stderr())
    }

    fn process_id(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.status.is_none() && !self.left {
            // A process id that is not reaped can't belong to another process; a throttle learns of it under the same lock.
            self.seen.change(|seen| {
                let _ = kill_process(Pid::from_child(&self.child), Signal::KILL);
                let _ = self.child.wait();
                seen.exited = true;
            });
        }
    }
}

fn is_event(line: &Value, name: &str) -> bool {
    ["/event", "/message", "/fields/event", "/fields/message"]
        .iter()
        .any(|place| line.pointer(place).and_then(Value::as_str) == Some(name))
}
