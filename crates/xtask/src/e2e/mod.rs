//! `cargo xtask e2e`: the real programs on real Apache Kafka; its subcommands: in containers, on Kubernetes, seen by monitoring.

mod access;
pub mod activities;
mod adhoc;
mod audit;
mod bench;
mod broker_faults;
mod check;
mod cluster;
mod collector;
mod credentials;
mod damage;
mod delivery;
mod ends;
mod ends_away;
mod faults;
mod final_words;
mod groups;
pub mod images;
mod leaving;
mod memory;
mod monitoring;
mod namespaces;
mod oauth;
mod pipes;
mod positions;
mod readiness;
mod refusals;
mod replaced;
mod replaced_producer;
mod round_trip;
mod sasl;
mod security;
mod signals;
mod status;
mod suite;
mod telemetry;
mod tls;
mod token_server;
mod topics;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Subcommand, ValueEnum};
use common::args::sandbox::Sandbox;
use common::config::units;
use testbed::apache::Distribution;
use testbed::process::set_everywhere;

use crate::programs;
use crate::terminal::Step;
use bench::Bench;
use suite::Chosen;

/// The flags of the suite, or another suite.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    other: Option<Other>,

    #[command(flatten)]
    chosen: Chosen,

    /// How long `--only memory-soak` lasts
    #[arg(long, value_name = "TIME", value_parser = units::positive_duration, default_value = "10m")]
    soak: Duration,

    /// How far the programs confine themselves, as their own flag says it [default: not at all]
    #[arg(long, value_name = "MODE", value_enum, global = true)]
    sandbox: Option<Sandbox>,
}

#[derive(Subcommand)]
enum Other {
    /// The suite on the Kubernetes cluster that KUBECONFIG names: the images and manifests as users apply them
    Cluster(cluster::Args),
    /// Logs and traces through a real Collector into a real log database and a real trace store; builds them from Go modules
    Collector(collector::Args),
    /// Faults of brokers, network, programs and disks under load: nothing is lost, and all comes back; writes docs/reliability.md
    Faults(faults::Args),
    /// The suite of the images of both programs: what is in them, and that they run confined as in the manifests
    Images(images::Args),
    /// Each way to log in, each refusal with its one cause, and secrets that are seen nowhere; writes docs/reliability.md
    Security(security::Args),
    /// The suite of traces, exemplars and pushed metrics, with Debian's Prometheus and Pushgateway
    Telemetry(telemetry::Args),
    /// The suite of monitoring: alerts of real brokers and programs, through a real Prometheus and Alertmanager to a Slack
    Monitoring(monitoring::Args),
    /// The consumer's status page in headless Chromium, and its picture for the README; needs Java 17, Maven and chromium
    Status(status::Args),
    /// A rolling upgrade: two members of the build before, replaced by two of this one under load
    Upgrade(UpgradeArgs),
}

/// The flags of the upgrade.
#[derive(clap::Args)]
struct UpgradeArgs {
    /// The consumer of the build before
    #[arg(long, value_name = "PROGRAM")]
    previous: PathBuf,
}

/// The programs' variable for their confinement.
const SANDBOX: &str = "KAFKA_CLIENT_SANDBOX";

type Scenario = suite::Scenario<Bench>;

/// All of them. Those that share a cluster stand together.
const SCENARIOS: [&[Scenario]; 26] = [
    &namespaces::SCENARIOS,
    &delivery::SCENARIOS,
    &topics::SCENARIOS,
    &positions::SCENARIOS,
    &adhoc::SCENARIOS,
    &groups::SCENARIOS,
    &ends::SCENARIOS,
    &leaving::SCENARIOS,
    &replaced::SCENARIOS,
    &damage::SCENARIOS,
    &signals::SCENARIOS,
    &memory::SCENARIOS,
    &pipes::SCENARIOS,
    &broker_faults::SCENARIOS,
    &replaced_producer::SCENARIOS,
    &audit::SCENARIOS,
    &round_trip::SCENARIOS,
    &final_words::SCENARIOS,
    &ends_away::SCENARIOS,
    &readiness::SCENARIOS,
    &refusals::SCENARIOS,
    &sasl::SCENARIOS,
    &check::SCENARIOS,
    &oauth::SCENARIOS,
    &tls::SCENARIOS,
    &credentials::SCENARIOS,
];

/// Replaces members of the build before, and says what was seen.
fn upgrade(args: &UpgradeArgs) -> Result<bool> {
    ensure!(args.previous.is_file(), "--previous {}: there is no such program", args.previous.display());
    let mut bench = Bench::new(programs::build()?);
    println!("{}", leaving::replace(&mut bench, "upgrade", &args.previous)?);
    Ok(true)
}

/// Runs them. `false` when one failed.
pub fn run(args: &Args) -> Result<bool> {
    if let Some(mode) = args.sandbox.and_then(|mode| mode.to_possible_value()) {
        println!("all programs run with {SANDBOX}={}", mode.get_name());
        set_everywhere(SANDBOX, mode.get_name())?;
    }
    match &args.other {
        Some(Other::Faults(args)) => return faults::run(args),
        Some(Other::Images(args)) => return images::run(args),
        Some(Other::Cluster(args)) => return cluster::run(args),
        Some(Other::Collector(args)) => return collector::run(args),
        Some(Other::Security(args)) => return security::run(args),
        Some(Other::Telemetry(args)) => return telemetry::run(args),
        Some(Other::Monitoring(args)) => return monitoring::run(args),
        Some(Other::Status(args)) => return status::run(args),
        Some(Other::Upgrade(args)) => return upgrade(args),
        None => {}
    }
    let all = SCENARIOS.into_iter().flatten();
    let Some(scenarios) = args.chosen.of_all(all, memory::ON_REQUEST.iter())? else { return Ok(true) };
    // First, so that a machine without Java or Maven is told at once.
    let step = Step::begin(format!("Apache Kafka {}", Distribution::version()?));
    Distribution::get()?;
    step.end();
    let mut bench = Bench::new(programs::build()?);
    bench.soak = args.soak;
    // A failed scenario may have left a broker stopped, or worse.
    Ok(suite::run(&scenarios, &mut bench, Bench::forget_clusters))
}
