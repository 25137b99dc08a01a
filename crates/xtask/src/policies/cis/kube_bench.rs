//! kube-bench in a cluster: its Job is applied, its results are held against the baseline, and it is taken away.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use serde_json::Value;

use super::baseline::Baseline;
use super::results::Tool;
use crate::manifests::Done;
use crate::manifests::set::{Problems, Set, list_at, text};
use crate::manifests::tools::output;
use crate::programs;

/// Its objects.
const FOLDER: &str = "infra/policies/cis/kube-bench";
const NAMESPACE: &str = "kube-bench";
const JOB: &str = "job/kube-bench";
/// How long it may take, with its image to be pulled.
const WAIT: &str = "--timeout=300s";

/// Runs it in the cluster that KUBECONFIG names. `false` when something is not as it was reviewed.
pub fn run() -> Result<bool> {
    let folder = programs::root().join(FOLDER);
    let apply = |verb: &[&str]| output(Command::new("kubectl").args(verb).arg(&folder));
    apply(&["apply", "--filename"])?;
    let ran = results();
    apply(&["delete", "--ignore-not-found", "--filename"])?;
    let written = ran?;
    let file = programs::target()?.join("kube-bench.log");
    fs::write(&file, &written)?;
    let mut done = Done::default();
    super::judge(&file.display().to_string(), &written, &mut done)?;
    Ok(done.well)
}

/// What its pod wrote.
fn results() -> Result<String> {
    let kubectl = |args: &[&str]| output(Command::new("kubectl").args(["--namespace", NAMESPACE]).args(args));
    let waited = kubectl(&["wait", "--for=condition=complete", JOB, WAIT]);
    let written = kubectl(&["logs", JOB, "--tail=-1"]);
    if let Err(error) = waited {
        bail!("{error:#}\n{}", written.unwrap_or_default());
    }
    written
}

/// Whether the Job runs the benchmark that the baseline is of, and all sections that it lists.
pub fn agrees(root: &Path, baselines: &[Baseline]) -> Result<Problems> {
    let set = Set::load(root)?;
    let job = set.find("Job", NAMESPACE, NAMESPACE);
    let (Some(job), Some(baseline)) = (job, baselines.iter().find(|baseline| baseline.tool == Tool::KubeBench)) else {
        return Ok(vec![format!("{FOLDER} has no Job, or there is no baseline")]);
    };
    let Some(pod) = job.pod() else { return Ok(vec![job.problem("no pod")]) };
    let container = pod.containers().next().unwrap_or(&Value::Null);
    let command = list_at(container, "/command").chain(list_at(container, "/args"));
    let command: Vec<&str> = command.filter_map(Value::as_str).collect();
    let mut problems = Problems::new();
    let version = format!("--benchmark={}", baseline.version);
    for wanted in ["--json", version.as_str(), "--targets=master,etcd,controlplane,node"] {
        if !command.contains(&wanted) {
            problems.push(job.problem(format!("its command has no {wanted}: {command:?}")));
        }
    }
    if !text(container, "/image").starts_with("docker.io/aquasec/kube-bench:v0.15.") {
        problems.push(job.problem("the baseline was reviewed with kube-bench 0.15"));
    }
    Ok(problems)
}
