//! The rules for Falco, without a Falco: what they say and repeat, compiled by an older engine, held against traces of an ordinary run
//! and of what they are about. `live` runs Falco itself.

mod agreement;
mod alerts;
mod condition;
mod event;
mod live;
mod ordinary;
mod provoked;
mod rules;
mod strace;
mod sysdig;
mod tokens;
mod trace;

use std::collections::BTreeSet;
use std::path::Path;

pub use live::run as live;

use anyhow::{Result, ensure};

use crate::manifests::Done;
use crate::manifests::set::{Problems, Set};
use crate::programs;
use ordinary::Run;
use rules::Rules;
use sysdig::Sysdig;
use trace::CALLS;

/// Checks them, each step told.
pub fn check(root: &Path, done: &mut Done) -> Result<()> {
    let rules = Rules::load(root)?;
    done.of("falco: what each rule is about", whole(&rules));
    done.of(
        "falco: ports, programs and files, against manifests and images",
        agreement::check(root, &Set::load(root)?, &rules)?,
    );
    let sysdig = Sysdig::find()?;
    done.of("falco: the compiler, on conditions that are wrong", sysdig.proof()?);
    done.of("falco: conditions and outputs, compiled", [sysdig.check(&rules)?, sysdig::stale(&rules)].concat());
    done.of("falco: the lines above each rule", provoked::lines(&rules)?);
    done.of("falco: the commands above each rule, traced", provoked::commands(&rules)?);
    let programs = programs::build()?;
    let runs = ordinary::runs(&programs)?;
    let calls: usize = runs.iter().map(|run| run.events.len()).sum();
    done.of(&format!("falco: an ordinary run of both programs, {calls} calls"), unexpected(&rules, &runs)?);
    Ok(())
}

/// Rules about other containers, and calls that no trace has.
fn whole(rules: &Rules) -> Problems {
    let mut problems = Problems::new();
    for rule in &rules.rules {
        if !rule.is_about_ours {
            problems.push(format!("rule {:?}: kafka_client has to hold for all of it", rule.name));
        }
        let calls: BTreeSet<&str> = rule.condition.values("evt.type");
        let unseen = calls.iter().filter(|call| !CALLS.contains(call));
        problems.extend(unseen.map(|call| format!("rule {:?}: {call} is not among the CALLS of trace.rs", rule.name)));
    }
    problems
}

/// What a rule would tell of an ordinary run.
fn unexpected(rules: &Rules, runs: &[Run]) -> Result<Problems> {
    let mut problems = Problems::new();
    for run in runs {
        ensure!(!run.events.is_empty(), "the trace of {} is empty", run.name);
        for event in &run.events {
            for rule in provoked::matching(rules, event, run.repository)? {
                problems.push(format!("rule {rule:?} matches {}: {}", run.name, event.line));
            }
        }
    }
    Ok(problems)
}
