//! The cluster that CI tests on: infra/kind with both images, what the files of infra/ need to be taken, and Kyverno.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::manifests::schemas::definitions;
use crate::manifests::tools::{Tools, once, output};
use crate::terminal::Step;
use crate::{images, programs};

const KIND: &str = include_str!("../../tools/kind/go.sum");
/// The chart that installs Kyverno, and the version that it has to have installed.
const KYVERNO: [&str; 4] = ["--repo=https://kyverno.github.io/kyverno/", "--version=3.9.1", "v1.19.1", "kyverno"];

/// Makes it. The images have to be there, and helm, kubectl, Go and docker.
pub fn run() -> Result<bool> {
    let step = Step::begin("kind");
    let kind = kind()?;
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [kind.clone()].into_iter().chain(env::split_paths(&path));
    let mut up = Command::new(programs::root().join("infra/kind/up.sh"));
    output(up.env("ENGINE", "docker").env("PATH", env::join_paths(folders)?))?;
    step.end();

    let step = Step::begin("both images, into its registry");
    for program in images::PROGRAMS {
        output(Command::new("docker").args(["push", "--quiet", &images::image(program)]))?;
    }
    step.end();

    let step = Step::begin("Kyverno");
    let [repository, version, app, name] = KYVERNO;
    let install = ["install", name, name, repository, version, "--namespace", name, "--create-namespace"];
    output(Command::new("helm").args(install).args(["--wait", "--timeout", "10m"]))?;
    let installed = output(Command::new("helm").args(["list", "--namespace", name, "--output", "json"]))?;
    let installed: Value = serde_json::from_str(&installed)?;
    ensure!(installed[0]["app_version"] == app, "the chart has installed {installed}, not Kyverno {app}");
    step.end();

    let step = Step::begin("definitions of KEDA, Strimzi and Prometheus' operator");
    let files = definitions(&Tools::install()?)?;
    // Kyverno has brought its own.
    for file in files.iter().filter(|file| !file.to_string_lossy().contains("kyverno")) {
        let apply = ["apply", "--server-side", "--filename"];
        output(Command::new("kubectl").args(apply).arg(file))?;
    }
    step.end();
    Ok(true)
}

/// The folder of kind, built once of its Go module.
fn kind() -> Result<PathBuf> {
    let folder = programs::target()?.join("policies/kind");
    fs::create_dir_all(folder.parent().context("a folder")?)?;
    once(&folder, KIND, |folder| {
        let sources = programs::root().join("crates/xtask/tools/kind");
        let mut build = Command::new("go");
        build.current_dir(sources).args(["build", "-mod=readonly", "-trimpath", "-o"]).arg(folder.join("kind"));
        output(build.arg("sigs.k8s.io/kind")).map(drop)
    })?;
    Ok(folder)
}
