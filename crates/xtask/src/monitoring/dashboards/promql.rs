//! PromQL, read by Prometheus' own parser, which also checks types: each query becomes a rule that `promtool` checks.

use std::fs;
use std::process::Command;

use anyhow::Result;
use serde_json::json;

use super::Query;
use super::node::target;
use crate::debian;
use crate::manifests::set::Problems;
use crate::manifests::tools::said;

/// What Prometheus can't read.
pub fn check(queries: &[Query]) -> Result<Problems> {
    let folder = target()?;
    let promtool = debian::tool("promtool")?;
    let rules: Vec<_> = queries
        .iter()
        .filter(|query| query.language == "promql")
        .enumerate()
        .map(|(number, query)| json!({"record": format!("query:{number}"), "expr": query.expr}))
        .collect();
    if rules.is_empty() {
        return Ok(vec!["the dashboards have no PromQL at all".to_owned()]);
    }
    // One file for one caller: checks may run side by side.
    let file = tempfile::Builder::new().prefix("queries-").suffix(".json").tempfile_in(&folder)?;
    fs::write(file.path(), serde_json::to_string_pretty(&json!({"groups": [{"name": "queries", "rules": rules}]}))?)?;
    let found = said(Command::new(promtool).args(["check", "rules"]).arg(file.path()))?;
    Ok(found.into_iter().filter(|line| !line.contains("Checking ")).collect())
}
