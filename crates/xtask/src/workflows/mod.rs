//! `cargo xtask workflows`: the workflows of `.github`, against the commands that they run and against what the project demands of
//! them; and what `SECURITY.md` says of them, which is generated.

mod file;
mod lines;
mod readers;
mod rules;
mod tools;
mod updates;

use anyhow::Result;

use crate::programs;
use file::Workflow;

/// What is wrong: where, what, and what to do.
type Problems = Vec<String>;

/// The flags of the task.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail when something is wrong or stale
    #[arg(long)]
    check: bool,
}

/// Writes what is generated, and checks the rest. `false` when something is wrong.
pub fn run(args: &Args) -> Result<bool> {
    let root = programs::root().canonicalize()?;
    if !args.check {
        readers::write(&root)?;
    }
    let workflows = Workflow::all(&root)?;
    let lines: usize = workflows.iter().map(|workflow| workflow.lines().count()).sum();
    let mut good = true;
    let mut done = |what: &str, problems: Problems| {
        println!("{what}: {}", if problems.is_empty() { "ok" } else { "NOT WELL" });
        problems.iter().for_each(|problem| eprintln!("  {problem}"));
        good &= problems.is_empty();
    };
    done(&format!("{lines} commands, by their own parsers"), lines::check(&workflows));
    done("permissions, pins, caches", rules::check(&workflows));
    done("dependabot.yml, against the files that it updates", updates::check(&root)?);
    done("SECURITY.md and docs/supply-chain.md", readers::check(&root)?);
    let tools = tools::Tools::install(&root)?;
    done("the checkers, on a workflow that is wrong", tools.proof()?);
    done("actionlint", tools.actionlint(&root)?);
    done("zizmor", tools.zizmor(&root)?);
    Ok(good)
}
