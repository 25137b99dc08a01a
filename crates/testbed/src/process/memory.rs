//! How much memory a process has.

use std::fs;

/// A line of `/proc/PID/status` in bytes: `VmRSS` is what it has now, `VmHWM` the most it had. `None` when it is gone.
pub fn memory(pid: u32, line: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'))?;
    Some(found.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}
