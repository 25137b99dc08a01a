//! `cargo xtask e2e collector`: the committed configurations of logs and traces in a real OpenTelemetry Collector, a real log
//! database (VictoriaLogs) and a real trace store (Jaeger), with what the real programs write and send.
//!
//! The Collector of the groups' lag is another build, of another release: no release in Go's module proxy has the parts of both.
//!
//! Loki and Tempo are not run here: their licence (AGPL) keeps them from being built. Their queries are parsed by Grafana's grammar
//! (`cargo xtask monitoring --check`), and what they are sent is what is sent here.

mod bench;
mod build;
mod lag;
mod logs;
mod node;
mod picture;
mod queries;
mod restarts;
mod servers;
mod story;
mod traces;

use anyhow::Result;

use super::suite::{self, Chosen};
use bench::Bench;

/// The flags of the suite.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    chosen: Chosen,

    /// Draw the trace of one message into docs/images/trace.png; needs Chromium
    #[arg(long)]
    picture: bool,
}

type Scenario = suite::Scenario<Bench>;

/// All of them: logs, traces, and the lag of groups.
const SCENARIOS: [&[Scenario]; 5] =
    [&logs::SCENARIOS, &queries::SCENARIOS, &restarts::SCENARIOS, &traces::SCENARIOS, &lag::SCENARIOS];

/// Runs them. `false` when one failed.
pub fn run(args: &Args) -> Result<bool> {
    let Some(scenarios) = args.chosen.of(SCENARIOS.into_iter().flatten())? else { return Ok(true) };
    let mut bench = Bench::new()?;
    let passed = suite::run(&scenarios, &mut bench, Bench::forget);
    if args.picture {
        println!("{}", picture::draw(&mut bench)?);
    }
    Ok(passed)
}
