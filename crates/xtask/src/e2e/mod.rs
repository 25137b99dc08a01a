//! `cargo xtask e2e`: the real programs on real Apache Kafka, one named scenario after another.

mod bench;
mod delivery;
mod faults;
mod groups;
mod oauth;
mod pipes;
mod positions;
mod sasl;
mod signals;
mod tls;
mod token_server;
mod topics;

use std::time::Instant;

use anyhow::{Result, ensure};
use testbed::apache::Distribution;

use crate::programs;
use crate::terminal::{Step, Style, paint};
use bench::Bench;

/// The flags of the suite.
#[derive(clap::Args)]
pub struct Args {
    /// Run this scenario only; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,

    /// Name the scenarios and run none
    #[arg(long)]
    list: bool,
}

/// One thing that must hold.
struct Scenario {
    name: &'static str,
    /// What must hold, in a sentence.
    claim: &'static str,
    /// Shows it, and says what was seen.
    run: fn(&mut Bench) -> Result<String>,
}

/// All of them. Those that share a cluster stand together.
const SCENARIOS: [&[Scenario]; 10] = [
    &delivery::SCENARIOS,
    &topics::SCENARIOS,
    &positions::SCENARIOS,
    &groups::SCENARIOS,
    &signals::SCENARIOS,
    &pipes::SCENARIOS,
    &faults::SCENARIOS,
    &sasl::SCENARIOS,
    &oauth::SCENARIOS,
    &tls::SCENARIOS,
];

/// Runs them. `false` when one failed.
pub fn run(args: &Args) -> Result<bool> {
    let all = || SCENARIOS.into_iter().flatten();
    if args.list {
        for scenario in all() {
            println!("{:<24} {}", scenario.name, scenario.claim);
        }
        return Ok(true);
    }
    for name in &args.only {
        ensure!(all().any(|scenario| scenario.name == name), "there is no scenario {name:?}; --list names them");
    }
    // First, so that a machine without Java or Maven is told at once.
    let step = Step::begin(format!("Apache Kafka {}", Distribution::version()?));
    Distribution::get()?;
    step.end();
    let mut bench = Bench::new(programs::build()?);
    let (mut passed, mut failed) = (0, 0);
    for scenario in all().filter(|scenario| args.only.is_empty() || args.only.iter().any(|name| name == scenario.name))
    {
        let began = Instant::now();
        let result = (scenario.run)(&mut bench);
        let seconds = began.elapsed().as_secs_f64();
        let (style, word, said) = match result {
            Ok(seen) => {
                passed += 1;
                (Style::Good, "ok  ", seen)
            }
            Err(error) => {
                failed += 1;
                // It may have left a broker stopped, or worse.
                bench.forget_clusters();
                (Style::Bad, "FAIL", format!("{}\n{error:#}", scenario.claim))
            }
        };
        println!("{} {:<24} {seconds:>5.1} s  {said}", paint(style, word), scenario.name);
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}
