//! SIGTERM at random moments of a producer's first seconds, and of both programs as process 1.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use rustix::process::{Pid, kill_process};
use testbed::process::{Program, Signal};
use testbed::records;

use super::audit;
use super::bench::{Bench, PARTITIONS, TOPIC};
use super::load::{RATE, number};
use super::seen::Seen;

/// A producer that is stopped at a random moment lives at most so long.
const LIFE_MS: u64 = 2000;
/// So many run beside each other.
const LANES: u32 = 4;
/// More than a drain deadline.
const END: Duration = Duration::from_secs(40);
/// What should happen at once, on a busy machine.
const SOON: Duration = Duration::from_secs(10);
/// Between the moments at which process 1 gets its signal.
const STEP: Duration = Duration::from_millis(5);

/// How a hundred producers ended.
#[derive(Default)]
struct Sum {
    delivered: u64,
    early: u64,
    reports: u64,
}

/// Stops producers at a random moment: what they report as delivered is what is on the topic, and none of it is lost.
pub fn producers(bench: &Bench, count: u32, mut rng: Rng, seen: &mut Seen) -> Result<()> {
    let topic = format!("producer-sigterms-{}", fastrand::u32(..100_000));
    bench.cluster().create_topic(&topic, PARTITIONS, 3, &TOPIC)?;
    let began = Instant::now();
    let lives: Vec<_> = (0..count).map(|_| if rng.bool() { rng.u64(..100) } else { rng.u64(..LIFE_MS) }).collect();
    let lanes: Vec<_> = (0..LANES).map(|lane| lives.iter().skip(lane as usize).step_by(LANES as usize)).collect();
    let sums: Vec<Result<Sum>> = thread::scope(|scope| {
        let topic = &topic;
        let run = |(lane, lives)| scope.spawn(move || in_turn(bench, topic, lane, lives));
        let lanes: Vec<_> = lanes.into_iter().enumerate().map(run).collect();
        lanes.into_iter().map(|lane| lane.join().unwrap_or_else(|_| bail!("panicked"))).collect()
    });
    let mut sum = Sum::default();
    for lane in sums {
        let lane = lane?;
        sum = Sum {
            delivered: sum.delivered + lane.delivered,
            early: sum.early + lane.early,
            reports: sum.reports + lane.reports,
        };
    }
    let stored = u64::try_from(records::count(&bench.cluster().internal_config(), &topic)?)?;
    ensure!(stored == sum.delivered, "{stored} records are on the topic, the reports say {}", sum.delivered);
    seen.fault = began.elapsed();
    seen.records = Some(stored);
    seen.ended = count as usize;
    seen.note = format!("{} with a report, {} before there was one", sum.reports, sum.early);
    bench.cluster().delete_topic(&topic)
}

fn in_turn<'a>(bench: &Bench, topic: &str, lane: usize, lives: impl Iterator<Item = &'a u64>) -> Result<Sum> {
    let mut sum = Sum::default();
    let servers = bench.servers(false);
    for (number_of, life) in lives.enumerate() {
        let run = format!("{topic}-{lane}-{number_of}");
        let program =
            bench.producer(&servers, topic, &run).args(["--messages", "1000000", "--rate", &format!("{RATE}/s")]);
        let process = program.spawn()?;
        thread::sleep(Duration::from_millis(*life));
        let outcome = process.stop(Signal::TERM, END)?;
        if outcome.signal() == Some(Signal::TERM.as_raw()) && outcome.stderr.is_empty() {
            // Not even loaded: nothing can have been sent.
            sum.early += 1;
            continue;
        }
        let outcome = outcome.expect_code(143)?;
        if outcome.stdout.is_empty() {
            sum.early += 1;
            continue;
        }
        let report = outcome.json()?;
        let [requested, delivered, failed, unsent] =
            ["requested", "delivered", "failed", "unsent"].map(|name| number(&report, name));
        let (requested, delivered, failed, unsent) = (requested?, delivered?, failed?, unsent?);
        ensure!(requested == delivered + failed + unsent, "the report does not add up: {report}");
        ensure!(failed == 0, "{failed} messages failed: {report}");
        if delivered > 0 {
            // What was not sent is missing, as it must be; of what was acknowledged nothing may be.
            let verdict = audit::audit(bench, &servers, topic, &run, &[&outcome.stdout])?;
            for fault in ["lost", "written_twice", "reordered", "damaged"] {
                ensure!(verdict.json.get(fault) == Some(&0.into()), "{fault} is not 0: {}", verdict.text);
            }
        }
        sum.delivered += delivered;
        sum.reports += 1;
    }
    Ok(sum)
}

/// Stops both programs as process 1 at 0 to 100 ms after their start. The kernel drops a signal that process 1 has no handler
/// for; from the handler on, none may be lost.
pub fn process_one(bench: &Bench, seen: &mut Seen) -> Result<()> {
    let topic = format!("process-one-{}", fastrand::u32(..100_000));
    bench.cluster().create_topic(&topic, PARTITIONS, 3, &TOPIC)?;
    let servers = bench.servers(false);
    let began = Instant::now();
    let (mut dropped, mut latest) = (0, Duration::ZERO);
    for path in bench.paths() {
        for step in 0..=20 {
            let delay = STEP * step;
            let program = Program::new("unshare").args(["--pid", "--fork", "--kill-child"]).arg(path);
            let program = program.args(["--bootstrap-servers", &servers, "--topic", &topic, "--log-format", "json"]);
            let program =
                program.env("ADMIN_LISTEN", "off").env("PRODUCER_RATE", "1/s").env("KAFKA_CONSUMER_GROUP", &topic);
            let process = program.spawn()?;
            let child = wait_for_child(process.pid(), path)?;
            let started = Instant::now();
            thread::sleep(delay);
            let handled = handles_term(child)?;
            kill_process(child, Signal::TERM)?;
            if !handled {
                dropped += 1;
                latest = latest.max(started.elapsed());
                // Too early to be heard; or just not. The next one is.
                thread::sleep(SOON / 20);
                if process.is_running() {
                    kill_process(child, Signal::TERM)?;
                }
            }
            let outcome = process.wait(SOON)?;
            let right = matches!(outcome.code(), Some(0 | 143));
            ensure!(right, "SIGTERM {delay:?} after the start ended it with {}\n{}", outcome.status, outcome.stderr);
            seen.ended += 1;
        }
    }
    seen.fault = began.elapsed();
    seen.note = format!(
        "{} of {} came before the handler, at the latest after {:.0} ms: the kernel dropped them",
        dropped,
        seen.ended,
        latest.as_secs_f64() * 1e3
    );
    bench.cluster().delete_topic(&topic)
}

/// The child, as soon as it is the program.
fn wait_for_child(parent: u32, path: &Path) -> Result<Pid> {
    let began = Instant::now();
    while began.elapsed() < SOON {
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        let child = children.split_whitespace().next().and_then(|child| child.parse().ok()).and_then(Pid::from_raw);
        if let Some(child) = child
            && fs::read_link(format!("/proc/{}/exe", child.as_raw_nonzero())).is_ok_and(|exe| exe == path)
        {
            return Ok(child);
        }
    }
    bail!("unshare has not started {}", path.display())
}

/// Whether the process catches SIGTERM, or holds it back until it does.
fn handles_term(child: Pid) -> Result<bool> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.as_raw_nonzero()))?;
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    let (caught, blocked) = (mask("SigCgt:").context("no SigCgt")?, mask("SigBlk:").context("no SigBlk")?);
    Ok((caught | blocked) & (1 << (Signal::TERM.as_raw() - 1)) != 0)
}
