//! `cargo xtask supply-chain seccomp`: the system calls that the programs need, traced in their images through all they do, as a
//! profile for container runtimes; and whether the committed profile still has them all.

#[cfg(test)]
mod arm64;
mod needed;
mod profile;
mod strace;
mod traced;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};

use super::table::Table;
use super::tools::Tools;
use crate::e2e::activities::{self, Activity, Scene};
use crate::e2e::images::confined::Confined;
use crate::images::engine::Engine;
use crate::images::{PROGRAMS, image};
use profile::Profile;
use traced::Traced;

/// The flags of the step.
#[derive(clap::Args, Clone)]
pub struct Args {
    /// Write nothing; fail when a short trace has a call that the committed profile does not allow
    #[arg(long)]
    check: bool,

    /// Only this activity, and nothing is written; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
}

/// Traces, and writes or checks the profile. What is written is then tried: all of it once more in containers, under the profile.
pub fn run(args: &Args, engine: Option<Engine>, tools: &Tools, table: &mut Table) -> Result<()> {
    // One that can run containers, and not only build.
    let engine = Engine::find_runner(engine)?;
    let all = || activities::ALL.into_iter().flatten();
    for name in &args.only {
        ensure!(all().any(|activity| activity.name == name), "there is no activity {name:?}");
    }
    let writes = !args.check && args.only.is_empty();
    let chosen: Vec<_> = all()
        .filter(|activity| {
            if args.only.is_empty() { writes || activity.short } else { args.only.contains(&activity.name.to_owned()) }
        })
        .collect();
    let allowed = if writes { None } else { Some(Profile::committed()?) };
    let Some(traced) = table.row("unpack the images", || Ok((Traced::new(engine, tools.folder())?, String::new())))
    else {
        return Ok(());
    };
    let mut scene = Scene::new()?;
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for activity in &chosen {
        let calls =
            table.row(format!("trace {}", activity.name), || trace(activity, &mut scene, &traced, allowed.as_ref()));
        for call in calls.into_iter().flatten() {
            seen.entry(call).or_insert(activity.name);
        }
    }
    if !writes || table.has_failed() {
        return Ok(());
    }
    table.row("write the profile", || Ok(((), write(&seen)?)));
    let confined = table.row("containers", || {
        Ok((Confined::new(engine, PROGRAMS.map(image), &profile::path())?, "start under the profile".to_owned()))
    });
    let Some(confined) = confined else { return Ok(()) };
    for activity in &chosen {
        table.row(format!("confined {}", activity.name), || Ok(((), (activity.run)(&mut scene, &confined)?)));
    }
    Ok(())
}

/// One activity's calls, as a profile sees them. With a profile: fails for those that it does not allow.
fn trace(
    activity: &Activity,
    scene: &mut Scene,
    traced: &Traced,
    allowed: Option<&Profile>,
) -> Result<(BTreeSet<String>, String)> {
    let said = (activity.run)(scene, traced)?;
    let calls = needed::as_allowed(traced.calls()?);
    if let Some(profile) = allowed {
        let missing = profile.missing(&calls);
        if !missing.is_empty() {
            bail!(
                "the programs call {}, which {} does not allow: if that is meant, `cargo xtask supply-chain seccomp` writes it anew",
                missing.join(", "),
                profile::path().display()
            );
        }
    }
    let count = calls.len();
    Ok((calls, format!("{count} calls; {said}")))
}

/// Writes what was seen and what is needed beside it, and says what has changed.
fn write(seen: &BTreeMap<String, &str>) -> Result<String> {
    let mut names: BTreeSet<_> = seen.keys().cloned().collect();
    let traced = names.len();
    names.extend(needed::names());
    strace::ensure_known(&names)?;
    for name in needed::FORBIDDEN {
        let by = seen.get(name).copied().unwrap_or("the list of what is needed");
        ensure!(!names.contains(name), "{name} is called by {by}, and must never be allowed");
    }
    let before = Profile::committed().map(|profile| profile.0).unwrap_or_default();
    let new = Profile(names);
    new.write()?;
    let list = |names: Vec<&String>| names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" ");
    let added = new.0.difference(&before).collect::<Vec<_>>();
    let told = added.iter().map(|name| {
        let by = seen.get(*name).copied().or_else(|| needed::why(name)).unwrap_or("nobody");
        format!("{name} by {by}")
    });
    let told: Vec<_> = told.collect();
    Ok(format!(
        "{} calls, {traced} of them traced; new: {}; gone: {}; first seen: {}",
        new.0.len(),
        list(added),
        list(before.difference(&new.0).collect()),
        told.join(", ")
    ))
}
