//! Results against the baseline. What is not as it was reviewed is a problem, and so is what did not run.

use std::collections::{BTreeMap, BTreeSet};

use super::baseline::Baseline;
use super::results::Results;
use crate::manifests::set::Problems;

/// Everything that differs.
pub fn check(results: &Results, baseline: &Baseline) -> Problems {
    let mut problems = Problems::new();
    if results.version != baseline.version {
        problems.push(format!("results of version {:?}, the baseline is of {:?}", results.version, baseline.version));
    }
    if results.counted != results.checks.len() as u64 {
        problems.push(format!("{} checks are listed, the tool has counted {}", results.checks.len(), results.counted));
    }
    let allowed = baseline.results();
    let mut ran = BTreeSet::new();
    for (check, result, found) in &results.checks {
        if !ran.insert(check.as_str()) {
            problems.push(format!("{check}: listed twice"));
        }
        let found = if found.is_empty() { String::new() } else { format!(" ({found})") };
        match allowed.get(check.as_str()) {
            None => problems.push(format!("{check}: {result}{found}; nobody has reviewed it: add it to the baseline")),
            Some(allowed) if allowed.contains(&result.as_str()) => {}
            Some(allowed) => problems.push(format!("{check}: {result}{found}; reviewed was {}", allowed.join(" or "))),
        }
    }
    let absent = allowed.keys().filter(|check| !ran.contains(*check));
    problems.extend(absent.map(|check| format!("{check}: did not run")));
    problems
}

/// How many checks had each result.
pub fn summary(results: &Results) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, result, _) in &results.checks {
        *counts.entry(result).or_default() += 1;
    }
    let counts = counts.into_iter().map(|(result, count)| format!("{count} {result}"));
    counts.collect::<Vec<_>>().join(", ")
}
