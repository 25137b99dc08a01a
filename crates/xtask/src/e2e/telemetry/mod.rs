//! `cargo xtask e2e telemetry`: traces, exemplars, pushed metrics, on real Kafka, with real servers of monitoring.

mod away;
mod exemplars;
mod formats;
mod gateway;
mod traces;

use anyhow::Result;
use testbed::apache::Distribution;
use testbed::otlp::Receiver;
use testbed::process::Program;

use super::Scenario;
use super::bench::Bench;
use super::suite::{self, Chosen};
use crate::programs;
use crate::terminal::Step;

/// The flags of the suite.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    chosen: Chosen,
}

const SCENARIOS: [&[Scenario]; 5] =
    [&traces::SCENARIOS, &away::SCENARIOS, &exemplars::SCENARIOS, &gateway::SCENARIOS, &formats::SCENARIOS];

/// Runs them. `false` when one failed.
pub fn run(args: &Args) -> Result<bool> {
    let Some(scenarios) = args.chosen.of(SCENARIOS.into_iter().flatten())? else { return Ok(true) };
    let step = Step::begin(format!("Apache Kafka {}", Distribution::version()?));
    Distribution::get()?;
    step.end();
    let mut bench = Bench::new(programs::build()?);
    Ok(suite::run(&scenarios, &mut bench, Bench::forget_clusters))
}

/// A program that exports its spans to `receiver` several times a second, sampled as these two variables say.
fn traced(program: Program, receiver: &Receiver, sampler: &str, ratio: &str) -> Program {
    exporting(program, &receiver.endpoint())
        .envs([("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", ratio)])
}

/// A program that exports all its spans to this address.
fn exporting(program: Program, endpoint: &str) -> Program {
    program.envs([("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_BSP_SCHEDULE_DELAY", "200")])
}
