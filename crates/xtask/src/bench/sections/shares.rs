//! One to 64 producers that share a run, as the pods of an Indexed Job do.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::super::invocation::Invocation;
use super::super::measure::{self, Sample};
use super::super::results::{Bar, Section, Spread};
use super::super::setting::Setting;

const COUNTS: [u64; 4] = [1, 4, 16, 64];
const MESSAGES: u64 = 1_000_000;
const ROUNDS: usize = 3;

pub fn measure(setting: &Setting) -> Result<Section> {
    let columns = [
        ("CPU µs a message", 2),
        ("its floor µs", 2),
        ("ratio", 2),
        ("CPU ms of a start", 1),
        ("messages/s of all", 0),
    ];
    let mut section = Section::new("shares", "Producers that share a run (Indexed Job)", &columns).about(
        "A million messages, split by --shards and --shard, all processes at once on the two cores. The start of the \
         processes is measured with one message each, in the same number, and subtracted: it is given by itself.",
    );
    let messages = setting.count(MESSAGES);
    for count in COUNTS {
        let (mut ours, mut floor, mut starts, mut rates) = (vec![], vec![], vec![], vec![]);
        for _ in 0..setting.rounds.min(ROUNDS) {
            let topic = setting.topic("shares", 6)?;
            let producer = |total| setting.producer(&topic, total).line("--size 100");
            let least = |total| setting.producer_floor(&topic, total).line("--size 100");
            let (start, _) = all(setting, count, &producer(count))?;
            let (cpu, wall) = all(setting, count, &producer(messages))?;
            let (least_start, _) = all(setting, count, &least(count))?;
            let (least_cpu, _) = all(setting, count, &least(messages))?;
            ours.push((cpu - start) * 1e6 / messages as f64);
            floor.push((least_cpu - least_start) * 1e6 / messages as f64);
            starts.push(start * 1e3 / count as f64);
            rates.push(messages as f64 / wall);
            setting.drop_topic(&topic)?;
        }
        let (ours, floor) = (Spread::of(ours), Spread::of(floor));
        if let (Some(own), Some(least)) = (ours, floor) {
            let ratio = own.median / least.median;
            section
                .row(count.to_string(), vec![ours, floor, Spread::of([ratio]), Spread::of(starts), Spread::of(rates)]);
            section.bars.push(Bar::at_most(
                format!("kafka-producer, of its floor with {count} sharing a run"),
                ratio,
                1.15,
            ));
        }
    }
    Ok(section)
}

/// Seconds of all processes together, and until the last one's end.
fn all(setting: &Setting, count: u64, command: &Invocation) -> Result<(f64, f64)> {
    let began = Instant::now();
    let mut running = Vec::new();
    for index in 0..count {
        let share = command.clone().args(["--shards", &count.to_string(), "--shard", &index.to_string()]);
        running.push(share.program(&setting.cluster).stdout(std::fs::File::create("/dev/null")?).spawn()?);
    }
    let mut cpu = 0.0;
    for process in running {
        let Sample { cpu: own, .. } = measure::finish(process, began)?;
        cpu += own;
    }
    Ok((cpu, began.elapsed().as_secs_f64().max(Duration::from_millis(1).as_secs_f64())))
}
