//! A fifth of a core, as a pod with a limit of 200m has: what rate is left.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use testbed::process::{Process, memory};

use super::super::invocation::Invocation;
use super::super::measure::{self, Sink};
use super::super::results::{Section, Spread};
use super::super::setting::Setting;

/// Microseconds of each period of 100 ms.
const QUOTA: &str = "20000";
const PERIOD: &str = "100000";
const MESSAGES: u64 = 500_000;
const ROUNDS: usize = 3;

pub fn measure(setting: &Setting) -> Result<Section> {
    let columns = [("messages/s", 0), ("p99 ms", 1), ("peak RSS MiB", 1)];
    let mut section = Section::new("limit", "With a CPU limit of 200m", &columns).about(
        "Both programs with a fifth of a core (20 ms of each 100 ms, by the kernel's scheduler), at full speed, and the \
         producer also at 10,000 messages a second; the broker has no limit. p99 is the producer's time to the acknowledgement.",
    );
    let Some(group) = Limited::new()? else {
        section.missing("kafka-producer, kafka-consumer", "not run: no control group for CPU can be made here");
        return Ok(section);
    };
    let messages = setting.count(MESSAGES);
    let topic = setting.filled("limit", 6, messages, "--size 100")?;
    let mut sink = Sink::new()?;
    let rates = [("kafka-producer", messages, ""), ("kafka-producer, 10,000/s", messages / 5, "--rate 10000/s")];
    for (name, messages, flags) in rates {
        let (mut rate, mut p99, mut peak) = (vec![], vec![], vec![]);
        for _ in 0..setting.rounds.min(ROUNDS) {
            let command = setting.producer(&topic, messages).line("--size 100 --report json").line(flags);
            let (process, began) = group.spawn(setting, &command, None)?;
            let (sample, said) = wait(process, began)?;
            let report: serde_json::Value = serde_json::from_str(&said).context("the report")?;
            rate.push(report.pointer("/messages_per_second").and_then(serde_json::Value::as_f64).unwrap_or(f64::NAN));
            p99.push(report.pointer("/delivery_ms/p99").and_then(serde_json::Value::as_f64).unwrap_or(f64::NAN));
            peak.push(sample.peak_mib());
        }
        section.row(name, vec![Spread::of(rate), Spread::of(p99), Spread::of(peak)]);
    }
    let (mut rate, mut peak) = (vec![], vec![]);
    for _ in 0..setting.rounds.min(ROUNDS) {
        let file = sink.rewind()?;
        let (process, began) = group.spawn(setting, &setting.consumer(&topic, messages), Some(file))?;
        let sample = measure::finish(process, began)?;
        rate.push(sample.rate(messages));
        peak.push(sample.peak_mib());
    }
    section.row("kafka-consumer", vec![Spread::of(rate), None, Spread::of(peak)]);
    setting.drop_topic(&topic)?;
    Ok(section)
}

/// A control group with the limit; gone when dropped.
struct Limited(PathBuf);

impl Limited {
    /// By either version of control groups; `None` where none can be made.
    fn new() -> Result<Option<Self>> {
        let name = format!("bench-{}", std::process::id());
        let versions = [
            (Path::new("/sys/fs/cgroup"), "cpu.max", format!("{QUOTA} {PERIOD}")),
            (Path::new("/sys/fs/cgroup/cpu"), "cpu.cfs_quota_us", QUOTA.to_owned()),
        ];
        for (root, file, limit) in versions {
            let group = root.join(&name);
            if root.join("cgroup.procs").exists() && fs::create_dir(&group).is_ok() {
                if group.join(file).exists() && fs::write(group.join(file), &limit).is_ok() {
                    return Ok(Some(Self(group)));
                }
                let _ = fs::remove_dir(&group);
            }
        }
        Ok(None)
    }

    /// Starts it, and puts it into the group at once.
    fn spawn(&self, setting: &Setting, command: &Invocation, stdout: Option<fs::File>) -> Result<(Process, Instant)> {
        let program = command.program(&setting.cluster);
        let program = match stdout {
            Some(file) => program.stdout(file),
            None => program,
        };
        let began = Instant::now();
        let process = program.spawn()?;
        fs::write(self.0.join("cgroup.procs"), process.pid().to_string())
            .context("the control group takes no process")?;
        Ok((process, began))
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// As [`measure::finish`], with what it said.
fn wait(process: Process, began: Instant) -> Result<(measure::Sample, String)> {
    let mut peak_rss = 0;
    while process.is_running() {
        peak_rss = memory(process.pid(), "VmHWM").unwrap_or(peak_rss);
        std::thread::sleep(Duration::from_millis(5));
    }
    let wall = began.elapsed().as_secs_f64();
    let outcome = process.wait(Duration::from_secs(10))?.expect_code(0)?;
    let cpu = outcome.cpu.unwrap_or_default().as_secs_f64();
    Ok((measure::Sample { cpu, wall, peak_rss }, outcome.stdout))
}
