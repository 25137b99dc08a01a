//! `cargo xtask policies`: what infra/policies says about runtime and benchmarks, checked without a cluster, and run where there is one.

mod cis;
mod cluster;
mod compose;
mod falco;

use anyhow::Result;
use clap::Subcommand;

use crate::manifests::Done;
use crate::programs;

/// What is done with them.
#[derive(Subcommand)]
pub enum Command {
    /// Check Falco's rules and the baselines without Falco or a cluster: conditions compiled by sysdig, held against traces of the
    /// programs and of what the rules are about. Needs Debian's sysdig and strace, and perl
    Check,
    /// Run Falco itself on this machine's Docker: each rule's event must alert, an ordinary run must not. Needs both images
    Falco,
    /// Hold results of docker-bench or kube-bench against the reviewed baseline
    Cis(cis::Args),
    /// Run docker-bench on both programs as infra/compose runs them, and hold its results against the baseline. Needs both images
    DockerBench(cis::DockerBench),
    /// Make the cluster of infra/kind on this machine's Docker, with both images, Kyverno, and the definitions that infra/ needs. Needs
    /// both images, Go, helm and kubectl
    Cluster,
    /// Run kube-bench in the cluster that KUBECONFIG names, and hold its results against the baseline
    KubeBench,
}

/// Runs one of them. `false` when something is wrong.
pub fn run(command: &Command) -> Result<bool> {
    match command {
        Command::Check => check(),
        Command::Falco => falco::live(),
        Command::Cis(args) => cis::run(args),
        Command::DockerBench(args) => cis::docker_bench(args),
        Command::Cluster => cluster::run(),
        Command::KubeBench => cis::kube_bench(),
    }
}

fn check() -> Result<bool> {
    let root = programs::root();
    let mut done = Done::default();
    cis::check(&root, &mut done)?;
    falco::check(&root, &mut done)?;
    Ok(done.well)
}
