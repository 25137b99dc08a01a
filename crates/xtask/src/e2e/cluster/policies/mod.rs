//! What `infra/policies` refuses on a real API server, what it lets through, and that its removal leaves nothing.

mod applied;
mod cases;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Scenario;
use super::bench::{Bench, LONG, PROGRAMS, PROGRAMS_FOLDER, SOON, WORK};
use super::kubectl::{Kubectl, Seen, list, text, until};
use crate::programs;
use crate::published::policies::{FOLDER, GUARDED, filled};
use applied::Applied;
use cases::{DIGEST, REPOSITORY, bad, good, of_template, owners, pod};

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "policies",
        claim: "each rule of infra/policies/admission refuses what breaks it, and warns of it; kubectl debug works; all of it \
                only in namespaces with the label; its line removes it",
        run: admission,
    },
    Scenario {
        name: "policies-kyverno",
        claim: "the API server takes the policy of infra/policies/kyverno and refuses a misspelt field; its line removes it",
        run: kyverno,
    },
];

/// The namespace with the label. [`WORK`] has none.
const SAFE: &str = "kafka-clients-e2e-guarded";
const README: &str = "infra/policies/README.md";

fn admission(bench: &mut Bench) -> Result<String> {
    let image = by_digest(bench)?;
    let (repository, _) = image.split_once('@').context("an image without a digest")?;
    bench.namespace(SAFE)?;
    let kubectl = bench.kubectl.clone();
    let restricted = "pod-security.kubernetes.io/enforce=restricted";
    kubectl.run(&["label", "--overwrite", "namespace", SAFE, &format!("{}={}", GUARDED.0, GUARDED.1), restricted])?;

    let mut policies = Applied::new(&kubectl, repository)?;
    for name in policies.policies() {
        let warnings = policies.warnings(name)?;
        ensure!(warnings.is_empty(), "{name} does not fit the types of what it judges: {warnings:?}");
    }
    misspelt(&mut policies, repository)?;
    let tagged = pod(SAFE, "policies", &bad(&image)[0].spec);
    policies.settled("a pod without a digest refused", || Ok(refusal(&kubectl, &tagged)?.contains(DIGEST)))?;

    let (refused, warned) = rules(&kubectl, &image)?;
    running(&kubectl, &image, repository)?;
    as_they_are(bench)?;

    let line = removal("admission")?;
    kubectl.shell(&line, &programs::root(), LONG)?;
    ensure!(policies.left()?.is_empty(), "`{line}` leaves {:?}", policies.left()?);
    policies.settled("a pod without a digest let through", || Ok(refusal(&kubectl, &tagged)?.is_empty()))?;
    Ok(format!(
        "{refused} pods refused, each for its own reason, and all of them without the label let through; {warned} warnings; \
         an update, kubectl debug; typeChecking empty, and not for a misspelt field; nothing left"
    ))
}

/// The toolbox's image, as the node knows it by its digest.
fn by_digest(bench: &Bench) -> Result<String> {
    let toolbox = bench.toolbox(WORK, "policies-image", &json!({}))?;
    let get = ["get", "pod", "-n", WORK, "policies-image", "-o", "jsonpath={.status.containerStatuses[0].imageID}"];
    let id = bench.kubectl.run(&get)?;
    drop(toolbox);
    let image = id.rsplit("://").next().unwrap_or_default();
    ensure!(
        image.contains("@sha256:"),
        "the node knows no digest of the toolbox's image ({id}): pull it from a registry, and name it with --toolbox"
    );
    Ok(image.to_owned())
}

/// A policy with a field that does not exist is accepted; only its status tells.
fn misspelt(policies: &mut Applied, repository: &str) -> Result<()> {
    let all = filled("admission", "registry.example/kafka-", "owner/name")?;
    let mut policy = applied::allowing(all.first().context("no policy")?, repository)?;
    let text = policy.to_string();
    ensure!(text.contains("?readOnlyRootFilesystem"), "the policy does not ask for readOnlyRootFilesystem");
    policy = serde_json::from_str(&text.replace("?readOnlyRootFilesystem", "?readOnlyRootFileSystem"))?;
    policy["metadata"]["name"] = "kafka-clients-e2e-misspelt".into();
    policies.apply(policy)?;
    let warnings = policies.warnings("kafka-clients-e2e-misspelt")?;
    policies.withdraw()?;
    let found = warnings.iter().any(|warning| warning.to_string().contains("readOnlyRootFileSystem"));
    ensure!(found, "the API server does not see a misspelt field: {warnings:?}");
    Ok(())
}

