//! The runbooks in `docs/operations.md`: one for each alert, and none for what is no alert.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::rules::Rules;
use crate::manifests::set::Problems;

const PAGE: &str = "docs/operations.md";
/// The part of the page that holds them.
const PART: &str = "\n## Alerts\n";
/// What each says: what it means, how to look, what to do.
const SAYS: [&str; 3] = ["**Meaning.**", "**Look.**", "**Do.**"];

/// Compares both ways.
///
/// # Errors
/// When the page can't be read.
pub fn check(root: &Path, rules: &Rules) -> Result<Problems> {
    let page = fs::read_to_string(root.join(PAGE)).with_context(|| format!("{PAGE} can't be read"))?;
    Ok(compare(&page, rules))
}

/// Compares the page's text.
pub fn compare(page: &str, rules: &Rules) -> Problems {
    let Some((_, part)) = page.split_once(PART) else { return vec![format!("{PAGE} has no part {PART:?}")] };
    let part = part.split_once("\n## ").map_or(part, |(part, _)| part);
    let runbooks: BTreeMap<_, _> =
        part.split("\n### ").skip(1).map(|text| text.split_once('\n').unwrap_or((text, ""))).collect();
    let mut problems = Problems::new();
    let alerts = rules.alerts();
    for alert in alerts.iter().filter(|alert| !runbooks.contains_key(*alert)) {
        problems.push(format!("{PAGE}: the alert {alert} has no runbook (### {alert})"));
    }
    for (name, text) in runbooks {
        if !alerts.contains(name) {
            problems.push(format!("{PAGE}: {name} is no alert"));
        }
        for word in SAYS.iter().filter(|word| !text.contains(**word)) {
            problems.push(format!("{PAGE}: the runbook of {name} lacks {word:?}"));
        }
    }
    problems
}
