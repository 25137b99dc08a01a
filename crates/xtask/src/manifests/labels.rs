//! The four labels, and the selectors that rest on them.

use serde_json::Value;

use super::set::{Object, Problems, Set, at, list_at, map_at, text};

/// On every object and every pod.
const LABELS: [&str; 4] = ["name", "component", "part-of", "version"];
/// Whose pods they are.
const PART_OF: &str = "app.kubernetes.io/part-of";
/// A selector cannot be changed later, so it names only what never changes.
const STABLE: [&str; 3] = ["app.kubernetes.io/name", "app.kubernetes.io/component", PART_OF];
/// What is versioned with this repository.
const OURS: &str = "kafka-clients";

/// All of it.
pub fn check(set: &Set) -> Problems {
    let mut problems = Problems::new();
    for object in &set.objects {
        labels(object, at(&object.value, "/metadata"), "", &mut problems);
        if let Some(pod) = object.pod() {
            labels(object, pod.metadata, "the pod's ", &mut problems);
        }
        selectors(set, object, &mut problems);
        policy(object, &mut problems);
    }
    problems
}

/// A policy holds for our pods only: others in the namespace, which may be somebody else's, keep their network.
fn policy(object: &Object, problems: &mut Problems) {
    if object.kind() != "NetworkPolicy" {
        return;
    }
    let selected = object.at("/spec/podSelector/matchLabels").get(PART_OF).and_then(Value::as_str).unwrap_or_default();
    if selected.is_empty() || selected != text(at(&object.value, "/metadata/labels"), "/app.kubernetes.io~1part-of") {
        problems.push(object.problem(format!(
            "podSelector has to select by {PART_OF}, with the policy's own: otherwise it holds for pods of others in \
             the namespace too"
        )));
    }
}

fn labels(object: &Object, metadata: &Value, whose: &str, problems: &mut Problems) {
    for label in LABELS {
        if text(metadata, &format!("/labels/app.kubernetes.io~1{label}")).is_empty() {
            problems.push(object.problem(format!("{whose}label app.kubernetes.io/{label} is missing")));
        }
    }
    let version = text(metadata, "/labels/app.kubernetes.io~1version");
    let ours = text(metadata, "/labels/app.kubernetes.io~1part-of") == OURS;
    if ours && version != env!("CARGO_PKG_VERSION") {
        problems.push(object.problem(format!(
            "{whose}label app.kubernetes.io/version is {version:?}, the programs are {}",
            env!("CARGO_PKG_VERSION")
        )));
    }
}

/// Each selector of pods names stable labels only, and finds a pod.
fn selectors(set: &Set, object: &Object, problems: &mut Problems) {
    let mut selectors: Vec<&Value> = Vec::new();
    match object.kind() {
        "Service" => selectors.push(object.at("/spec/selector")),
        "Deployment" | "StatefulSet" | "DaemonSet" | "PodDisruptionBudget" | "ServiceMonitor" | "PodMonitor" => {
            selectors.push(object.at("/spec/selector/matchLabels"));
        }
        "NetworkPolicy" => selectors.push(object.at("/spec/podSelector/matchLabels")),
        _ => {}
    }
    if let Some(pod) = object.pod() {
        let spread = list_at(pod.spec, "/topologySpreadConstraints");
        selectors.extend(spread.map(|constraint| at(constraint, "/labelSelector/matchLabels")));
    }
    for selector in selectors.into_iter().filter_map(Value::as_object) {
        for label in selector.keys().filter(|label| !STABLE.contains(&label.as_str())) {
            problems.push(object.problem(format!("a selector names {label}, which may change")));
        }
        let matches = |labels: &Value| selector.iter().all(|(name, value)| labels.get(name) == Some(value));
        let found = match object.kind() {
            "ServiceMonitor" => set.of_kind("Service").any(|service| matches(service.at("/metadata/labels"))),
            "Deployment" | "StatefulSet" | "DaemonSet" => {
                object.pod().is_some_and(|pod| matches(at(pod.metadata, "/labels")))
            }
            _ => set
                .pods()
                .any(|pod| pod.owner.namespace() == object.namespace() && matches(at(pod.metadata, "/labels"))),
        };
        if !found {
            let shown: Vec<_> = map_at(&Value::Object(selector.clone()), "")
                .iter()
                .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
                .collect();
            problems.push(object.problem(format!("no pod has the labels that it selects: {}", shown.join(","))));
        }
    }
}
