//! Jobs made from the project's own: another name, other variables, and nothing else changed.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::kubectl::{Kubectl, Seen, list, number, text, until};
use super::names::PROGRAMS;
use super::obstacles::Obstacles;

/// A Job in the cluster. Dropped, it is deleted.
pub struct Job {
    kubectl: Kubectl,
    /// Its name.
    pub name: String,
    /// Its uid, which is the name of its run unless a variable says another.
    pub uid: String,
}

/// How a Job ended.
#[derive(Debug)]
pub struct Ended {
    /// Whether it is complete.
    pub complete: bool,
    /// The reason of its condition.
    pub reason: String,
    /// Its pods that have ended, in the order of their start.
    pub pods: Vec<PodEnd>,
}

/// How the container of a Job's pod ended.
#[derive(Debug)]
pub struct PodEnd {
    /// The exit code.
    pub code: u64,
    /// The termination message.
    pub message: String,
}

impl PodEnd {
    /// The termination message, which must be the report, and add up.
    pub fn report(&self) -> Result<Value> {
        let report: Value = serde_json::from_str(&self.message)
            .with_context(|| format!("the termination message is not the report: {:?}", self.message))?;
        let [requested, delivered, failed, unsent] =
            ["/requested", "/delivered", "/failed", "/unsent"].map(|name| number(&report, name));
        ensure!(requested == delivered + failed + unsent, "the report does not add up: {report}");
        ensure!(number(&report, "/exit_code") == self.code, "exit code {}, but the report is {report}", self.code);
        Ok(report)
    }
}

/// Sets variables of a pod template's only container, in place of what it had by these names.
pub fn set_variables(object: &mut Value, variables: &[(&str, &str)]) -> Result<()> {
    let env = object.pointer_mut("/spec/template/spec/containers/0/env").and_then(Value::as_array_mut);
    let env = env.context("the container has no list of variables")?;
    env.retain(|variable| variables.iter().all(|(name, _)| text(variable, "/name") != *name));
    env.extend(variables.iter().map(|(name, value)| json!({"name": name, "value": value})));
    Ok(())
}

impl Job {
    /// Creates it from the project's Job.
    pub fn create(kubectl: &Kubectl, template: &Value, name: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let mut object = template.clone();
        *object.pointer_mut("/metadata/name").context("the Job has no name")? = name.into();
        set_variables(&mut object, variables)?;
        let made = kubectl.send(&["create", "-f", "-", "-o", "json"], &object)?;
        let uid = text(&serde_json::from_str(&made)?, "/metadata/uid").to_owned();
        Ok(Self { kubectl: kubectl.clone(), name: name.to_owned(), uid })
    }

    /// Waits for its end, good or bad.
    pub fn ended(&self, timeout: Duration) -> Result<Ended> {
        ended(&self.kubectl, &self.name, timeout)
    }

    /// Waits for its end, which must be that all these messages are delivered; returns the report.
    pub fn delivered(&self, messages: u64, timeout: Duration) -> Result<Value> {
        let ended = self.ended(timeout)?;
        ensure!(ended.complete, "the Job {} failed: {ended:?}", self.name);
        let report = ended.pods.last().context("the Job has no pods")?.report()?;
        let counts = (number(&report, "/requested"), number(&report, "/delivered"));
        ensure!(counts == (messages, messages), "not {messages} delivered: {report}");
        Ok(report)
    }

    /// Its pods that have ended until now.
    pub fn pods(&self) -> Result<Vec<PodEnd>> {
        pods(&self.kubectl, &self.uid)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let _ =
            self.kubectl.outcome(&["delete", "job", "-n", PROGRAMS, &self.name, "--ignore-not-found", "--wait=false"]);
    }
}

/// Waits for the end of a Job of this name.
pub fn ended(kubectl: &Kubectl, name: &str, timeout: Duration) -> Result<Ended> {
    let mut obstacles = Obstacles::of(kubectl, PROGRAMS);
    let (complete, reason, uid) = until(timeout, &format!("the end of the Job {name}"), || {
        obstacles.look()?;
        let job = kubectl.json(&["get", "job", "-n", PROGRAMS, name])?;
        let end = list(&job, "/status/conditions").iter().find(|condition| {
            text(condition, "/status") == "True" && ["Complete", "Failed"].contains(&text(condition, "/type"))
        });
        Ok(match end {
            Some(end) => Seen::Yes((
                text(end, "/type") == "Complete",
                text(end, "/reason").to_owned(),
                text(&job, "/metadata/uid").to_owned(),
            )),
            None => Seen::NotYet(job.get("status").map(Value::to_string).unwrap_or_default()),
        })
    })?;
    Ok(Ended { complete, reason, pods: pods(kubectl, &uid)? })
}

fn pods(kubectl: &Kubectl, uid: &str) -> Result<Vec<PodEnd>> {
    let selector = format!("batch.kubernetes.io/controller-uid={uid}");
    let mut pods = kubectl.items(&["get", "pods", "-n", PROGRAMS, "-l", &selector])?;
    pods.sort_by(|one, other| text(one, "/status/startTime").cmp(text(other, "/status/startTime")));
    let end = |pod: &Value| {
        let end = pod.pointer("/status/containerStatuses/0/state/terminated")?;
        Some(PodEnd { code: number(end, "/exitCode"), message: text(end, "/message").to_owned() })
    };
    Ok(pods.iter().filter_map(end).collect())
}
