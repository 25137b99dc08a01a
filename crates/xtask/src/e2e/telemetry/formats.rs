//! What Prometheus' own tool says of the metrics.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use testbed::process::Signal;

use super::super::Scenario;
use super::super::bench::{ARRIVAL, Bench, RUN};
use super::super::watch::Watch;
use crate::debian;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "promtool",
    claim: "promtool finds nothing to say about the metrics of both programs, once statistics have arrived",
    run: promtool,
}];

fn promtool(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("promtool")?;
    let statistics = ["-X", "statistics.interval.ms=500"];
    let consumer = Watch::ready(bench.consumer(&place).args(statistics))?;
    let producer = bench.producer(&place).args(["--messages", "100000", "--rate", "50", "--listen", "127.0.0.1:0"]);
    let producer = Watch::start(producer.args(statistics))?;
    let mut seen = Vec::new();
    for (name, watch) in [("kafka_consumer", &consumer), ("kafka_producer", &producer)] {
        let arrived = format!("{name}_broker_round_trip_seconds{{broker=\"1\",stat=\"p99\"}}");
        watch.wait_for_metric(&arrived, ARRIVAL, |seconds| seconds > 0.0)?;
        let metrics = watch.metrics()?;
        check(&metrics).with_context(|| format!("the metrics of {name}"))?;
        seen.push(format!("{} series", metrics.lines().filter(|line| !line.starts_with('#')).count()));
    }
    // A text that the tool must refuse: that it says nothing is worth something.
    ensure!(check("# TYPE a gauge\na{quantile=\"0.5\"} 1\n").is_err(), "promtool takes anything");
    producer.process.stop(Signal::TERM, RUN)?.expect_code(143)?;
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    Ok(seen.join(", "))
}

fn check(metrics: &str) -> Result<()> {
    let mut tool = Command::new(debian::tool("promtool")?)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    tool.stdin.take().context("its input is a pipe")?.write_all(metrics.as_bytes())?;
    let output = tool.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && said.trim().is_empty(), "promtool: {}\n{said}", output.status);
    Ok(())
}
