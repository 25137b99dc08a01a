//! Deployments made from the project's own: another name, group and topic beside it, and what a scenario changes.

use anyhow::{Context, Result};
use serde_json::Value;

use super::bench::{Bench, LONG, PROGRAMS};
use super::jobs::set_variables;
use super::kubectl::Kubectl;

/// On the pods of all copies, and on no other.
const LABEL: &str = "kafka-clients-e2e";

/// A Deployment of one pod. Dropped, it is deleted.
pub struct Copy {
    kubectl: Kubectl,
    name: String,
    object: Value,
}

impl Copy {
    /// Makes the object, which is not in the cluster yet. Its group has the topic's name.
    pub fn new(bench: &Bench, name: &str, topic: &str) -> Result<Self> {
        let mut object = bench.deployment();
        set_variables(&mut object, &[("KAFKA_TOPIC", topic), ("KAFKA_CONSUMER_GROUP", topic)])?;
        let mut set = |pointer: &str, value: Value| -> Result<()> {
            *object.pointer_mut(pointer).with_context(|| format!("the Deployment has no {pointer}"))? = value;
            Ok(())
        };
        set("/metadata/name", name.into())?;
        set("/spec/replicas", 1.into())?;
        // Another name, so that neither Service nor budget nor the project's Deployment takes them for its own.
        set("/spec/selector/matchLabels/app.kubernetes.io~1name", name.into())?;
        set("/spec/template/metadata/labels/app.kubernetes.io~1name", name.into())?;
        set("/spec/minReadySeconds", 0.into())?;
        object["spec"]["template"]["metadata"]["labels"][LABEL] = topic.into();
        Ok(Self { kubectl: bench.kubectl.clone(), name: name.to_owned(), object })
    }

    /// The selector of the pods of all copies with this topic.
    pub fn selector(topic: &str) -> String {
        format!("{LABEL}={topic}")
    }

    /// Sets variables, in place of what it has by these names.
    pub fn variables(&mut self, variables: &[(&str, &str)]) -> Result<()> {
        set_variables(&mut self.object, variables)
    }

    /// Sets limit and request of its memory.
    pub fn memory(&mut self, amount: &str) -> Result<()> {
        let resources = self.object.pointer_mut("/spec/template/spec/containers/0/resources");
        let resources = resources.context("the container has no resources")?;
        resources["limits"]["memory"] = amount.into();
        resources["requests"]["memory"] = amount.into();
        Ok(())
    }

    /// Puts it into the cluster, or changes what is there.
    pub fn apply(&self) -> Result<()> {
        self.kubectl.send(&["apply", "--warnings-as-errors", "-f", "-"], &self.object).map(drop)
    }

    /// Waits until its pod is ready, and none of an earlier version is left to be.
    pub fn ready(&self) -> Result<()> {
        self.kubectl.rolled_out(PROGRAMS, &format!("deployment/{}", self.name), LONG)
    }

    /// Sets how many pods it has.
    pub fn replicas(&mut self, count: u64) -> Result<()> {
        self.object["spec"]["replicas"] = count.into();
        self.apply()
    }

    /// Its pods that are not on their way out.
    pub fn running(&self) -> Result<Vec<Value>> {
        let mut pods = self.pods()?;
        pods.retain(|pod| pod.pointer("/metadata/deletionTimestamp").is_none());
        Ok(pods)
    }

    /// Its pods.
    pub fn pods(&self) -> Result<Vec<Value>> {
        let selector = format!("app.kubernetes.io/name={}", self.name);
        self.kubectl.items(&["get", "pods", "-n", PROGRAMS, "-l", &selector])
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let what = ["delete", "deployment", "-n", PROGRAMS, &self.name, "--ignore-not-found", "--wait=false"];
        let _ = self.kubectl.outcome(&what);
    }
}