/// Good and bad objects for each rule; how many were refused, and warned of.
fn rules(kubectl: &Kubectl, image: &str) -> Result<(usize, usize)> {
    let create = ["create", "--dry-run=server", "--warnings-as-errors", "-f", "-"];
    let fine =
        |object: &Value| kubectl.send(&create, object).context("refused, or warned of, although it keeps every rule");
    fine(&pod(SAFE, "policies", &good(image)))?;
    // A tag may stand beside the digest.
    let both = good(&image.replace('@', ":1@"));
    fine(&pod(SAFE, "policies", &both))?;
    for owner in owners(SAFE, &good(image)).iter().chain(&owners(SAFE, &both)) {
        fine(owner)?;
    }
    let cases = bad(image);
    let mut warned = 0;
    for case in &cases {
        let said = refusal(kubectl, &pod(SAFE, "policies", &case.spec))?;
        ensure!(said.contains("'kafka-clients-pods'") && said.contains(case.told), "{}: {said:?}", case.name);
        kubectl
            .send(&["create", "--dry-run=server", "-f", "-"], &pod(WORK, "policies", &case.spec))
            .with_context(|| format!("{}, without the label", case.name))?;
        for owner in owners(SAFE, &case.spec) {
            let said = kubectl.send_outcome(&["create", "--dry-run=server", "-f", "-"], &owner)?;
            let warning = said.stderr.lines().any(|line| line.starts_with("Warning:") && line.contains(case.told));
            ensure!(said.status.success() && warning, "{} of {}: {said}", text(&owner, "/kind"), case.name);
            warned += 1;
        }
    }
    Ok((cases.len(), warned))
}

/// What the API server says against an object; empty when it would take it.
fn refusal(kubectl: &Kubectl, object: &Value) -> Result<String> {
    let outcome = kubectl.send_outcome(&["create", "--dry-run=server", "-f", "-"], object)?;
    Ok(if outcome.status.success() { String::new() } else { outcome.stderr })
}

/// A pod that runs: another image is refused, a label is not, and `kubectl debug` works, by the rules for images.
fn running(kubectl: &Kubectl, image: &str, repository: &str) -> Result<()> {
    const NAME: &str = "policies";
    kubectl.send(&["create", "-f", "-"], &pod(SAFE, NAME, &good(image)))?;
    kubectl.wait(SAFE, &format!("pod/{NAME}"), "condition=Ready", SOON)?;
    let refused = |args: &[&str], told: &str| {
        let outcome = kubectl.outcome(args)?;
        ensure!(!outcome.status.success() && outcome.stderr.contains(told), "kubectl {}: {outcome}", args.join(" "));
        Ok(())
    };
    let tag = format!("{repository}:1");
    refused(&["set", "image", "-n", SAFE, &format!("pod/{NAME}"), &format!("main={tag}")], DIGEST)?;
    kubectl.run(&["label", "pod", "-n", SAFE, NAME, "kafka-clients-e2e=seen"])?;

    let debug = |image: &str| -> Vec<String> {
        let image = format!("--image={image}");
        let words = ["debug", "-n", SAFE, NAME, "--profile=restricted", "--container=look", "--quiet", &image, "--"];
        words.into_iter().chain(["sh", "-c", "echo seen by $(id -u)"]).map(str::to_owned).collect()
    };
    let other = image.replace(repository, "docker.io/library/other");
    for (image, told) in [(tag.as_str(), DIGEST), (&other, REPOSITORY)] {
        refused(&debug(image).iter().map(String::as_str).collect::<Vec<_>>(), told)?;
    }
    kubectl.run(&debug(image).iter().map(String::as_str).collect::<Vec<_>>())?;
    until(SOON, "the container of kubectl debug has ended well", || {
        let pod = kubectl.json(&["get", "pod", "-n", SAFE, NAME])?;
        let state = list(&pod, "/status/ephemeralContainerStatuses").first().map(|status| status["state"].clone());
        let state = state.unwrap_or_default();
        let well = state.pointer("/terminated/exitCode").and_then(Value::as_i64) == Some(0);
        Ok(Seen::when(well, state.to_string()))
    })?;
    let log = kubectl.run(&["logs", "-n", SAFE, NAME, "-c", "look"])?;
    ensure!(log.starts_with("seen by ") && log.trim() != "seen by 0", "kubectl debug said {log:?}");
    kubectl.delete(&["pod", "-n", SAFE, NAME], SOON)
}

