//! What a Job that has ended leaves on a Pushgateway.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testbed::process::{Program, Signal};

use super::super::Scenario;
use super::super::bench::{Bench, Place, RUN, Report};
use crate::servers::Pushgateway;

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "pushed-runs",
        claim: "a good, a failed and a killed run leave the right series, and the last success survives",
        run: runs,
    },
    Scenario {
        name: "pushed-shards",
        claim: "the pods of an Indexed Job have a group each, and a gateway that is away changes no verdict",
        run: shards,
    },
];

const PREFIX: &str = "kafka_producer_last_";
/// How long a push may take to be seen.
const PUSHED: Duration = Duration::from_secs(10);

fn runs(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("pushed-runs")?;
    let gateway = Pushgateway::start()?;
    let producer = || pushing(bench, &place, &gateway.url());

    Report::of_all(producer().args(["--messages", "100"]).run(RUN)?, 100)?;
    let value = |name: &str| value(&gateway, name, "");
    for (name, wanted) in [("requested", 100.0), ("delivered", 100.0), ("failed", 0.0), ("unsent", 0.0)] {
        let found = value(&format!("run_{name}_messages"))?;
        ensure!(found == wanted, "{name} is {found}, not {wanted}");
    }
    ensure!(value("run_exit_code")? == 0.0, "the exit code is not 0");
    let (start, completion, success) = (
        value("start_timestamp_seconds")?,
        value("completion_timestamp_seconds")?,
        value("success_timestamp_seconds")?,
    );
    ensure!(start > 0.0 && start <= completion && success == completion, "{start} {completion} {success}");
    ensure!(value("run_duration_seconds")? > 0.0, "a run takes time");
    let labels = gateway.series("kafka_producer_last_run_exit_code")?.concat();
    for label in [r#"job="kafka-producer""#, r#"topic="pushed-runs""#] {
        ensure!(labels.contains(label), "{label} is not in {labels}");
    }

    // One message that the broker finds too large.
    let large = ["--messages", "1", "--size", "2000000", "-X", "message.max.bytes=3000000"];
    let report = Report::of(producer().args(large).run(RUN)?, 4)?;
    ensure!(report.failed == 1, "{report:?}");
    ensure!(value("run_exit_code")? == 4.0 && value("run_failed_messages")? == 1.0, "the failed run is not there");
    ensure!(value("success_timestamp_seconds")? == success, "the failed run took the last success away");
    let failed = value("completion_timestamp_seconds")?;
    ensure!(failed > completion, "the failed run has no completion of its own");

    let started = value("start_timestamp_seconds")?;
    let killed = producer().args(["--messages", "100000", "--rate", "10"]).spawn()?;
    let newer = |lines: &[String]| lines.iter().any(|line| number(line).is_ok_and(|seconds| seconds > started));
    gateway.wait_for("kafka_producer_last_start_timestamp_seconds", PUSHED, newer)?;
    killed.stop(Signal::KILL, PUSHED)?;
    ensure!(value("completion_timestamp_seconds")? == failed, "a killed run has no completion");
    ensure!(value("success_timestamp_seconds")? == success, "the killed run took the last success away");

    // Interrupted before its work was done: it says so itself.
    let interrupted = producer().args(["--messages", "100000", "--rate", "10"]).spawn()?;
    let newer = value("start_timestamp_seconds")?;
    let newer = |lines: &[String]| lines.iter().any(|line| number(line).is_ok_and(|seconds| seconds > newer));
    gateway.wait_for("kafka_producer_last_start_timestamp_seconds", PUSHED, newer)?;
    Report::of(interrupted.stop(Signal::TERM, RUN)?, 143)?;
    ensure!(value("run_exit_code")? == 143.0, "the interrupted run is not there");
    ensure!(value("success_timestamp_seconds")? == success, "the interrupted run took the last success away");
    Ok("good, failed, killed, interrupted: each as it was, with the success of the first".to_owned())
}

fn shards(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("pushed-shards")?;
    let gateway = Pushgateway::start()?;
    for index in ["0", "1"] {
        let shard = pushing(bench, &place, &gateway.url()).args(["--messages", "10"]).envs([
            ("PRODUCER_SHARDS", "2"),
            ("JOB_COMPLETION_INDEX", index),
            ("POD_NAMESPACE", "payments"),
        ]);
        Report::of_all(shard.run(RUN)?, 5)?;
    }
    for index in ["0", "1"] {
        let delivered = value(&gateway, "run_delivered_messages", &format!("shard=\"{index}\""))?;
        ensure!(delivered == 5.0, "shard {index} has delivered {delivered}");
    }
    let labels = gateway.series("kafka_producer_last_run_exit_code")?.concat();
    ensure!(labels.contains(r#"namespace="payments""#), "no namespace: {labels}");
    let url = gateway.url();
    drop(gateway);
    let outcome = pushing(bench, &place, &url).args(["--messages", "10"]).run(RUN)?;
    let warnings = outcome.events().iter().filter(|event| event["level"] == "WARN").count();
    Report::of_all(outcome, 10)?;
    ensure!(warnings == 1, "{warnings} warnings of a gateway that is away");
    Ok("two shards, two groups; one warning without a gateway".to_owned())
}

fn pushing(bench: &Bench, place: &Place, url: &str) -> Program {
    bench.producer(place).args(["--pushgateway", url])
}

/// The one sample of a metric whose labels have this.
fn value(gateway: &Pushgateway, name: &str, label: &str) -> Result<f64> {
    let lines = gateway.series(&format!("{PREFIX}{name}"))?;
    let mut found = lines.iter().filter(|line| line.contains(label));
    let line = found.next().with_context(|| format!("{PREFIX}{name} with {label:?} is not among {lines:?}"))?;
    ensure!(found.next().is_none(), "several groups: {lines:?}");
    number(line)
}

fn number(line: &str) -> Result<f64> {
    let text = line.rsplit(' ').next().context("a sample without a value")?;
    text.parse().with_context(|| format!("no number: {line}"))
}
