//! `cargo xtask e2e security`: each way to log in works, each refusal has its one cause in seconds, secrets are seen nowhere.

mod addresses;
mod bench;
mod case;
mod page;
mod refusals;
mod search;
mod secrets;
mod tokens;
mod ways;
mod which;

use std::time::Instant;

use anyhow::{Result, ensure};
use testbed::apache::Distribution;

use crate::programs;
use crate::terminal::{Step, Style, paint};
use bench::Bench;
use case::{Case, Told};

/// The flags of the suite.
#[derive(clap::Args)]
pub struct Args {
    /// Run this case only; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,

    /// Name the cases and run none
    #[arg(long)]
    list: bool,

    /// The refusals and the secrets, which take less than the ways to log in and find more
    #[arg(long)]
    refusals: bool,
}

/// All cases, in the order of the table.
fn cases() -> Vec<Case> {
    [ways::cases(), tokens::cases(), refusals::cases(), addresses::cases(), secrets::cases()]
        .into_iter()
        .flatten()
        .collect()
}

/// Runs the cases and writes the table. `false` when one failed.
pub fn run(args: &Args) -> Result<bool> {
    let cases = cases();
    if args.list {
        for case in &cases {
            println!("{:<28} {}", case.name, case.what);
        }
        return Ok(true);
    }
    for name in &args.only {
        ensure!(cases.iter().any(|case| case.name == *name), "there is no case {name:?}; --list names them");
    }
    let wanted = |case: &&Case| match args.only.is_empty() {
        true => case.is_refusal || !args.refusals,
        false => args.only.contains(&case.name),
    };
    let chosen: Vec<&Case> = cases.iter().filter(wanted).collect();
    let step = Step::begin(format!("Apache Kafka {}", Distribution::version()?));
    Distribution::get()?;
    step.end();
    let programs = programs::build()?;
    let began = Instant::now();
    let step = Step::begin("starting a broker with a listener for each way to log in");
    let bench = Bench::start(programs)?;
    step.end();
    let told: Vec<Told> = chosen.into_iter().map(|case| tell(&bench, case)).collect();
    let failed = told.iter().filter(|told| told.result.is_err()).count();
    println!("{} passed, {failed} failed in {:.0} s", told.len() - failed, began.elapsed().as_secs_f64());
    if args.only.is_empty() && !args.refusals {
        page::write(&bench, &told)?;
    }
    Ok(failed == 0)
}

fn tell(bench: &Bench, case: &Case) -> Told {
    let began = Instant::now();
    let result = (case.run)(bench).map_err(|error| format!("{error:#}"));
    let seconds = began.elapsed().as_secs_f64();
    let (style, word) = if result.is_ok() { (Style::Good, "ok  ") } else { (Style::Bad, "FAIL") };
    let said = match &result {
        Ok(seen) => seen.iter().map(|seen| seen.to_string()).collect::<Vec<_>>().join("\n     "),
        Err(error) => format!("{}\n{error}", case.what),
    };
    println!("{} {:<28} {seconds:>5.1} s  {said}", paint(style, word), case.name);
    Told { name: case.name.clone(), what: case.what.clone(), result }
}
