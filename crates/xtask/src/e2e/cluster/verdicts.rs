//! How Jobs fail: at once where another try would end the same, again where it may not.

use anyhow::{Context, Result, ensure};

use super::Scenario;
use super::bench::{Bench, LONG};
use super::jobs::Ended;
use super::kubectl::{Seen, text, until};
use crate::e2e::bench::expect_exactly_once;

pub(super) const SCENARIOS: [Scenario; 3] = [
    Scenario {
        name: "job-exit-2",
        claim: "a Job with a wrong setting fails at once, with one pod, whose termination message names the setting",
        run: wrong_setting,
    },
    Scenario {
        name: "job-exit-4",
        claim: "a Job for a topic that does not exist fails at once, with one pod, whose termination message is the report",
        run: unknown_topic,
    },
    Scenario {
        name: "job-retried",
        claim: "a Job that reaches no broker is tried again, under the same run id, until there is one",
        run: retried,
    },
];

fn wrong_setting(bench: &mut Bench) -> Result<String> {
    bench.installed()?;
    let ended = bench.job("exit-2", &[("PRODUCER_MESSAGES", "0")])?.ended(LONG)?;
    let message = failed_at_once(&ended, 2)?;
    ensure!(message.contains("PRODUCER_MESSAGES"), "the termination message does not name the setting: {message:?}");
    Ok(format!("one pod, exit code 2, {}", ended.reason))
}

fn unknown_topic(bench: &mut Bench) -> Result<String> {
    bench.installed()?;
    let ended = bench.job("exit-4", &[("KAFKA_TOPIC", "no-such-topic")])?.ended(LONG)?;
    failed_at_once(&ended, 4)?;
    let report = ended.pods[0].report()?;
    ensure!(text(&report, "/outcome") == "refused", "{report}");
    Ok(format!("one pod, exit code 4, {}: {}", ended.reason, text(&report, "/message")))
}

/// Returns the termination message of the only pod.
fn failed_at_once(ended: &Ended, code: u64) -> Result<&str> {
    ensure!(!ended.complete && ended.reason == "PodFailurePolicy", "not failed by its policy: {ended:?}");
    match &ended.pods[..] {
        [pod] if pod.code == code => Ok(&pod.message),
        _ => anyhow::bail!("not one pod with exit code {code}: {ended:?}"),
    }
}

fn retried(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 1_000;
    bench.installed()?;
    bench.brokers(0)?;
    // Its run id is left to the manifest: the label with the Job's uid.
    let job = bench.job("retried", &[("PRODUCER_MESSAGES", &MESSAGES.to_string()), ("PRODUCER_TIMEOUT", "8s")])?;
    let logs = bench.logs(&job.uid)?;
    until(LONG, "a try that has failed", || {
        let pods = job.pods()?;
        Ok(Seen::when(!pods.is_empty(), "none has ended"))
    })?;
    bench.brokers(1)?;
    job.delivered(MESSAGES, LONG)?;
    let ended = job.ended(LONG)?;
    let (last, tries) = ended.pods.split_last().context("the Job has no pods")?;
    for pod in tries {
        ensure!(pod.code == 3, "a try ended with another code than 3: {ended:?}");
    }
    for pod in &ended.pods {
        let report = pod.report()?;
        ensure!(text(&report, "/run_id") == job.uid, "another run id than the Job's uid {}: {report}", job.uid);
    }
    bench.settled(2, LONG)?;
    expect_exactly_once(logs.received(), MESSAGES).with_context(|| logs.own())?;
    Ok(format!(
        "{} pods with exit code 3, then one with {}; all with the Job's uid as run id; {MESSAGES} logged once",
        tries.len(),
        last.code
    ))
}
