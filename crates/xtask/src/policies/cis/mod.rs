//! The CIS benchmarks: what docker-bench and kube-bench find, held against what somebody has reviewed.

mod baseline;
mod docker_bench;
mod gate;
mod kube_bench;
mod results;
#[cfg(test)]
mod tests;

pub use docker_bench::{Args as DockerBench, run as docker_bench};
pub use kube_bench::run as kube_bench;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::manifests::Done;
use crate::programs;
use baseline::Baseline;
use results::Results;

/// The flags of the gate.
#[derive(clap::Args)]
pub struct Args {
    /// Results of docker-bench (JSON) or kube-bench (JSON, or the log of its pod)
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// Holds files with results against the baselines. `false` when one differs.
pub fn run(args: &Args) -> Result<bool> {
    let mut done = Done::default();
    for file in &args.files {
        let written = fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
        judge(&file.display().to_string(), &written, &mut done)?;
    }
    Ok(done.well)
}

/// The baselines can be read, and kube-bench's Job runs what they are about.
pub fn check(root: &Path, done: &mut Done) -> Result<()> {
    done.of("cis: the baselines, and kube-bench's Job", kube_bench::agrees(root, &Baseline::all(root)?)?);
    Ok(())
}

/// Results against the baseline of their tool.
fn judge(name: &str, written: &str, done: &mut Done) -> Result<()> {
    let results = Results::read(written).with_context(|| name.to_owned())?;
    let baselines = Baseline::all(&programs::root())?;
    let baseline = baselines.iter().find(|baseline| baseline.tool == results.tool).context("no baseline")?;
    done.of(&format!("{name}: {}", gate::summary(&results)), gate::check(&results, baseline));
    Ok(())
}
