//! Proof on the cluster: a run that is published here is audited by the Job of `infra/audit`, as docs/audit.md has it, and the Job of
//! `infra/k8s/proof` proves a round trip by itself.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Scenario;
use super::bench::{Bench, LONG, PROGRAMS};
use super::jobs::{Ended, ended};
use super::kubectl::{Kubectl, number, text};

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "round-trip",
        claim: "one Job, applied as it stands, publishes and reads back; its termination message is the proof",
        run: round_trip,
    },
    Scenario {
        name: "audit",
        claim: "the audit's Job proves a run by the log of the producer's pods, and fails at once with 5 when a message is missing",
        run: audit,
    },
];

/// The Job, and the ConfigMap that says what it audits.
const NAME: &str = "kafka-audit";
const JOB: &str = "audit/job.yaml";

/// The Job of a round trip.
const PROOF: &str = "kafka-round-trip";
const PROOF_JOB: &str = "k8s/proof/job.yaml";

fn round_trip(bench: &mut Bench) -> Result<String> {
    bench.installed()?;
    let removed = Removed(&bench.kubectl, PROOF);
    bench.kubectl.run(&["apply", "-n", PROGRAMS, "-f", &bench.manifests.path(PROOF_JOB)])?;
    let how = ended(&bench.kubectl, PROOF, LONG)?;
    drop(removed);
    ensure!(how.complete, "the round trip failed: {how:?}");
    let report = verdict(&how)?;
    let counts = (number(&report, "/delivered"), number(&report, "/audit/distinct"), number(&report, "/audit/missing"));
    ensure!(counts == (100, 100, 0) && text(&report, "/outcome") == "ok", "{report}");
    Ok(format!(
        "100 messages proven; p99 from end to end {} ms",
        report.pointer("/end_to_end_ms/p99").unwrap_or(&Value::Null)
    ))
}

fn audit(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 5_000;
    bench.installed()?;
    let job = bench.job("audited", &[("PRODUCER_MESSAGES", &MESSAGES.to_string())])?;
    job.delivered(MESSAGES, LONG)?;
    let selector = format!("batch.kubernetes.io/job-name={}", job.name);
    let log = bench.kubectl.run(&["logs", "-n", PROGRAMS, "-l", &selector, "--tail=-1"])?;
    let proven = audited(bench, &job.uid, &log)?;
    ensure!(proven.complete, "the audit failed: {proven:?}");
    let verdict = verdict(&proven)?;
    ensure!((number(&verdict, "/distinct"), text(&verdict, "/outcome")) == (MESSAGES, "ok"), "{verdict}");
    // As if the run had one more message.
    let total = format!("\"total\":{MESSAGES}");
    ensure!(log.contains(&total), "no report with a total is in the log: {log}");
    let failed = audited(bench, &job.uid, &log.replace(&total, &format!("\"total\":{}", MESSAGES + 1)))?;
    ensure!(!failed.complete && failed.reason == "PodFailurePolicy", "not failed by its policy: {failed:?}");
    let [pod] = &failed.pods[..] else { anyhow::bail!("not one pod: {failed:?}") };
    let missing = self::verdict(&failed)?;
    ensure!((pod.code, number(&missing, "/missing")) == (5, 1), "{missing}");
    Ok(format!("{MESSAGES} messages proven; one more: exit code 5, {}", failed.reason))
}

/// Runs the Job on what this log says of the run, and removes it.
fn audited(bench: &Bench, run: &str, log: &str) -> Result<Ended> {
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": PROGRAMS},
        "data": {"producer.log": log, "run": run},
    });
    let removed = Removed(&bench.kubectl, NAME);
    bench.kubectl.send(&["apply", "-f", "-"], &map)?;
    bench.kubectl.run(&["apply", "-f", &bench.manifests.path(JOB)])?;
    let how = ended(&bench.kubectl, NAME, LONG)?;
    drop(removed);
    Ok(how)
}

/// What the last pod left as its termination message.
fn verdict(ended: &Ended) -> Result<Value> {
    let pod = ended.pods.last().context("the Job has no pods")?;
    serde_json::from_str(&pod.message)
        .with_context(|| format!("the termination message is not the verdict: {:?}", pod.message))
}

/// Deletes a Job and the ConfigMap of its name.
struct Removed<'a>(&'a Kubectl, &'static str);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        for kind in ["job", "configmap"] {
            let _ = self.0.outcome(&["delete", kind, "-n", PROGRAMS, self.1, "--ignore-not-found"]);
        }
    }
}
