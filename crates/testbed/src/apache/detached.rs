//! Finds and ends brokers that another process has left running.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

const GRACE: Duration = Duration::from_secs(15);

/// How many brokers of a folder that was given to `Builder::detached` run.
pub fn count_detached(folder: impl AsRef<Path>) -> Result<usize> {
    Ok(running(folder.as_ref())?.len())
}

/// Ends the brokers of a folder that was given to `Builder::detached`, and says how many there were.
pub fn stop_detached(folder: impl AsRef<Path>) -> Result<usize> {
    let running = running(folder.as_ref())?;
    for pid in &running {
        let _ = kill_process(*pid, Signal::TERM);
    }
    let deadline = Instant::now() + GRACE;
    for pid in &running {
        while test_kill_process(*pid).is_ok() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(50));
        }
        let _ = kill_process(*pid, Signal::KILL);
    }
    Ok(running.len())
}

fn running(folder: &Path) -> Result<Vec<Pid>> {
    let Ok(folder) = folder.canonicalize() else {
        return Ok(Vec::new());
    };
    let mut running = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let broker = entry?.path();
        let Ok(pid) = fs::read_to_string(broker.join("pid")) else {
            continue;
        };
        let pid: i32 = pid.parse().with_context(|| format!("no process id in {}", broker.display()))?;
        // A process id can belong to another program by now: that one was not started with this folder.
        if arguments(pid)?.contains(&*broker.to_string_lossy()) {
            running.extend(Pid::from_raw(pid));
        }
    }
    Ok(running)
}

/// The command line of a process; empty when there is none.
fn arguments(pid: i32) -> Result<String> {
    let output = Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid.to_string()]).output();
    Ok(String::from_utf8_lossy(&output.context("`ps` is missing")?.stdout).into_owned())
}
