//! A consumer of a thousand partitions: idle, asked for its metrics, and whether that slows the poll loop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use testbed::process::Process;
use testbed::{http, ports};

use super::super::invocation::Invocation;
use super::super::measure::{self, Sample, Sink};
use super::super::results::{Bar, Section, Spread};
use super::super::setting::Setting;
use super::start::idle;

const PARTITIONS: i32 = 1000;
const MESSAGES: u64 = 1_000_000;
const QUESTIONS: usize = 50;
/// Ten times as often as an eager Prometheus.
const SCRAPE: Duration = Duration::from_millis(100);

pub fn measure(setting: &Setting) -> Result<Section> {
    let columns = [("1 partition", 2), ("1,000 partitions", 2)];
    let mut section = Section::new("wide", "A thousand partitions: idle cost, memory, /metrics", &columns).about(
        "One consumer with all partitions of its topic. Idle: ten seconds without a record. /metrics: fifty answers. \
         Records/s and CPU are of a run of a million records, /metrics being read ten times a second or never.",
    );
    let one = setting.topic("narrow", 1)?;
    let wide = setting.topic("wide", PARTITIONS)?;
    let (rss_one, cpu_one) = idle(setting, &setting.consumer(&one, 1))?;
    let (rss_wide, cpu_wide) = idle(setting, &setting.consumer(&wide, 1))?;
    section.row("idle RSS MiB", vec![Spread::of([rss_one]), Spread::of([rss_wide])]);
    section.row("idle CPU % of a core", vec![Spread::of([cpu_one]), Spread::of([cpu_wide])]);
    let each = (rss_wide - rss_one) * 1024.0 / f64::from(PARTITIONS - 1);
    section.row("RSS KiB a partition", vec![None, Spread::of([each])]);
    let messages = setting.count(MESSAGES);
    setting.run(&setting.producer(&one, messages).line("--size 100"))?;
    setting.run(&setting.producer(&wide, messages).line("--size 100"))?;
    let (few, many) = (metrics(setting, &one)?, metrics(setting, &wide)?);
    section.row("/metrics ms", vec![few, many]);
    let mut sink = Sink::new()?;
    let (mut quiet, mut asked) = (vec![], vec![]);
    for _ in 0..setting.rounds {
        quiet.push(drained(setting, &wide, messages, &mut sink, false)?);
        asked.push(drained(setting, &wide, messages, &mut sink, true)?);
    }
    let rate = |samples: &[Sample]| Spread::of(samples.iter().map(|sample| sample.rate(messages)));
    let cpu = |samples: &[Sample]| Spread::of(samples.iter().map(|sample| sample.cpu_per_million(messages)));
    section.row("records/s, /metrics never read", vec![None, rate(&quiet)]);
    section.row("records/s, /metrics read 10 times a second", vec![None, rate(&asked)]);
    section.row("CPU µs a record, never read", vec![None, cpu(&quiet)]);
    section.row("CPU µs a record, read 10 times a second", vec![None, cpu(&asked)]);
    setting.drop_topic(&one)?;
    setting.drop_topic(&wide)?;
    section.bars.push(Bar::at_most("% of a core, idle at 1,000 partitions", cpu_wide, 1.0));
    if let Some(many) = many {
        section.bars.push(Bar::at_most("ms for /metrics at 1,000 partitions", many.median, 10.0));
    }
    if let (Some(quiet), Some(asked)) = (rate(&quiet), rate(&asked)) {
        let what = "records/s with /metrics read 10 times a second, of never";
        section.bars.push(Bar::at_least(what, asked.median / quiet.median, 0.95));
    }
    Ok(section)
}

fn consumer(setting: &Setting, topic: &str, port: u16) -> Invocation {
    let ours = Invocation::new(&setting.programs.consumer);
    let ours = ours.args(["-b", &setting.cluster.bootstrap_servers(), "-t", topic, "--group", &setting.name("group")]);
    ours.args(["--format", "json", "--listen", &format!("127.0.0.1:{port}")])
}

/// How long `/metrics` takes when all partitions have been read.
fn metrics(setting: &Setting, topic: &str) -> Result<Option<Spread>> {
    let port = ports::free_port()?;
    let program = consumer(setting, topic, port).program(&setting.cluster);
    let process: Process = program.stdout(std::fs::File::create("/dev/null")?).spawn()?;
    process.wait_for_stderr_event("ready", Duration::from_secs(60))?;
    std::thread::sleep(Duration::from_secs(6));
    let mut took = Vec::new();
    for _ in 0..QUESTIONS {
        let began = Instant::now();
        http::get(format!("127.0.0.1:{port}").as_str(), "/metrics")?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Spread::of(took))
}

fn drained(setting: &Setting, topic: &str, messages: u64, sink: &mut Sink, asked: bool) -> Result<Sample> {
    let port = ports::free_port()?;
    let command = consumer(setting, topic, port).args(["-n", &messages.to_string()]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        if asked {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let _ = http::get(format!("127.0.0.1:{port}").as_str(), "/metrics");
                    std::thread::sleep(SCRAPE);
                }
            });
        }
        let file = sink.rewind();
        let sample = file.and_then(|file| measure::run(command.program(&setting.cluster).stdout(file)));
        done.store(true, Ordering::Relaxed);
        sample.context("the run of a million records")
    })
}
