//! From a latency in Prometheus to the trace behind it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testbed::otlp::Receiver;
use testbed::process::Signal;

use super::super::Scenario;
use super::super::bench::{ARRIVAL, Bench, RUN, Report};
use super::super::watch::Watch;
use super::traced;
use crate::programs;
use crate::servers::Prometheus;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "exemplar-to-trace",
    claim: "an exemplar that Prometheus gives names a trace that the receiver has",
    run: to_trace,
}];

/// A few scrapes.
const SCRAPED: Duration = Duration::from_secs(20);

fn to_trace(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("exemplar-to-trace")?;
    let receiver = Receiver::start()?;
    let consumer = Watch::ready(traced(bench.consumer(&place), &receiver, "parentbased_always_on", ""))?;
    let configuration = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: kafka-consumer\n    static_configs: [{{targets: [\"{}\"]}}]\n",
        consumer.admin()
    );
    let prometheus = Prometheus::start(&configuration, &programs::root())?;
    let producer = bench.producer(&place).args(["--messages", "200"]);
    Report::of_all(traced(producer, &receiver, "parentbased_traceidratio", "0.5").run(RUN)?, 200)?;
    consumer.wait_for_lines(200, ARRIVAL)?;
    let deadline = Instant::now() + SCRAPED;
    let found = loop {
        let found = prometheus.exemplars("kafka_consumer_end_to_end_latency_seconds_bucket")?;
        if !found.is_empty() {
            break found;
        }
        ensure!(Instant::now() < deadline, "no exemplar within {SCRAPED:?}; {}", prometheus.log());
        std::thread::sleep(Duration::from_millis(200));
    };
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    let spans = receiver.spans()?;
    for exemplar in &found {
        let trace = exemplar["labels"]["trace_id"].as_str().context("an exemplar without a trace id")?;
        let known = spans.iter().any(|span| span.trace_id == trace && span.name.starts_with("process "));
        ensure!(known, "the exemplar's trace {trace} is not at the receiver");
    }
    Ok(format!("{} exemplars, each of a trace with a process span", found.len()))
}
