//! `cargo xtask e2e faults`: faults of brokers, network, programs and disks under load, and proof that nothing is lost.

mod act;
mod audit;
mod bench;
mod brokers;
mod come_and_go;
mod cut;
mod disk;
mod feeder;
mod judge;
mod load;
mod logged;
mod member;
mod members;
mod namespace;
mod page;
mod password;
mod planted;
mod random;
mod replaced;
mod row;
mod rows;
mod run;
mod samples;
mod scene;
mod seen;
mod signals;
mod streams;
mod watched;

use std::time::Duration;

use anyhow::{Result, ensure};
use testbed::apache::Distribution;

use crate::programs;
use crate::terminal::{Step, Style, paint};
use bench::{Bench, Kind};
use row::Row;
use rows::ROWS;
use seen::Seen;

/// The flags of the suite.
#[derive(clap::Args)]
pub struct Args {
    /// Run this row only; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,

    /// Name the rows and run none
    #[arg(long)]
    list: bool,

    /// A few rows that find most, with memory looked at 15 s after each fault
    #[arg(long)]
    short: bool,

    /// When memory is looked at, in seconds after each fault [default: 60]
    #[arg(long, value_name = "SECONDS")]
    settle: Option<u64>,

    /// Decides when in the load a fault begins, and which faults the random row has; printed, so that a run can be repeated
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,

    /// Write the rows that ran into docs/reliability.md, beside those that are there; a run of all rows does
    #[arg(long)]
    table: bool,

    /// Cut connections by the suite's own proxies although this machine has a packet filter
    #[arg(long)]
    proxy: bool,
}

/// Runs the rows and writes the table. `false` when one failed.
pub fn run(args: &Args) -> Result<bool> {
    if args.list {
        for row in ROWS {
            let short = if row.short { "short" } else { "" };
            println!("{:<22} {short:<6} {}", row.name, row.what);
        }
        return Ok(true);
    }
    for name in &args.only {
        ensure!(ROWS.iter().any(|row| row.name == name), "there is no row {name:?}; --list names them");
    }
    let chosen = |row: &&Row| {
        if args.only.is_empty() { row.short || !args.short } else { args.only.contains(&row.name.to_owned()) }
    };
    let rows: Vec<&Row> = ROWS.iter().filter(chosen).collect();
    let step = Step::begin(format!("Apache Kafka {}", Distribution::version()?));
    Distribution::get()?;
    step.end();
    let programs = programs::build()?;
    // Nothing is fetched from here on.
    namespace::enter()?;
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("seed {seed}");
    let settle = Duration::from_secs(args.settle.unwrap_or(if args.short { 15 } else { 60 }));
    let mut all = Vec::new();
    for kind in [Kind::Open, Kind::Login] {
        let of_kind: Vec<&Row> = rows.iter().copied().filter(|row| row.kind == kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let step = Step::begin("starting three brokers");
        let mut bench = Bench::start(&programs, kind, args.proxy, settle)?;
        step.end();
        let mut damaged = false;
        for stage in stages(&of_kind) {
            // What did not come to its end may have left a broker stopped, or worse.
            if damaged {
                bench = bench.again(&programs)?;
            }
            let seen = run::stage(&bench, &stage, seed);
            damaged = seen.iter().any(|seen| seen.unfinished);
            seen.iter().for_each(tell);
            if args.table || (args.only.is_empty() && !args.short) {
                // After each stage: what was seen is there, however the run ends.
                page::write(&seen, &page::Run { seed, settle, cutting: bench.cutting.words() })?;
            }
            all.extend(seen);
        }
    }
    let failed = all.iter().filter(|seen| !seen.problems.is_empty()).count();
    println!("{} passed, {failed} failed", all.len() - failed);
    Ok(failed == 0)
}

/// Rows that run beside each other: neighbours that leave brokers and network alone.
fn stages<'a>(rows: &[&'a Row]) -> Vec<Vec<&'a Row>> {
    let mut stages: Vec<Vec<&Row>> = Vec::new();
    for row in rows {
        match stages.last_mut() {
            Some(last) if row.stage != 0 && last[0].stage == row.stage => last.push(row),
            _ => stages.push(vec![row]),
        }
    }
    stages
}

fn tell(seen: &Seen) {
    let (style, word) = if seen.problems.is_empty() { (Style::Good, "ok  ") } else { (Style::Bad, "FAIL") };
    println!("{} {:<22} {}", paint(style, word), seen.name, seen.line());
    for problem in &seen.problems {
        println!("     {problem}");
    }
}
