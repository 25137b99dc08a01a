//! `cargo xtask monitoring`: what is generated in `infra/monitoring`, and the checks of it.

mod dashboards;
pub(crate) mod generated;
pub(crate) mod metrics;
pub(crate) mod routes;
pub(crate) mod rules;
mod runbooks;
mod schema;
#[cfg(test)]
mod tests;
mod tools;
mod yaml;

use anyhow::Result;

use crate::manifests::Done;
use crate::programs;
use rules::Rules;

/// The flags of the task.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail when something is wrong or stale
    #[arg(long)]
    check: bool,
}

/// Writes what is generated, or checks everything. `false` when something is wrong.
pub fn run(args: &Args) -> Result<bool> {
    let root = programs::root();
    if !args.check {
        generated::write(&root)?;
        dashboards::generate()?;
        return Ok(true);
    }
    let mut done = Done::default();
    let rules = Rules::read(&root)?;
    done.of("generated equals committed", generated::check(&root)?);
    done.of("labels and annotations of the alerts", rules.check());
    done.of("what the tests of the rules cover", rules.check_tests(&root)?);
    done.of("runbooks", runbooks::check(&root, &rules)?);
    done.of("promtool: rules and their tests", tools::promtool(&root)?);
    done.of("amtool: the plain routes", tools::amtool(&root)?);
    done.of("the schema of AlertmanagerConfig, child routes too", schema::check(&root)?);
    done.of("metrics in rules and dashboards", metrics::check(&root, &rules)?);
    done.of("dashboards", dashboards::check()?);
    Ok(done.well)
}
