//! The seccomp profile of `infra/policies/seccomp`, read by the kubelet from each node.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Scenario;
use super::bench::{Bench, LONG, PROGRAMS, SOON, WORK};
use super::jobs;
use super::kubectl::{Kubectl, Seen, list, number, text, until};
use super::node::Place;
use crate::programs;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "seccomp",
    claim: "with the component policies/seccomp and its file on each node, both programs do their work under the profile; what it does \
            not allow is no system call, and without the file a pod does not start",
    run: localhost,
}];

const FILE: &str = "infra/policies/seccomp/kafka-clients.json";
/// In the kubelet's folder of profiles, as the component names it.
const PROFILE: &str = "profiles/kafka-clients.json";

/// The profile on all nodes. Dropped, it is gone from those that did not have it before.
struct Profiles {
    kubectl: Kubectl,
    toolbox: String,
    folder: String,
    nodes: Vec<String>,
}

fn localhost(bench: &mut Bench) -> Result<String> {
    bench.installed()?;
    let profiles = Profiles::put(bench)?;
    let missing = "profiles/kafka-clients-e2e-missing.json";
    let refused = not_started(bench, missing)?;
    ensure!(refused.contains("kafka-clients-e2e-missing.json"), "the missing file is not named: {refused}");
    let with = unshare(bench, "with-profile", &json!({"type": "Localhost", "localhostProfile": PROFILE}))?;
    ensure!(with.contains("Function not implemented"), "under the profile unshare says: {with}");
    let without = unshare(bench, "without-profile", &json!({"type": "RuntimeDefault"}))?;
    ensure!(!without.contains("Function not implemented"), "the runtime's own profile answers likewise: {without}");

    // No Job that is there allows another pod template.
    bench.kubectl.delete(&["job", "-n", PROGRAMS, "kafka-producer"], SOON)?;
    bench.disturbed();
    let copy = TempDir::new()?;
    bench.manifests.copy(".", copy.path(), |text| text.replace("components: []", "components: [policies/seccomp]"))?;
    let path = copy.path().display().to_string();
    bench.kubectl.run(&["apply", "--warnings-as-errors", "-k", &path])?;
    bench.wait_until_ready(LONG)?;
    let ended = jobs::ended(&bench.kubectl, "kafka-producer", SOON)?;
    let report = ended.pods.first().context("the Job has no pod")?.report()?;
    let (requested, delivered) = (number(&report, "/requested"), number(&report, "/delivered"));
    ensure!(ended.complete && requested > 0 && requested == delivered, "not all delivered: {report}");
    let pods = bench.consumers()?;
    for pod in &pods {
        let profile = text(pod, "/spec/securityContext/seccompProfile/localhostProfile");
        ensure!(profile == PROFILE, "a consumer has the profile {profile:?}");
        let restarts = number(pod, "/status/containerStatuses/0/restartCount");
        ensure!(restarts == 0, "a consumer was restarted {restarts} times");
    }
    Ok(format!(
        "{delivered} published by the Job, {} consumers ready, {} node(s)\n     unshare under it: {}\n     without the file: {refused}",
        pods.len(),
        profiles.nodes.len(),
        with.trim()
    ))
}

