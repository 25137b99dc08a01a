//! `cargo xtask bench`: what the two programs cost, measured against librdkafka alone and against what somebody would use
//! instead, on a real Apache Kafka, in one run. Writes `docs/benchmarks.md` and its charts.

mod charts;
mod invocation;
mod machine;
mod measure;
mod page;
mod results;
mod rivals;
mod sections;
mod setting;

use anyhow::{Result, ensure};

use crate::programs;
use crate::terminal::Step;
use results::Section;
use rivals::Rivals;
use setting::Setting;

/// Rounds of a full run: the median of five.
const ROUNDS: usize = 5;
/// A quick run does less of everything: enough to see that it works, not to quote numbers.
const QUICK_ROUNDS: usize = 1;
const QUICK_SHRINK: u64 = 10;
/// Above this load before the start, somebody else's work would be measured too.
const QUIET: f64 = 0.5;

/// The flags of the benchmark.
#[derive(clap::Args)]
pub struct Args {
    /// One round with a tenth of the messages; writes no page
    #[arg(long)]
    quick: bool,

    /// Only these tables; the page keeps the others as they were measured before
    #[arg(long, value_name = "TABLE,..", value_delimiter = ',')]
    only: Vec<String>,

    /// Rounds behind each median, instead of 5
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,

    /// Names of the tables
    #[arg(long)]
    list: bool,

    /// Measure nothing and write the page from what was measured before
    #[arg(long)]
    page: bool,
}

/// Runs it. `false` when a bar is not met.
pub fn run(args: &Args) -> Result<bool> {
    let names: Vec<&str> = sections::ALL.iter().map(|(name, _)| *name).collect();
    if args.list {
        println!("{}", names.join("\n"));
        return Ok(true);
    }
    for name in &args.only {
        ensure!(names.contains(&name.as_str()), "no table {name}; there are {}", names.join(", "));
    }
    if !args.page {
        measure(args)?;
    }
    if args.quick {
        return Ok(true);
    }
    page::write(&kept(false)?)
}

fn measure(args: &Args) -> Result<()> {
    let programs = programs::build()?;
    let rivals = Rivals::install();
    let versions = rivals.versions();
    let load = measure::load();
    if load > QUIET {
        eprintln!("the machine is not quiet: its load is {load}, numbers to quote need less than {QUIET}");
    }
    let (rounds, shrink) = if args.quick { (QUICK_ROUNDS, QUICK_SHRINK) } else { (ROUNDS, 1) };
    let rounds = args.rounds.unwrap_or(rounds).max(1);
    let step = Step::begin("starting Apache Kafka");
    let setting = Setting::start(programs, rivals, rounds, shrink)?;
    step.end();
    machine::describe(&setting, versions)?.save(&folder(args.quick))?;
    for (name, measure) in sections::ALL {
        let (name, measure) = (*name, *measure);
        if !args.only.is_empty() && !args.only.iter().any(|only| only == name) {
            continue;
        }
        let step = Step::begin(name);
        let load = measure::load();
        let mut section = measure(&setting)?;
        (section.load, section.ended) = (load, machine::now());
        // A table may have had fewer.
        if section.rounds == 0 {
            section.rounds = rounds;
        }
        step.end();
        println!("{}", page::table_for_terminal(&section));
        section.save(&folder(args.quick))?;
    }
    Ok(())
}

/// A quick run's results are kept apart, so that no page is made of them.
fn folder(quick: bool) -> std::path::PathBuf {
    rivals::folder().join(if quick { "quick" } else { "results" })
}

/// All that was measured, in the order of the page.
fn kept(quick: bool) -> Result<Vec<Section>> {
    let names = [machine::ID].into_iter().chain(sections::ALL.iter().map(|(name, _)| *name));
    let sections: Result<Vec<Option<Section>>> = names.map(|name| Section::load(&folder(quick), name)).collect();
    Ok(sections?.into_iter().flatten().collect())
}
