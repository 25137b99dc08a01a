//! What somebody has reviewed: which checks have to pass, and which may not, with the reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::results::Tool;

/// The files, a tool each.
const FILES: [&str; 2] =
    ["infra/policies/cis/baseline-docker-bench.yaml", "infra/policies/cis/baseline-kube-bench.yaml"];

/// A file.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Whose results.
    pub tool: Tool,
    /// Of which version.
    pub version: String,
    /// The checks that have to pass.
    pass: Vec<String>,
    /// The others.
    reviewed: Vec<Reviewed>,
}

/// A check that need not pass.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Reviewed {
    checks: Vec<String>,
    results: Vec<String>,
    why: String,
}

impl Baseline {
    /// All of them.
    pub fn all(root: &Path) -> Result<Vec<Self>> {
        let load = |file: &str| {
            let text = fs::read_to_string(root.join(file)).with_context(|| format!("{file} can't be read"))?;
            Self::read(&text).with_context(|| file.to_owned())
        };
        FILES.into_iter().map(load).collect()
    }

    /// One of a text.
    pub fn read(text: &str) -> Result<Self> {
        let baseline: Self = serde_saphyr::from_str(text).map_err(|error| anyhow::anyhow!("{error}"))?;
        ensure!(!baseline.version.is_empty() && !baseline.pass.is_empty(), "no version, or nothing has to pass");
        for reviewed in &baseline.reviewed {
            let checks = &reviewed.checks;
            ensure!(
                !reviewed.why.trim().is_empty() && !reviewed.results.is_empty(),
                "{checks:?}: no results, or no reason"
            );
        }
        let listed: usize = baseline.reviewed.iter().map(|reviewed| reviewed.checks.len()).sum();
        ensure!(baseline.results().len() == listed + baseline.pass.len(), "a check is listed twice");
        Ok(baseline)
    }

    /// The results that each check may have.
    pub fn results(&self) -> BTreeMap<&str, Vec<&str>> {
        let passing = self.pass.iter().map(|check| (check.as_str(), vec!["PASS"]));
        let reviewed = self.reviewed.iter().flat_map(|reviewed| {
            let results: Vec<&str> = reviewed.results.iter().map(String::as_str).collect();
            reviewed.checks.iter().map(move |check| (check.as_str(), results.clone()))
        });
        passing.chain(reviewed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_has_one_entry_and_a_reason() {
        let text = |reviewed: &str| format!("{{tool: kube-bench, version: v, pass: [a], reviewed: [{reviewed}]}}");
        Baseline::read(&text("{checks: [b], results: [FAIL], why: x}")).unwrap();
        for wrong in [
            "{checks: [a], results: [FAIL], why: x}",
            "{checks: [b, b], results: [FAIL], why: x}",
            "{checks: [b], results: [FAIL], why: ''}",
            "{checks: [b], results: [], why: x}",
            "{checks: [b], results: [FAIL]}",
        ] {
            Baseline::read(&text(wrong)).unwrap_err();
        }
        Baseline::read("{tool: kube-bench, version: v, pass: [], reviewed: []}").unwrap_err();
    }
}
