//! One broker's process: start, signals, death.

use std::fs::{self, File};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::distribution::Distribution;
use super::properties::Ports;
use crate::process::{Process, Program, Signal};

/// The last line of a start: all listeners answer.
const READY: &str = "Kafka Server started";
/// For a start on a machine that is busy with a compiler too.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(120);
/// Moving the partitions away is part of a stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct Broker {
    pub(super) id: i32,
    pub(super) ports: Ports,
    /// The names and ports of more listeners for clients.
    pub(super) listeners: Vec<(&'static str, u16)>,
    /// Holds its properties, data and logs.
    pub(super) folder: PathBuf,
    pub(super) jvm_options: Vec<String>,
    /// The port of its JMX exporter.
    pub(super) exporter: Option<u16>,
    /// It goes on when we end.
    pub(super) detached: bool,
    pub(super) starts: usize,
    pub(super) process: Option<Process>,
}

impl Broker {
    pub(super) fn properties_path(&self) -> PathBuf {
        self.folder.join("server.properties")
    }

    /// Of the last start; each has its own.
    pub(super) fn log_path(&self) -> PathBuf {
        self.folder.join(format!("kafka-{}.log", self.starts))
    }

    pub(super) fn pid_path(&self) -> PathBuf {
        self.folder.join("pid")
    }

    /// Makes its storage; the process is to be waited for.
    pub(super) fn format(&self, kafka: &Distribution, cluster_id: &str, users: &[String]) -> Result<Process> {
        let tool = kafka.tool("kafka.tools.StorageTool").args(["format", "-t", cluster_id, "-c"]);
        tool.arg(self.properties_path()).args(users).spawn()
    }

    /// Starts its process; it is not ready yet.
    pub(super) fn start(&mut self, kafka: &Distribution) -> Result<()> {
        self.starts += 1;
        let log = File::create(self.log_path())?;
        let mut jvm_options = vec!["-Xmx384m"];
        jvm_options.extend(self.jvm_options.iter().map(String::as_str));
        let program = if self.detached { Program::untied } else { Program::new };
        let server = kafka.server(program, &jvm_options).arg(self.properties_path()).own_group();
        let process = server.current_dir(&self.folder).stdout(log.try_clone()?).stderr(log).spawn()?;
        fs::write(self.pid_path(), process.pid().to_string())?;
        self.process = Some(process);
        Ok(())
    }

    /// Waits until it answers on all its ports.
    pub(super) fn wait_until_ready(&self) -> Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            // Asked before the log is read: a broker that is gone has written all it will.
            let running = self.process.as_ref().is_some_and(Process::is_running);
            let log = fs::read_to_string(self.log_path())?;
            if log.contains(READY) {
                return Ok(());
            }
            if !running {
                bail!("broker {} ended while it started\n{}", self.id, tail(&log));
            }
            if Instant::now() > deadline {
                bail!("broker {} was not ready within {START_TIMEOUT:?}\n{}", self.id, tail(&log));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        self.process.as_ref().with_context(|| format!("broker {} does not run", self.id))?.signal(signal)
    }

    /// Waits until it has ended by itself.
    pub(super) fn await_end(&mut self, timeout: Duration) -> Result<()> {
        let process = self.process.take().with_context(|| format!("broker {} does not run", self.id))?;
        process.wait(timeout).with_context(|| format!("broker {} goes on", self.id))?;
        Ok(())
    }

    /// Ends it by a signal and waits until it is gone.
    pub(super) fn end(&mut self, signal: Signal) -> Result<()> {
        let process = self.process.take().with_context(|| format!("broker {} does not run", self.id))?;
        process.signal(signal)?;
        process.wait(STOP_TIMEOUT).with_context(|| format!("broker {} does not end", self.id))?;
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(process) = self.process.take().filter(|_| self.detached) {
            process.leave();
        }
    }
}

/// The end of a log, with what most likely tells why.
fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
