//! `cargo xtask monitoring`: what is generated in `infra/monitoring`, and the checks of it.

mod dashboards;
mod debian;

use anyhow::Result;

/// The flags of the task.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail when something is wrong or stale
    #[arg(long)]
    check: bool,
}

/// Writes what is generated, or checks everything. `false` when something is wrong.
pub fn run(args: &Args) -> Result<bool> {
    if !args.check {
        dashboards::generate()?;
        return Ok(true);
    }
    let problems = dashboards::check()?;
    for problem in &problems {
        eprintln!("  {problem}");
    }
    let verdict = if problems.is_empty() { "ok".to_owned() } else { format!("{} problems", problems.len()) };
    println!("dashboards: {verdict}");
    Ok(problems.is_empty())
}
