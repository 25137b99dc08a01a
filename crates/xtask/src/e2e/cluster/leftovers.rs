//! What a run that was killed has left in the cluster: known by a note that each run keeps there, and taken away by the next.

use std::fs;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::kubectl::{Kubectl, text};
use super::names::{LONG, WORK};
use crate::terminal::Step;

/// The annotation of the suite's own namespace that says who is at work.
const NOTE: &str = "kafka-clients-e2e/run";
/// The annotation of a node that a run has cordoned.
const CORDONED: &str = "kafka-clients-e2e/cordoned";

/// Who is at work, and which namespaces go when they are done.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Note {
    host: String,
    pid: u32,
    /// When the process began, in the kernel's ticks: a number of a process is used again.
    began: u64,
    namespaces: Vec<String>,
}

/// What the note of another run means.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    /// It was killed on this machine.
    Killed,
    /// It is at work on this machine.
    AtWork,
    /// It is, or was, on another machine, of which nothing is known.
    Elsewhere,
}

impl Note {
    /// Of this process.
    pub fn of_this_run(namespaces: &[&str]) -> Result<Self> {
        let pid = std::process::id();
        let began = began(pid).context("/proc does not know this process")?;
        Ok(Self { host: host()?, pid, began, namespaces: namespaces.iter().map(|&name| name.to_owned()).collect() })
    }

    /// One more namespace goes at the end. To be written before it is made.
    pub fn add(&mut self, kubectl: &Kubectl, namespace: &str) -> Result<()> {
        self.namespaces.push(namespace.to_owned());
        self.write(kubectl)
    }

    /// Makes the namespace [`WORK`] with it, or writes it to the one that is there.
    pub fn begin(&self, kubectl: &Kubectl) -> Result<()> {
        if exists(kubectl, WORK)? {
            return self.write(kubectl);
        }
        let annotations = json!({NOTE: serde_json::to_string(self)?});
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WORK, "annotations": annotations}});
        kubectl.send(&["create", "-f", "-"], &namespace).map(drop)
    }

    fn write(&self, kubectl: &Kubectl) -> Result<()> {
        let note = format!("{NOTE}={}", serde_json::to_string(self)?);
        kubectl.run(&["annotate", "--overwrite", "namespace", WORK, &note]).map(drop)
    }

    fn meaning(&self, host: &str, began: impl FnOnce(u32) -> Option<u64>) -> Meaning {
        match began(self.pid) {
            _ if self.host != host => Meaning::Elsewhere,
            Some(began) if began == self.began => Meaning::AtWork,
            _ => Meaning::Killed,
        }
    }
}

/// Takes away what a killed run has left. `reuse` says that nobody else is at work here.
pub fn remove(kubectl: &Kubectl, reuse: bool) -> Result<()> {
    for node in kubectl.items(&["get", "nodes"])? {
        if node.pointer("/metadata/annotations").and_then(|all| all.get(CORDONED)).is_some() {
            uncordon(kubectl, text(&node, "/metadata/name"))?;
        }
    }
    let Some(note) = find(kubectl)? else { return Ok(()) };
    match note.meaning(&host()?, began) {
        Meaning::Killed => {}
        Meaning::AtWork => bail!("another run of this suite, process {}, is at work in this cluster", note.pid),
        Meaning::Elsewhere if reuse => {}
        Meaning::Elsewhere => bail!(
            "a run of this suite on {} (process {}) is at work in this cluster or was killed; if it was, --reuse removes \
             what it left",
            note.host,
            note.pid
        ),
    }
    let step = Step::begin(format!("removing what process {} on {} has left behind", note.pid, note.host));
    // The note stays until all else is gone.
    for namespace in note.namespaces.iter().map(String::as_str).chain([WORK]) {
        kubectl.delete(&["namespace", namespace], LONG).with_context(|| format!("the namespace {namespace}"))?;
    }
    step.end();
    Ok(())
}

/// Takes the note away: what is in the cluster stays there on purpose.
pub fn forget(kubectl: &Kubectl) -> Result<()> {
    kubectl.run(&["annotate", "namespace", WORK, &format!("{NOTE}-")]).map(drop)
}

fn find(kubectl: &Kubectl) -> Result<Option<Note>> {
    let said = kubectl.run(&["get", "namespace", WORK, "--ignore-not-found", "-o", "json"])?;
    if said.trim().is_empty() {
        return Ok(None);
    }
    let namespace: Value = serde_json::from_str(&said)?;
    if text(&namespace, "/status/phase") == "Terminating" {
        gone(kubectl, WORK)?;
        return Ok(None);
    }
    let note = namespace.pointer("/metadata/annotations").and_then(|all| all.get(NOTE)).and_then(Value::as_str);
    note.map(|note| serde_json::from_str(note).with_context(|| format!("the annotation {NOTE} of {WORK}: {note}")))
        .transpose()
}

/// Waits for the end of a namespace that is being deleted, and says whether one of this name is there.
pub fn exists(kubectl: &Kubectl, namespace: &str) -> Result<bool> {
    let phase = ["get", "namespace", namespace, "--ignore-not-found", "-o", "jsonpath={.status.phase}"];
    let phase = kubectl.run(&phase)?;
    if phase == "Terminating" {
        gone(kubectl, namespace)?;
        return Ok(false);
    }
    Ok(!phase.is_empty())
}

fn gone(kubectl: &Kubectl, namespace: &str) -> Result<()> {
    let step = Step::begin(format!("waiting for the end of the namespace {namespace}, which is being deleted"));
    kubectl.delete(&["namespace", namespace], LONG)?;
    step.end();
    Ok(())
}

/// Keeps new pods from a node, with a mark by which the next run knows that it was this suite.
pub fn cordon(kubectl: &Kubectl, node: &str) -> Result<()> {
    kubectl.run(&["annotate", "--overwrite", "node", node, &format!("{CORDONED}=true")])?;
    kubectl.run(&["cordon", node]).map(drop)
}

/// Takes both back.
pub fn uncordon(kubectl: &Kubectl, node: &str) -> Result<()> {
    kubectl.run(&["uncordon", node])?;
    kubectl.run(&["annotate", "node", node, &format!("{CORDONED}-")]).map(drop)
}

fn host() -> Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/hostname").context("this machine's name")?.trim().to_owned())
}

/// When a process began, if it runs.
fn began(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything. What ended and was not waited for is a Z.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (state != "Z").then(|| fields.nth(18)?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> Note {
        Note { host: "here".to_owned(), pid: 7, began: 100, namespaces: vec!["kafka".to_owned()] }
    }

    #[test]
    fn a_run_that_was_killed_is_told_from_one_at_work() {
        assert_eq!(note().meaning("here", |pid| (pid == 7).then_some(100)), Meaning::AtWork);
        assert_eq!(note().meaning("here", |_| None), Meaning::Killed);
        // Another process has its number by now.
        assert_eq!(note().meaning("here", |_| Some(101)), Meaning::Killed);
        assert_eq!(note().meaning("there", |_| None), Meaning::Elsewhere);
        assert_eq!(note().meaning("there", |_| Some(100)), Meaning::Elsewhere);
    }

    #[test]
    fn this_process_is_at_work() {
        let own = Note::of_this_run(&["kafka"]).unwrap();
        assert_eq!(own.meaning(&host().unwrap(), began), Meaning::AtWork);
        let read: Note = serde_json::from_str(&serde_json::to_string(&own).unwrap()).unwrap();
        assert_eq!(read, own);
    }

    #[test]
    fn a_process_that_has_ended_is_not_at_work() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert_eq!(began(child.id()), None);
    }
}