/// `infra/k8s` as it is, with tags of a registry of this machine: taken where the label is not set, refused where it is.
fn as_they_are(bench: &Bench) -> Result<()> {
    let kubectl = &bench.kubectl;
    for (namespace, guarded) in [(WORK, false), (SAFE, true)] {
        let folder = TempDir::new()?;
        let moved =
            |text: &str| text.replace(&format!("namespace: {PROGRAMS}\n"), &format!("namespace: {namespace}\n"));
        bench.manifests.copy(PROGRAMS_FOLDER, folder.path(), moved)?;
        fs::remove_file(folder.path().join("00-namespace.yaml"))?;
        accounts(kubectl, folder.path())?;
        let path = folder.path().display().to_string();
        let applied = kubectl.outcome(&["apply", "--dry-run=server", "-f", &path])?;
        let warnings = applied.stderr.lines().filter(|line| line.contains(DIGEST)).count();
        let expected = if guarded { 2 } else { 0 };
        ensure!(applied.status.success() && warnings == expected, "infra/k8s in {namespace}: {applied}");
        for kind in ["Deployment", "Job"] {
            let made = of_template(&bench.manifests.object(kubectl, kind)?, namespace);
            let said = refusal(kubectl, &made)?;
            ensure!(said.contains(DIGEST) == guarded && said.is_empty() != guarded, "{kind} in {namespace}: {said:?}");
        }
    }
    Ok(())
}

/// Pods are judged only where their accounts exist.
fn accounts(kubectl: &Kubectl, folder: &Path) -> Result<()> {
    for program in ["consumer", "producer"] {
        let file = folder.join(format!("10-serviceaccount-{program}.yaml"));
        kubectl.run(&["apply", "-f", &file.display().to_string()])?;
    }
    Ok(())
}

fn kyverno(bench: &mut Bench) -> Result<String> {
    let kubectl = bench.kubectl.clone();
    let policies = filled("kyverno", "registry.example/kafka-", "owner/name")?;
    let policy = policies.first().context("no policy")?;
    let object = policy.value()?;
    let (kind, name) = (text(&object, "/kind"), text(&object, "/metadata/name"));
    let get = ["get", kind, name, "--ignore-not-found", "--output=name"];
    let there = kubectl.run(&get).context("Kyverno 1.19.1, or its custom resource definitions, has to be installed")?;
    ensure!(there.trim().is_empty(), "the {kind} {name} exists: this scenario would change and then delete it");
    let dry = ["create", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-"];
    kubectl.send(&dry, &object)?;
    let misspelt = serde_json::from_str(&policy.value()?.to_string().replace("subjectRegExp", "subjectRegexp"))?;
    let outcome = kubectl.send_outcome(&dry, &misspelt)?;
    let told = outcome.stderr.contains("unknown field") && outcome.stderr.contains("subjectRegexp");
    ensure!(!outcome.status.success() && told, "a misspelt field is taken: {outcome}");
    kubectl.send(&["create", "-f", "-"], &object)?;
    let line = removal("kyverno")?;
    kubectl.shell(&line, &programs::root(), LONG)?;
    let left = kubectl.run(&get)?;
    ensure!(left.trim().is_empty(), "`{line}` leaves {left}");
    Ok("taken as it is, refused with subjectRegexp; nothing left".to_owned())
}

/// The line that takes a folder away, as the README has it.
fn removal(folder: &str) -> Result<String> {
    let text = fs::read_to_string(programs::root().join(README)).with_context(|| format!("{README} can't be read"))?;
    let path = format!("{FOLDER}/{folder}/");
    let line = text.lines().find(|line| line.starts_with("kubectl delete ") && line.contains(&path));
    line.map(str::to_owned).with_context(|| format!("{README} has no line that deletes {path}"))
}
