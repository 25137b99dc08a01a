//! `cargo xtask e2e status`: the consumer's status page in a real browser, fed by the real programs on real Apache Kafka. It takes
//! the picture for the README too.

mod chromium;
mod scenes;
mod stage;

use std::path::PathBuf;

use anyhow::Result;
use testbed::apache::Distribution;

use super::bench::Bench;
use super::suite::{self, Chosen};
use crate::programs;
use crate::terminal::Step;
use stage::Stage;

/// Where the picture belongs.
const PICTURE: &str = "docs/images/status.png";

/// The flags of the suite.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    chosen: Chosen,

    /// Where the picture of the page goes, as PNG; the folder of the workspace is left out
    #[arg(long, value_name = "FILE", default_value = PICTURE)]
    picture: PathBuf,
}

/// Runs it. `false` when a scenario failed.
pub fn run(args: &Args) -> Result<bool> {
    let Some(scenarios) = args.chosen.of(scenes::SCENARIOS.iter())? else { return Ok(true) };
    // First, so that a machine without a browser, Java or Maven is told at once.
    let step = Step::begin("chromium");
    let browser = Stage::browser()?;
    step.end();
    let step = Step::begin(format!("Apache Kafka {}", Distribution::version()?));
    Distribution::get()?;
    step.end();
    let picture = programs::root().join(&args.picture);
    let mut stage = Stage::new(Bench::new(programs::build()?), browser, picture)?;
    Ok(suite::run(&scenarios, &mut stage, |_| ()))
}
