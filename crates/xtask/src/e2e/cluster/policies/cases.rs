//! A pod that keeps every rule of `infra/policies/admission`, and for each rule pods that break this one alone.

use serde_json::{Value, json};

use crate::manifests::set::{at, text};

/// Which containers a case changes.
const LISTS: [&str; 2] = ["containers", "initContainers"];

/// A pod that breaks a rule.
pub struct Case {
    /// What is wrong with it.
    pub name: String,
    /// What it is told.
    pub told: &'static str,
    /// The pod's specification.
    pub spec: Value,
}

/// What the rules say of an image without a digest.
pub const DIGEST: &str = "image without a digest";
/// What they say of another repository.
pub const REPOSITORY: &str = "image of another repository";
const ROOT: &str = "securityContext.readOnlyRootFilesystem has to be true";
const TOKEN: &str = "a service account token";
const LIMITS: &str = "resources.limits needs memory and ephemeral-storage";

/// The specification of a pod that keeps them all, and Pod Security `restricted` too.
pub fn good(image: &str) -> Value {
    let container = |name: &str, command: &[&str]| {
        json!({
            "name": name, "image": image, "imagePullPolicy": "IfNotPresent", "command": command,
            "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]}},
            "resources": {"limits": {"memory": "32Mi", "ephemeral-storage": "16Mi"}},
        })
    };
    json!({
        "automountServiceAccountToken": false,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": true, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [container("first", &["true"])],
        "containers": [container("main", &["sleep", "3600"])],
    })
}

/// Pods that break one rule each. The image is `repository@sha256:digest`.
pub fn bad(image: &str) -> Vec<Case> {
    let (repository, digest) = image.split_once('@').unwrap_or((image, ""));
    let mut cases = Vec::new();
    for list in LISTS {
        let mut case = |name: &str, told: &'static str, field: &str, value: Value| {
            let mut spec = good(image);
            set(&mut spec, &format!("/{list}/0/{field}"), value);
            cases.push(Case { name: format!("{list}: {name}"), told, spec });
        };
        case("a tag alone", DIGEST, "image", format!("{repository}:1").into());
        case("neither tag nor digest", DIGEST, "image", repository.into());
        case("half a digest", DIGEST, "image", format!("{repository}@{}", &digest[..digest.len() / 2]).into());
        case("something after the digest", DIGEST, "image", format!("{image}0").into());
        case("another repository", REPOSITORY, "image", format!("docker.io/library/other@{digest}").into());
        case("a name that begins like ours", REPOSITORY, "image", format!("{repository}-other@{digest}").into());
        case("a folder below ours", REPOSITORY, "image", format!("{repository}/other@{digest}").into());
        case("what looks like a tag of ours", REPOSITORY, "image", format!("{repository}:1/other@{digest}").into());
        case("a root that can be written", ROOT, "securityContext/readOnlyRootFilesystem", false.into());
        case("nothing said of the root", ROOT, "securityContext/readOnlyRootFilesystem", Value::Null);
        case("no limit of memory", LIMITS, "resources/limits/memory", Value::Null);
        case("no limit of storage", LIMITS, "resources/limits/ephemeral-storage", Value::Null);
        case("no limits", LIMITS, "resources", Value::Null);
    }
    let mut case = |name: &str, field: &str, value: Value| {
        let mut spec = good(image);
        set(&mut spec, field, value);
        cases.push(Case { name: name.to_owned(), told: TOKEN, spec });
    };
    case("a token", "/automountServiceAccountToken", true.into());
    case("nothing said of a token", "/automountServiceAccountToken", Value::Null);
    let source = json!({"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}});
    case("a token by hand", "/volumes", json!([{"name": "own", "projected": {"sources": [source]}}]));
    cases
}

/// Sets a field, or takes it away.
fn set(spec: &mut Value, pointer: &str, value: Value) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    let Some(parent) = spec.pointer_mut(parent).and_then(Value::as_object_mut) else { return };
    match value {
        Value::Null => parent.remove(name),
        value => parent.insert(name.to_owned(), value),
    };
}

/// A pod of this specification.
pub fn pod(namespace: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

/// Each kind of object that makes such pods, and of which is warned.
pub fn owners(namespace: &str, spec: &Value) -> [Value; 4] {
    let labels = json!({"app.kubernetes.io/name": "policies"});
    let template = json!({"metadata": {"labels": labels}, "spec": spec});
    let mut once = template.clone();
    once["spec"]["restartPolicy"] = "Never".into();
    let selector = json!({"matchLabels": labels});
    [
        ("apps/v1", "Deployment", json!({"selector": selector, "template": template})),
        ("apps/v1", "StatefulSet", json!({"selector": selector, "serviceName": "policies", "template": template})),
        ("apps/v1", "DaemonSet", json!({"selector": selector, "template": template})),
        ("batch/v1", "Job", json!({"template": once})),
    ]
    .map(|(version, kind, spec)| {
        let metadata = json!({"name": "policies", "namespace": namespace});
        json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})
    })
}

/// The pod that a Deployment or a Job would make.
pub fn of_template(owner: &Value, namespace: &str) -> Value {
    let mut made = pod(namespace, text(owner, "/metadata/name"), at(owner, "/spec/template/spec"));
    made["metadata"]["labels"] = at(owner, "/spec/template/metadata/labels").clone();
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_differs_from_the_good_pod() {
        let image = format!("registry.example/a@sha256:{}", "1".repeat(64));
        let cases = bad(&image);
        assert_eq!(cases.len(), 29);
        for case in &cases {
            assert_ne!(case.spec, good(&image), "{}", case.name);
        }
    }
}
