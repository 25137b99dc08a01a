//! The manifests in a namespace where another team is at work: its pods keep their network, and the namespace stays as it is.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Scenario;
use super::bench::{Bench, LONG, WORK};
use super::toolbox::Toolbox;
use super::toolbox::Try::{Connect, Resolve};
use crate::programs;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "neighbour",
    claim: "applied into a team's own namespace, as docs/operations.md says, the manifests work, and the team's pod keeps its network",
    run: neighbour,
}];

/// The team's namespace.
const TEAM: &str = "kafka-clients-e2e-team";
const KAFKA: &str = "kafka.kafka.svc.cluster.local";
const API: &str = "kubernetes.default.svc.cluster.local";
/// Where a toolbox listens.
const LISTENS: u16 = 8081;
/// The page with the kustomization, and what is in its place here.
const PAGE: &str = "docs/operations.md";

fn neighbour(bench: &mut Bench) -> Result<String> {
    bench.installed()?;
    bench.namespace(TEAM)?;
    let theirs = bench.toolbox(TEAM, "theirs", &json!({"app.kubernetes.io/part-of": "their-shop"}))?;
    let stranger = bench.toolbox(WORK, "stranger", &json!({"app.kubernetes.io/name": "toolbox"}))?;
    keeps_its_network(&theirs, &stranger).context("before anything was applied")?;
    let before = labels(bench)?;

    let folder = TempDir::new()?;
    let path = lay_out(bench, &folder)?;
    bench.kubectl.delete(&["job", "-n", TEAM, "kafka-producer"], LONG)?;
    bench.kubectl.run(&["apply", "--warnings-as-errors", "-k", &path])?;
    bench.kubectl.wait(TEAM, "job/kafka-producer", "condition=complete", LONG)?;
    bench.kubectl.rolled_out(TEAM, "deployment/kafka-consumer", LONG)?;
    let ours = bench.toolbox(TEAM, "ours", &json!({"app.kubernetes.io/part-of": "kafka-clients"}))?;
    ours.reaches(Connect(KAFKA, 9092))?;
    ours.is_refused(Connect(API, 443))?;
    stranger.is_refused(Connect(&ours.ip()?, LISTENS))?;
    // After the policies were seen to be in force.
    keeps_its_network(&theirs, &stranger).context("with the manifests in its namespace")?;
    ensure!(labels(bench)? == before, "the namespace has other labels: {before} before, {} now", labels(bench)?);

    bench.kubectl.delete(&["-k", &path], LONG)?;
    keeps_its_network(&theirs, &stranger).context("with the manifests deleted")?;
    Ok("both programs at work and confined, their pod reached and reaching as before, its namespace unchanged"
        .to_owned())
}

fn keeps_its_network(theirs: &Toolbox, stranger: &Toolbox) -> Result<()> {
    theirs.reaches(Resolve(KAFKA))?;
    theirs.reaches(Connect(API, 443))?;
    theirs.reaches(Connect(&stranger.ip()?, LISTENS))?;
    stranger.reaches(Connect(&theirs.ip()?, LISTENS))
}

/// The kustomization of the page beside a copy of `infra/`; returns its folder.
fn lay_out(bench: &Bench, folder: &TempDir) -> Result<String> {
    let page = fs::read_to_string(programs::root().join(PAGE))?;
    let mut blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let kustomization = blocks.find(|block| block.contains("kind: Kustomization"));
    let kustomization = kustomization.with_context(|| format!("{PAGE} has no kustomization"))?;
    for named in ["namespace: your-team\n", "- path/to/infra\n"] {
        ensure!(kustomization.contains(named), "{PAGE}: the kustomization has no line {named:?}");
    }
    let kustomization = kustomization.replace("your-team", TEAM).replace("path/to/infra", "../infra");
    // A group of its own: the consumers of the other namespace go on undisturbed.
    bench.manifests.copy("", &folder.path().join("infra"), |text| {
        text.replace("KAFKA_CONSUMER_GROUP: kafka-consumer", "KAFKA_CONSUMER_GROUP: neighbour")
    })?;
    let team = folder.path().join("team");
    fs::create_dir(&team)?;
    fs::write(team.join("kustomization.yaml"), kustomization)?;
    Ok(team.display().to_string())
}

fn labels(bench: &Bench) -> Result<Value> {
    let namespace = bench.kubectl.json(&["get", "namespace", TEAM])?;
    Ok(namespace.pointer("/metadata/labels").cloned().unwrap_or_default())
}
