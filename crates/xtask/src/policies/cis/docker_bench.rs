//! docker-bench on both programs as compose runs them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::super::compose::Compose;
use crate::manifests::Done;
use crate::manifests::tools::output;
use crate::programs;

const SCRIPT: &str = "infra/policies/cis/docker-bench.sh";

/// The flags of the task.
#[derive(clap::Args)]
pub struct Args {
    /// The sources of docker-bench-security [default: fetched from GitHub, by commit]
    #[arg(long, value_name = "FOLDER")]
    sources: Option<PathBuf>,
}

/// Runs it on what compose starts. `false` when something is not as it was reviewed.
pub fn run(args: &Args) -> Result<bool> {
    let compose = Compose::up()?;
    // The other one ends by itself, so it gets enough to do.
    compose.endless_producer()?;
    let file = programs::target()?.join("docker-bench.json");
    let mut bench = Command::new(programs::root().join(SCRIPT));
    bench.arg(&file);
    if let Some(sources) = &args.sources {
        bench.env("DOCKER_BENCH", std::path::absolute(sources)?);
    }
    output(&mut bench)?;
    let mut done = Done::default();
    super::judge(&file.display().to_string(), &fs::read_to_string(&file)?, &mut done)?;
    compose.down()?;
    Ok(done.well)
}
