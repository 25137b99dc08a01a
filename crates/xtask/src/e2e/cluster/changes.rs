//! Applied again: unchanged, with another Job, with another setting.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use super::Scenario;
use super::bench::{BROKER_FOLDER, Bench, LONG, PROGRAMS, PROGRAMS_FOLDER, name};
use super::jobs;
use super::kubectl::{number, text};
use crate::e2e::bench::{expect_exactly_once, wait_for_messages};
use crate::manifests::checksum;
use crate::programs;

pub(super) const SCENARIOS: [Scenario; 3] = [
    Scenario {
        name: "apply-again",
        claim: "the same manifests applied again change nothing and publish nothing",
        run: apply_again,
    },
    Scenario {
        name: "publish-again",
        claim: "a changed Job cannot be applied over a finished one; the README's command publishes by it",
        run: publish_again,
    },
    Scenario {
        name: "config-change",
        claim: "a changed ConfigMap, applied after `cargo xtask manifests` under load, replaces the pods; no record is lost or repeated",
        run: config_change,
    },
];

const JOB: &str = "k8s/50-job-producer.yaml";

fn apply_again(bench: &mut Bench) -> Result<String> {
    bench.installed()?;
    let before = versions(bench)?;
    // kubectl calls some objects configured although nothing of them has changed.
    bench.apply()?;
    let after = versions(bench)?;
    ensure!(before == after, "the second apply has changed something: before {before:#?}, after {after:#?}");
    bench.wait_until_ready(LONG)?;
    Ok(format!("{} objects and {} pods are the same as before", before.len() - 2, 2))
}

/// What is applied, and the consumer's pods: each with its uid and the number of its specification.
fn versions(bench: &Bench) -> Result<BTreeSet<String>> {
    let [broker, programs] = [BROKER_FOLDER, PROGRAMS_FOLDER].map(|folder| bench.manifests.path(folder));
    let mut objects = bench.kubectl.items(&["get", "-f", &broker, "-f", &programs])?;
    objects.extend(bench.consumers()?);
    let version = |object: &Value| {
        let generation = object.pointer("/metadata/generation").or(object.pointer("/metadata/resourceVersion"));
        format!(
            "{} {} {} {}",
            text(object, "/kind"),
            name(object),
            text(object, "/metadata/uid"),
            generation.unwrap_or(&Value::Null)
        )
    };
    Ok(objects.iter().map(version).collect())
}

fn publish_again(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 1_234;
    bench.installed()?;
    // The README's command, as it stands there, in a copy of the repository where the number is another.
    let readme = fs::read_to_string(programs::root().join("README.md"))?;
    let command = readme.lines().find(|line| line.starts_with("kubectl delete -f ") && line.contains(JOB));
    let command = command.context("the README has no command that publishes again")?;
    let folder = TempDir::new()?;
    let infra = folder.path().join("infra");
    bench.manifests.copy(PROGRAMS_FOLDER, &infra.join(PROGRAMS_FOLDER), |text| {
        text.replace("value: \"1000\"", &format!("value: \"{MESSAGES}\""))
    })?;
    let changed = infra.join(JOB).display().to_string();
    let refused = bench.kubectl.outcome(&["apply", "-f", &changed])?;
    ensure!(!refused.status.success() && refused.stderr.contains("immutable"), "the Job was changed: {refused}");
    bench.kubectl.shell(command, folder.path(), LONG)?;
    let ended = jobs::ended(&bench.kubectl, "kafka-producer", LONG)?;
    let report = ended.pods.last().context("the Job has no pods")?.report()?;
    ensure!(ended.complete && number(&report, "/delivered") == MESSAGES, "not {MESSAGES} delivered: {ended:?}");
    // The next scenario has the project's own again.
    bench.disturbed();
    Ok(format!("apply refused (field is immutable); {MESSAGES} delivered by `{command}`"))
}

fn config_change(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 24_000;
    bench.installed()?;
    let folder = TempDir::new()?;
    let programs = folder.path().join("infra").join(PROGRAMS_FOLDER);
    bench.manifests.copy(PROGRAMS_FOLDER, &programs, |text| text.replace("DEBUG: \"false\"", "DEBUG: \"true\""))?;
    ensure!(checksum::write(folder.path())?, "the changed ConfigMap has the same checksum");
    let load = bench.load("config-change", MESSAGES, "600/s")?;
    let logs = bench.logs("config-change")?;
    wait_for_messages(logs.received(), 1_000)?;
    bench.disturbed();
    bench.kubectl.run(&["apply", "--warnings-as-errors", "-f", &programs.display().to_string()])?;
    bench.kubectl.rolled_out(PROGRAMS, "deployment/kafka-consumer", LONG)?;
    bench.settled(2, LONG)?;
    let tells = ["--", "/usr/local/bin/kafka-consumer", "config"];
    for pod in bench.consumers()? {
        let settings = bench.kubectl.run(&[&["exec", "-n", PROGRAMS, name(&pod)], &tells[..]].concat())?;
        ensure!(settings.lines().any(|line| line.starts_with("DEBUG=true ")), "{}: {settings}", name(&pod));
    }
    load.delivered(MESSAGES, LONG)?;
    expect_exactly_once(logs.received(), MESSAGES).with_context(|| logs.own())?;
    let seen = format!(
        "the new pods have DEBUG=true; {MESSAGES} logged once by {} pods, longest pause {:.2} s",
        logs.pods()?,
        logs.longest_pause()?.as_secs_f64()
    );
    // Back again, by the same way.
    bench.installed()?;
    Ok(seen)
}
