//! What the brokers show of themselves with the committed rules of the JMX exporter.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testbed::http;

use super::Scenario;
use super::stage::Stage;
use crate::monitoring::metrics;
use crate::programs;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "jmx-metrics",
    claim: "each broker gives fewer than 400 series within 2 s, all that the rules and dashboards count on among them, and nothing fires",
    run: check,
}];

/// A scrape costs at most so many series and so much time.
const SERIES: usize = 400;
const SCRAPE: Duration = Duration::from_secs(2);
/// Tries to be as fast as that.
const SCRAPES: usize = 10;

fn check(stage: &mut Stage) -> Result<String> {
    let (mut seen, mut most, mut slowest) = (BTreeSet::new(), 0, Duration::ZERO);
    for broker in 1..=3 {
        let address = stage.cluster.exporter(broker).context("the broker has no exporter")?;
        let mut times = Vec::new();
        // The fastest of some: the first pays for what Java compiles, and any for what else the machine does.
        while times.len() < SCRAPES && times.iter().min().is_none_or(|fastest| *fastest >= SCRAPE) {
            let began = Instant::now();
            let answer = http::get(address.as_str(), "/metrics")?;
            times.push(began.elapsed());
            let samples: Vec<_> =
                answer.body.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
            ensure!(answer.body.contains("\njmx_scrape_error 0.0"), "broker {broker}: the exporter had an error");
            most = most.max(samples.len());
            seen.extend(samples.iter().filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned));
        }
        slowest = slowest.max(times.iter().min().copied().unwrap_or(SCRAPE));
    }
    ensure!(most < SERIES, "a broker gives {most} series, {SERIES} are the limit");
    ensure!(slowest < SCRAPE, "a scrape takes {slowest:?}");
    let listed = metrics::jmx(&programs::root())?;
    let missing: Vec<_> = listed.difference(&seen).collect();
    ensure!(missing.is_empty(), "{} has names that no broker gives: {missing:?}", metrics::JMX);
    let mut firing = stage.prometheus.alerts()?;
    // The watchdog always does, and one consumer stands still from the beginning.
    let expected = |alert: &Value| alert["labels"]["alertname"] == "Watchdog" || alert["labels"]["pod"] == "stalled";
    firing.retain(|alert| alert["state"] == "firing" && !expected(alert));
    ensure!(firing.is_empty(), "something fires before anything has happened: {firing:?}");
    // Some come only with certain work, so that the list cannot have all.
    let others = seen.iter().filter(|name| name.starts_with("kafka_") && !listed.contains(*name)).count();
    let seconds = slowest.as_secs_f64();
    Ok(format!(
        "{most} series at most, {seconds:.1} s for the slowest scrape, {} names and {others} others",
        listed.len()
    ))
}
