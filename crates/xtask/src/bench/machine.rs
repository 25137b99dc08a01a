//! Where it was measured: machine, system and versions, without which no number means anything.

use std::fs;
use std::process::Command;

use anyhow::Result;
use testbed::apache::Distribution;

use super::results::Section;
use super::setting::Setting;

/// The name that it is kept by.
pub const ID: &str = "machine";

/// A section without a table.
pub fn describe(setting: &Setting, rivals: Vec<String>) -> Result<Section> {
    let mut section = Section::new(ID, "Machine and versions", &[]);
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let model = line_of("/proc/cpuinfo", "model name").unwrap_or_default();
    let memory = line_of("/proc/meminfo", "MemTotal").unwrap_or_default();
    let system = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    section.about.push(format!("{cpus} cores of {model}, memory {memory}, Linux {}", system.trim()));
    section.about.push("the broker runs on the same cores and keeps its log in memory".to_owned());
    let version = |path: &std::path::Path| {
        let output = Command::new(path).arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    section.about.extend(version(&setting.programs.producer));
    section.about.extend(version(&setting.programs.consumer));
    section
        .about
        .push(format!("Apache Kafka {}, one broker with 1 GB of heap, and its tools", Distribution::version()?));
    section.about.extend(java());
    section.about.extend(rivals);
    section.ended = now();
    Ok(section)
}

/// Day and time, in UTC.
pub fn now() -> String {
    let output = Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn java() -> Option<String> {
    let output = Command::new("java").arg("-version").output().ok()?;
    String::from_utf8_lossy(&output.stderr).lines().nth(1).map(str::to_owned)
}

fn line_of(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
