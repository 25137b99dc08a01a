//! The policies of `infra/policies/admission` in the cluster, for an image of the suite's own in place of the programs'.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::super::kubectl::{Kubectl, Seen, number, text, until};
use crate::published::policies::{Policy, filled};

/// How long the API server may take until a policy holds everywhere.
const IN_FORCE: Duration = Duration::from_secs(60);
/// Says that a policy is the suite's, so that one that a killed run has left may be replaced.
const OURS: &str = "kafka-clients-e2e";

/// What was applied. Dropped, it is taken away.
pub struct Applied {
    kubectl: Kubectl,
    objects: Vec<Value>,
}

impl Applied {
    /// Applies them for images of this repository.
    pub fn new(kubectl: &Kubectl, repository: &str) -> Result<Self> {
        let mut applied = Self { kubectl: kubectl.clone(), objects: Vec::new() };
        for policy in filled("admission", "registry.example/kafka-", "owner/name")? {
            applied.apply(allowing(&policy, repository)?)?;
        }
        Ok(applied)
    }

    /// Applies one more.
    pub fn apply(&mut self, mut object: Value) -> Result<()> {
        let (kind, name) = (text(&object, "/kind").to_owned(), text(&object, "/metadata/name").to_owned());
        let said = self.kubectl.run(&["get", &kind, &name, "--ignore-not-found", "--output=json"])?;
        let there: Value = if said.is_empty() { Value::Null } else { serde_json::from_str(&said)? };
        let ours = !text(&there, &format!("/metadata/annotations/{OURS}")).is_empty();
        ensure!(there.is_null() || ours, "the {kind} {name} exists: this scenario would change and then delete it");
        object["metadata"]["annotations"] = json!({OURS: "policies"});
        self.kubectl.send(&["apply", "--warnings-as-errors", "-f", "-"], &object)?;
        self.objects.push(object);
        Ok(())
    }

    /// Takes the last one away again.
    pub fn withdraw(&mut self) -> Result<()> {
        let Some(object) = self.objects.pop() else { return Ok(()) };
        let [kind, name] = ["/kind", "/metadata/name"].map(|field| text(&object, field));
        self.kubectl.run(&["delete", "--ignore-not-found", kind, name]).map(drop)
    }

    /// What the API server found wrong with the expressions of a policy, once it has looked.
    pub fn warnings(&self, name: &str) -> Result<Vec<Value>> {
        let get = ["get", "validatingadmissionpolicy", name];
        until(IN_FORCE, &format!("status.typeChecking of {name}"), || {
            let policy = self.kubectl.json(&get)?;
            let looked = number(&policy, "/status/observedGeneration") == number(&policy, "/metadata/generation");
            let checked = policy.pointer("/status/typeChecking");
            let warnings = checked.and_then(|checked| checked.get("expressionWarnings")).and_then(Value::as_array);
            Ok(match checked {
                Some(_) if looked => Seen::Yes(warnings.cloned().unwrap_or_default()),
                _ => Seen::NotYet(policy["status"].to_string()),
            })
        })
    }

    /// The names of the policies themselves.
    pub fn policies(&self) -> impl Iterator<Item = &str> {
        let policies = self.objects.iter().filter(|object| text(object, "/kind") == "ValidatingAdmissionPolicy");
        policies.map(|policy| text(policy, "/metadata/name"))
    }

    /// Which of them are still there.
    pub fn left(&self) -> Result<Vec<String>> {
        let mut left = Vec::new();
        for object in &self.objects {
            let [kind, name] = ["/kind", "/metadata/name"].map(|field| text(object, field));
            left.push(self.kubectl.run(&["get", kind, name, "--ignore-not-found", "--output=name"])?);
        }
        left.retain(|name| !name.trim().is_empty());
        Ok(left)
    }

    /// Waits until a request is answered as the policies want it, several times in a row: there may be several API servers.
    pub fn settled(&self, what: &str, mut look: impl FnMut() -> Result<bool>) -> Result<()> {
        let mut in_a_row = 0;
        until(IN_FORCE, what, || {
            in_a_row = if look()? { in_a_row + 1 } else { 0 };
            Ok(Seen::when(in_a_row >= 3, "the contrary"))
        })
    }
}

impl Drop for Applied {
    fn drop(&mut self) {
        for object in self.objects.iter().rev() {
            let [kind, name] = ["/kind", "/metadata/name"].map(|field| text(object, field));
            let _ = self.kubectl.outcome(&["delete", kind, name, "--ignore-not-found"]);
        }
    }
}

/// A policy as it is written, but for the names of the images. A binding is as it is.
pub fn allowing(policy: &Policy, repository: &str) -> Result<Value> {
    let mut object = policy.value()?;
    if text(&object, "/kind") == "ValidatingAdmissionPolicy" {
        let variables = object.pointer_mut("/spec/variables").and_then(Value::as_array_mut);
        let mut variables = variables.into_iter().flatten();
        let names = variables.find(|variable| text(variable, "/name") == "repositories");
        names.context("a policy without the variable repositories")?["expression"] = format!("['{repository}']").into();
    }
    Ok(object)
}