impl Profiles {
    fn put(bench: &mut Bench) -> Result<Self> {
        bench.namespace(WORK)?;
        let profile = fs::read_to_string(programs::root().join(FILE)).with_context(|| format!("no {FILE}"))?;
        let nodes = bench.kubectl.items(&["get", "nodes"])?;
        let nodes = nodes.iter().filter(|node| list(node, "/spec/taints").is_empty());
        let names = nodes.map(|node| text(node, "/metadata/labels/kubernetes.io~1hostname").to_owned());
        let names: Vec<_> = names.collect();
        ensure!(!names.is_empty(), "no node takes pods");
        let mut put = Self {
            kubectl: bench.kubectl.clone(),
            toolbox: bench.toolbox.clone(),
            folder: format!("{}/seccomp", bench.kubelet),
            nodes: Vec::new(),
        };
        for node in names {
            // A file of somebody else stays, and must be the same.
            let script = format!(
                "mkdir -p /node/profiles && cd /node && printf %s \"$PROFILE\" >/tmp/profile && if [ -e {PROFILE} ]; then \
                 cmp /tmp/profile {PROFILE}; else cp /tmp/profile {PROFILE} && chmod 644 {PROFILE} && touch {PROFILE}.e2e; fi"
            );
            put.nodes.push(node);
            put.on_node(put.nodes.len() - 1, "seccomp-put", &script, &[("PROFILE", &profile)])?;
        }
        Ok(put)
    }

    fn on_node(&self, number: usize, name: &str, script: &str, variables: &[(&str, &str)]) -> Result<()> {
        let place = Place { node: &self.nodes[number], folder: &self.folder, made: true };
        place.run(&self.kubectl, &self.toolbox, &format!("{name}-{number}"), script, variables)
    }
}

impl Drop for Profiles {
    fn drop(&mut self) {
        let script = format!("cd /node && if [ -e {PROFILE}.e2e ]; then rm {PROFILE} {PROFILE}.e2e; fi");
        for number in 0..self.nodes.len() {
            if let Err(error) = self.on_node(number, "seccomp-removed", &script, &[]) {
                eprintln!("{}/{PROFILE} is left on {}: {error:#}", self.folder, self.nodes[number]);
            }
        }
    }
}

/// What busybox says when it is told to make a user namespace, for which no rights are needed.
fn unshare(bench: &Bench, name: &str, profile: &Value) -> Result<String> {
    let pod = pod(bench, name, profile);
    bench.kubectl.delete(&["pod", "-n", WORK, name], SOON)?;
    bench.kubectl.send(&["create", "-f", "-"], &pod)?;
    until(SOON, &format!("the end of the pod {name}"), || {
        let pod = bench.kubectl.json(&["get", "pod", "-n", WORK, name])?;
        let phase = text(&pod, "/status/phase");
        Ok(Seen::when(["Failed", "Succeeded"].contains(&phase), pod["status"].to_string()))
    })?;
    let said = bench.kubectl.run(&["logs", "-n", WORK, name])?;
    bench.kubectl.delete(&["pod", "-n", WORK, name], SOON)?;
    Ok(said)
}

/// Why a pod with a profile that no node has does not start.
fn not_started(bench: &Bench, profile: &str) -> Result<String> {
    let name = "missing-profile";
    let pod = pod(bench, name, &json!({"type": "Localhost", "localhostProfile": profile}));
    bench.kubectl.delete(&["pod", "-n", WORK, name], SOON)?;
    bench.kubectl.send(&["create", "-f", "-"], &pod)?;
    let said = until(SOON, "a pod that is refused", || {
        let pod = bench.kubectl.json(&["get", "pod", "-n", WORK, name])?;
        let waiting = "/status/containerStatuses/0/state/waiting";
        let (reason, message) = (text(&pod, &format!("{waiting}/reason")), text(&pod, &format!("{waiting}/message")));
        Ok(match message {
            "" => Seen::NotYet(format!("{reason} {}", pod["status"])),
            message => Seen::Yes(format!("{reason}: {message}")),
        })
    })?;
    bench.kubectl.delete(&["pod", "-n", WORK, name], SOON)?;
    Ok(said)
}

fn pod(bench: &Bench, name: &str, profile: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": WORK},
        "spec": {
            "automountServiceAccountToken": false,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 10001, "seccompProfile": profile},
            "containers": [{
                "name": "toolbox", "image": bench.toolbox, "imagePullPolicy": "IfNotPresent",
                "command": ["unshare", "-U", "true"],
                "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]}},
                "resources": {"limits": {"memory": "32Mi"}},
            }],
        },
    })
}
