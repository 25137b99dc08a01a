//! `cargo xtask e2e cluster`: the images and manifests on the Kubernetes cluster that KUBECONFIG names, as users apply them.

mod audit;
mod bench;
mod broker;
mod changes;
mod copies;
mod disruption;
mod forward;
mod install;
mod jobs;
mod kubectl;
mod leftovers;
mod limits;
mod logs;
mod manifests;
mod memory;
mod monitoring;
mod names;
mod neighbour;
mod network;
mod node;
mod obstacles;
mod policies;
mod probes;
mod rollout;
mod schemas;
mod seccomp;
mod toolbox;
mod verdicts;
mod volume;
mod waiting;

use anyhow::Result;

use super::suite::{self, Chosen};
use bench::Bench;
use manifests::Replacement;

/// The flags of the suite on Kubernetes.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    chosen: Chosen,

    /// Another context of the kubeconfig than the current one
    #[arg(long, value_name = "NAME")]
    context: Option<String>,

    /// Use the namespaces kafka and kafka-clients although they exist; they are deleted at the end
    #[arg(long)]
    reuse: bool,

    /// Leave everything in the cluster at the end
    #[arg(long)]
    keep: bool,

    /// Another image in place of one in the manifests; may be repeated
    #[arg(long = "image", value_name = "NAME=REFERENCE")]
    images: Vec<Replacement>,

    /// Image of busybox for the small pods that try the network
    #[arg(long, value_name = "REFERENCE", default_value = "busybox:1.37.0")]
    toolbox: String,

    /// The kubelet's folder on the nodes, for its seccomp profiles
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/kubelet")]
    kubelet: String,
}

type Scenario = suite::Scenario<Bench>;

/// All of them, in an order in which an early one's failure explains a later one's.
const SCENARIOS: [&[Scenario]; 16] = [
    &install::SCENARIOS,
    &network::SCENARIOS,
    &neighbour::SCENARIOS,
    &disruption::SCENARIOS,
    &rollout::SCENARIOS,
    &changes::SCENARIOS,
    &verdicts::SCENARIOS,
    &probes::SCENARIOS,
    &broker::SCENARIOS,
    &memory::SCENARIOS,
    &limits::SCENARIOS,
    &schemas::SCENARIOS,
    &policies::SCENARIOS,
    &monitoring::SCENARIOS,
    &seccomp::SCENARIOS,
    &audit::SCENARIOS,
];

/// Runs them. `false` when one failed.
pub fn run(args: &Args) -> Result<bool> {
    let Some(scenarios) = args.chosen.of(SCENARIOS.into_iter().flatten())? else { return Ok(true) };
    let mut bench = Bench::new(args)?;
    let passed = suite::run(&scenarios, &mut bench, Bench::disturbed);
    if args.keep {
        bench.keep()?
    } else {
        bench.remove()?
    }
    Ok(passed)
}
