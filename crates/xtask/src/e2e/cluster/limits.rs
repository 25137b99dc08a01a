//! What rate the limits of the manifests carry: both programs with 200m of CPU and 256 MiB, as they are deployed.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::Scenario;
use super::bench::{Bench, LONG, PROGRAMS, name};
use super::copies::Copy;
use super::forward::Forward;
use super::jobs::Job;
use crate::terminal::grouped;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "limits",
    claim: "within the limits of the manifests each program carries 1,000 messages of 100 bytes a second, 99 of 100 within a second",
    run: limits,
}];

/// Topic and group.
const NAME: &str = "limits";
/// Tried one after another, until one is not carried.
const RATES: [u64; 7] = [1_000, 5_000, 10_000, 20_000, 50_000, 100_000, 150_000];
/// How long each is tried.
const SECONDS: u64 = 10;
/// A rate is carried when it was reached, and 99 of 100 messages were through so soon after they were to be sent.
const SOON_ENOUGH: f64 = 1.0;
/// What has to be caught up with at full speed.
const BACKLOG: u64 = 1_000_000;
/// Between two looks at the metrics.
const LOOK: Duration = Duration::from_millis(500);

/// What the consumer has done until a moment.
#[derive(Clone, Debug, Default)]
struct Sample {
    records: f64,
    rss: f64,
    /// Upper bounds in seconds, and how many records came within.
    latencies: Vec<(f64, f64)>,
}

/// One line of the result.
struct Row {
    what: &'static str,
    asked: Option<u64>,
    /// Messages a second.
    rate: f64,
    /// In seconds.
    p99: Option<f64>,
    /// In bytes.
    rss: Option<f64>,
}

/// Whether the producer has the limit of its manifest, or as much CPU as it wants, to show what the consumer carries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Producer {
    Limited,
    Free,
}

fn limits(bench: &mut Bench) -> Result<String> {
    bench.installed()?;
    let mut copy = Copy::new(bench, "e2e-limits", NAME)?;
    produce(bench, Producer::Free, 1_000, Some(1_000))?.delivered(1_000, LONG)?;
    copy.apply()?;
    let mut rows = ladder(|rate| consume_at(bench, &copy, rate))?;
    // With nobody to read, and then all at once.
    copy.replicas(0)?;
    produce(bench, Producer::Free, BACKLOG, None)?.delivered(BACKLOG, LONG)?;
    copy.replicas(1)?;
    rows.push(catch_up(bench, &copy)?);
    drop(copy);
    rows.extend(ladder(|rate| produce_at(bench, Some(rate)))?);
    rows.push(produce_at(bench, None)?);
    Ok(table(&rows))
}

/// Tries the rates, up to the first that is not carried. The lowest has to be.
fn ladder(mut at: impl FnMut(u64) -> Result<Row>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for rate in RATES {
        rows.push(at(rate)?);
        if !rows.iter().all(Row::is_carried) {
            break;
        }
    }
    ensure!(rows[0].is_carried(), "not even the lowest rate is carried\n{}", table(&rows));
    Ok(rows)
}

impl Row {
    fn is_carried(&self) -> bool {
        let reached = self.asked.is_none_or(|asked| self.rate >= 0.95 * asked as f64);
        reached && self.p99.is_none_or(|p99| p99 <= SOON_ENOUGH)
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = "200m, 256 MiB, 100-byte values:".to_owned();
    for row in rows {
        let asked = row.asked.map_or_else(|| "full speed".to_owned(), |rate| format!("{}/s", grouped(rate)));
        let rate = grouped(row.rate.max(0.0).round() as u64);
        let p99 = row.p99.map(|p99| format!(", p99 {:.0} ms", p99 * 1e3)).unwrap_or_default();
        let rss = row.rss.map(|rss| format!(", RSS {:.0} MiB", rss / 1024.0 / 1024.0)).unwrap_or_default();
        let verdict = if row.is_carried() { "" } else { "  (not carried)" };
        text += &format!("\n       {:<8} {asked:>10}: {rate:>8}/s{p99}{rss}{verdict}", row.what);
    }
    text
}

/// Starts the producer, at a rate or at full speed.
fn produce(bench: &Bench, producer: Producer, messages: u64, rate: Option<u64>) -> Result<Job> {
    let (count, rate) = (messages.to_string(), rate.map(|rate| format!("{rate}/s")));
    let mut variables = vec![
        ("KAFKA_TOPIC", NAME),
        ("PRODUCER_CREATE_TOPIC", "6:1"),
        ("PRODUCER_MESSAGES", count.as_str()),
        ("PRODUCER_SIZE", "100"),
    ];
    variables.extend(rate.as_deref().map(|rate| ("PRODUCER_RATE", rate)));
    bench.changed_job("limits", &variables, |job| {
        let limits =
            job.pointer_mut("/spec/template/spec/containers/0/resources/limits").and_then(Value::as_object_mut);
        let limits = limits.context("the Job has no limits")?;
        if producer == Producer::Free {
            limits.remove("cpu");
        }
        Ok(())
    })
}

fn consume_at(bench: &Bench, copy: &Copy, rate: u64) -> Result<Row> {
    let admin = admin(bench, copy)?;
    let before = Sample::of(&admin.metrics()?)?;
    let messages = rate * SECONDS;
    let job = produce(bench, Producer::Free, messages, Some(rate))?;
    let (after, _) = watch(&admin, before.records + messages as f64)?;
    let report = job.delivered(messages, LONG)?;
    // Of the sending, which the consumer has followed if its latencies say so.
    let rate_sent = real(&report, "/messages_per_second")?;
    let p99 = after.quantile_since(&before, 0.99);
    Ok(Row { what: "consumer", asked: Some(rate), rate: rate_sent, p99, rss: Some(after.rss) })
}

fn catch_up(bench: &Bench, copy: &Copy) -> Result<Row> {
    let admin = admin(bench, copy)?;
    let first = Sample::of(&admin.metrics()?)?;
    let (last, seconds) = watch(&admin, BACKLOG as f64)?;
    let rate = (last.records - first.records) / seconds;
    Ok(Row { what: "consumer", asked: None, rate, p99: None, rss: Some(last.rss) })
}

fn produce_at(bench: &Bench, rate: Option<u64>) -> Result<Row> {
    let messages = rate.map_or(BACKLOG, |rate| rate * SECONDS);
    let report = produce(bench, Producer::Limited, messages, rate)?.delivered(messages, LONG)?;
    // At full speed a message's latency is the length of the queue before it.
    let p99 = if rate.is_some() { Some(real(&report, "/delivery_ms/p99")? / 1e3) } else { None };
    Ok(Row { what: "producer", asked: rate, rate: real(&report, "/messages_per_second")?, p99, rss: None })
}

fn real(report: &Value, pointer: &str) -> Result<f64> {
    report.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("no {pointer} in {report}"))
}

