//! `cargo xtask e2e monitoring`: the committed rules and routes with real servers: three brokers with the JMX exporter, Prometheus,
//! Alertmanager, a Pushgateway, the programs, and a Slack of the suite's own.

mod broker;
mod jmx;
mod programs;
mod queries;
mod shorter;
mod slack;
mod stage;

use anyhow::Result;
use testbed::apache::Distribution;

use super::suite::{self, Chosen};
use crate::terminal::Step;
use stage::Stage;

/// The flags of the suite.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    chosen: Chosen,
}

type Scenario = suite::Scenario<Stage>;

/// In this order: the stalled consumer stalls while the broker dies, and the queries come when all has work.
const SCENARIOS: [&[Scenario]; 4] = [&jmx::SCENARIOS, &broker::SCENARIOS, &programs::SCENARIOS, &queries::SCENARIOS];

/// Runs them. `false` when one failed.
pub fn run(args: &Args) -> Result<bool> {
    let Some(scenarios) = args.chosen.of(SCENARIOS.into_iter().flatten())? else { return Ok(true) };
    let step = Step::begin(format!("Apache Kafka {}", Distribution::version()?));
    Distribution::get()?;
    step.end();
    let built = crate::programs::build()?;
    let step = Step::begin("three brokers, Prometheus, Alertmanager, Pushgateway, programs");
    let mut stage = Stage::start(built)?;
    step.end();
    Ok(suite::run(&scenarios, &mut stage, |_| {}))
}
