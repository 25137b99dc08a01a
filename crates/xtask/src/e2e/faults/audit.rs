//! The audit of a run by the consumer's own subcommand: the judge of what is lost, repeated, reordered or damaged.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::bench::Bench;

/// What it may take, for some hundred thousand records.
const LIMIT: Duration = Duration::from_secs(90);

/// How an audit ended.
pub struct Verdict {
    /// Its exit code.
    pub code: i32,
    /// Its verdict, a JSON object on stdout.
    pub json: Value,
    /// The same as text, with its log.
    pub text: String,
}

/// Audits a run against these reports.
pub fn audit(bench: &Bench, servers: &str, topic: &str, run: &str, reports: &[&str]) -> Result<Verdict> {
    audit_of(bench, servers, topic, run, reports, None)
}

/// The same of a run that should have had so many messages, where the reports do not say how many.
pub fn audit_of(
    bench: &Bench,
    servers: &str,
    topic: &str,
    run: &str,
    reports: &[&str],
    expected: Option<u64>,
) -> Result<Verdict> {
    let folder = tempfile::tempdir()?;
    let mut program = bench.auditor(servers, topic, run).args(["--timeout", "60s"]);
    for (number, report) in reports.iter().enumerate() {
        let path = folder.path().join(format!("report-{number}.json"));
        fs::write(&path, report)?;
        program = program.arg("--report").arg(&path);
    }
    if let Some(expected) = expected {
        program = program.args(["--expect", &expected.to_string()]);
    }
    let outcome = program.run(LIMIT)?;
    let code = outcome.code().with_context(|| format!("the audit was ended by a signal\n{outcome}"))?;
    let json = serde_json::from_str(&outcome.stdout).unwrap_or_default();
    Ok(Verdict { code, json, text: format!("{} {}", outcome.stdout.trim(), outcome.stderr.trim()) })
}
