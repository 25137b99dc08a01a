//! One to eight consumers in a group: what all of them together take for a record.

use std::fs::File;
use std::io::Seek;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testbed::process::{Process, Signal};

use super::super::invocation::Invocation;
use super::super::measure::Sink;
use super::super::results::{Bar, Section, Spread};
use super::super::setting::Setting;

const COUNTS: [usize; 4] = [1, 2, 4, 8];
const MESSAGES: u64 = 1_000_000;
const PARTITIONS: i32 = 8;
const ROUNDS: usize = 3;
/// For all to join, before the first record is there.
const JOINING: Duration = Duration::from_secs(4);
const LIMIT: Duration = Duration::from_secs(120);
/// More than any member will see.
const ENDLESS: u64 = 1_000_000_000;

pub fn measure(setting: &Setting) -> Result<Section> {
    let columns = [("CPU µs a record", 2), ("its floor µs", 2), ("ratio", 2)];
    let mut section = Section::new("groups", "Consumers in one group", &columns).about(
        "All members join first; then a million messages come at full speed, and the processor time of all members until the \
         last record was logged is added up. 8 partitions. With the producer running beside them the fetches are small.",
    );
    let messages = setting.count(MESSAGES);
    for count in COUNTS {
        let (mut ours, mut floor) = (vec![], vec![]);
        for _ in 0..setting.rounds.min(ROUNDS) {
            let (cpu, bytes) = one(setting, count, messages, |topic, group| {
                let ours = Invocation::new(&setting.programs.consumer).line("--format json --listen off");
                ours.args(["-b", &setting.cluster.bootstrap_servers(), "-t", topic, "-g", group])
            })?;
            ours.push(cpu);
            let line_bytes = bytes / messages;
            let (cpu, _) = one(setting, count, messages, |topic, group| {
                let floor = Invocation::new(&setting.floor_consume).env("FLOOR_LINE_BYTES", line_bytes);
                let floor = floor.args(["-b", &setting.cluster.bootstrap_servers(), "-t", topic, "-g", group]);
                floor.args(["-n", &ENDLESS.to_string()])
            })?;
            floor.push(cpu);
        }
        let each = |list: Vec<f64>| Spread::of(list.into_iter().map(|cpu| cpu * 1e6 / messages as f64));
        let (ours, floor) = (each(ours), each(floor));
        if let (Some(own), Some(least)) = (ours, floor) {
            let ratio = own.median / least.median;
            section.row(count.to_string(), vec![ours, floor, Spread::of([ratio])]);
            section.bars.push(Bar::at_most(
                format!("kafka-consumer, of its floor with {count} in the group"),
                ratio,
                1.15,
            ));
        }
    }
    ensure!(!section.rows.is_empty(), "no rounds");
    Ok(section)
}

/// Seconds of all members, and the bytes that they wrote.
fn one(
    setting: &Setting,
    members: usize,
    messages: u64,
    command: impl Fn(&str, &str) -> Invocation,
) -> Result<(f64, u64)> {
    let (topic, group) = (setting.topic("groups", PARTITIONS)?, setting.name("group"));
    let mut running: Vec<(Process, Sink, File, u64, u64)> = Vec::new();
    for _ in 0..members {
        let mut sink = Sink::new()?;
        let file = sink.rewind()?;
        let process = command(&topic, &group).program(&setting.cluster).stdout(file.try_clone()?).spawn()?;
        running.push((process, sink, file, 0, 0));
    }
    std::thread::sleep(JOINING);
    setting.run(&setting.producer(&topic, messages).line("--size 100"))?;
    let began = Instant::now();
    loop {
        let mut lines = 0;
        for (_, sink, file, seen, counted) in &mut running {
            let position = file.stream_position()?;
            *counted += sink.lines_between(*seen, position)?;
            *seen = position;
            lines += *counted;
        }
        if lines >= messages {
            break;
        }
        ensure!(began.elapsed() < LIMIT, "{lines} of {messages} records came");
        std::thread::sleep(Duration::from_millis(100));
    }
    let (mut cpu, mut bytes) = (0.0, 0);
    for (process, _, _, seen, _) in running {
        // Not asked to leave: what that takes differs, and is no part of logging records.
        process.signal(Signal::KILL)?;
        cpu += process.wait(Duration::from_secs(10))?.cpu.unwrap_or_default().as_secs_f64();
        bytes += seen;
    }
    setting.drop_topic(&topic)?;
    Ok((cpu, bytes))
}