fn admin(bench: &Bench, copy: &Copy) -> Result<Forward> {
    copy.ready()?;
    let pods = copy.running()?;
    let [pod] = &pods[..] else { bail!("{} pods instead of one", pods.len()) };
    Forward::open(&bench.kubectl, PROGRAMS, name(pod), 8080)
}

/// Waits until so many records were logged in all; returns the last sample, with the highest memory of all, and the time it
/// took.
fn watch(admin: &Forward, records: f64) -> Result<(Sample, f64)> {
    let began = Instant::now();
    let mut highest: f64 = 0.0;
    loop {
        let mut sample = Sample::of(&admin.metrics()?)?;
        highest = highest.max(sample.rss);
        if sample.records >= records {
            sample.rss = highest;
            return Ok((sample, began.elapsed().as_secs_f64()));
        }
        ensure!(began.elapsed() < LONG, "only {} of {records} records were logged in {LONG:?}", sample.records);
        thread::sleep(LOOK);
    }
}

impl Sample {
    /// Of what `/metrics` says.
    fn of(metrics: &str) -> Result<Self> {
        let mut sample = Self::default();
        for line in metrics.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').with_context(|| format!("no value in {line:?}"))?;
            let value: f64 = value.parse().with_context(|| format!("no number in {line:?}"))?;
            let metric = series.split('{').next().unwrap_or(series);
            match metric {
                "kafka_consumer_records_total" => sample.records += value,
                "process_resident_memory_bytes" => sample.rss = value,
                "kafka_consumer_end_to_end_latency_seconds_bucket" => {
                    let bound = series.split('"').nth(1).context("a bucket without its bound")?;
                    sample.latencies.push((bound.replace("+Inf", "inf").parse()?, value));
                }
                _ => {}
            }
        }
        Ok(sample)
    }

    /// The latency at a quantile of what came since, between a bucket's bounds in proportion; `None` when nothing came, and the
    /// highest finite bound when it is beyond all of them.
    fn quantile_since(&self, before: &Self, quantile: f64) -> Option<f64> {
        let within = |index: usize| {
            let earlier = before.latencies.get(index).map_or(0.0, |(_, count)| *count);
            self.latencies.get(index).map_or(0.0, |(_, count)| count - earlier)
        };
        let total = within(self.latencies.len().checked_sub(1)?);
        let wanted = total * quantile;
        let index = (0..self.latencies.len()).find(|index| total > 0.0 && within(*index) >= wanted)?;
        let (low, below) = if index == 0 { (0.0, 0.0) } else { (self.latencies[index - 1].0, within(index - 1)) };
        let high = self.latencies[index].0;
        Some(if high.is_finite() { low + (high - low) * (wanted - below) / (within(index) - below) } else { low })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_of_what_came_since() {
        let text = |counts: [u32; 3]| {
            let bounds = ["0.1", "0.5", "+Inf"];
            let lines = bounds.iter().zip(counts);
            lines
                .map(|(le, count)| format!("kafka_consumer_end_to_end_latency_seconds_bucket{{le=\"{le}\"}} {count}\n"))
                .collect::<String>()
                + "# HELP x y\nkafka_consumer_records_total{topic=\"a b\",partition=\"0\"} 7\nkafka_consumer_records_total{topic=\"a b\",partition=\"1\"} 2\n"
        };
        let before = Sample::of(&text([100, 100, 100])).unwrap();
        let after = Sample::of(&text([150, 200, 200])).unwrap();
        assert_eq!(after.records, 9.0);
        let inside = after.quantile_since(&before, 0.75).unwrap();
        assert!((inside - 0.3).abs() < 1e-9, "{inside}");
        assert_eq!(after.quantile_since(&after, 0.75), None);
        assert_eq!(Sample::of(&text([100, 100, 200])).unwrap().quantile_since(&before, 0.99), Some(0.5));
    }
}
