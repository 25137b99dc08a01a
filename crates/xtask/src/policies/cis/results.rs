//! What docker-bench and kube-bench write: both end with 0 whatever they find, and also when they find nothing to look at.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::manifests::set::{list_at, text};

/// The tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// docker-bench-security.
    DockerBench,
    /// kube-bench.
    KubeBench,
}

/// The results of one run.
#[derive(Debug, PartialEq, Eq)]
pub struct Results {
    /// Whose.
    pub tool: Tool,
    /// Of docker-bench its own version, of kube-bench the benchmark's.
    pub version: String,
    /// The checks in their order: number, result, what it found.
    pub checks: Vec<(String, String, String)>,
    /// How many checks the tool says it has counted.
    pub counted: u64,
}

impl Results {
    /// Reads what one of them wrote. kube-bench's stands in the log of its pod, after lines that are no JSON.
    pub fn read(written: &str) -> Result<Self> {
        let json = |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
        let value = json(written).or_else(|| written.lines().filter(|line| line.starts_with('{')).find_map(json));
        let value = value.context("no JSON object: the tool has written no results")?;
        if value.get("dockerbenchsecurity").is_some() {
            docker(&value)
        } else if value.get("Controls").is_some() {
            kube(&value)
        } else {
            bail!("neither `dockerbenchsecurity` nor `Controls`: results of neither tool")
        }
    }
}

fn docker(value: &Value) -> Result<Results> {
    let results = list_at(value, "/tests").flat_map(|test| list_at(test, "/results"));
    let checks = results.map(|check| check_of(check, "/id", "/result", "/details")).collect::<Result<_>>()?;
    let counted = value["checks"].as_u64().context("docker-bench's `checks` is no number: it has not ended")?;
    Ok(Results { tool: Tool::DockerBench, version: text(value, "/dockerbenchsecurity").to_owned(), checks, counted })
}

fn kube(value: &Value) -> Result<Results> {
    let mut versions: Vec<&str> = list_at(value, "/Controls").map(|controls| text(controls, "/version")).collect();
    versions.dedup();
    ensure!(versions.len() <= 1, "kube-bench's controls are of several benchmarks: {versions:?}");
    let groups = list_at(value, "/Controls").flat_map(|controls| list_at(controls, "/tests"));
    let results = groups.flat_map(|group| list_at(group, "/results"));
    let checks = results.map(|check| check_of(check, "/test_number", "/status", "/actual_value"));
    let checks = checks.collect::<Result<_>>()?;
    let totals = ["total_pass", "total_fail", "total_warn", "total_info"];
    let totals = totals.map(|total| value.pointer(&format!("/Totals/{total}")).and_then(Value::as_u64));
    let counted = totals.into_iter().sum::<Option<u64>>().context("kube-bench's `Totals` are not all there")?;
    let version = versions.first().copied().unwrap_or_default().to_owned();
    Ok(Results { tool: Tool::KubeBench, version, checks, counted })
}

fn check_of(check: &Value, number: &str, result: &str, found: &str) -> Result<(String, String, String)> {
    let (number, result) = (text(check, number), text(check, result));
    ensure!(!number.is_empty() && !result.is_empty(), "a check without its number or result: {check}");
    Ok((number.to_owned(), result.to_owned(), text(check, found).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_a_file_or_in_a_log() {
        let kube = r#"{"Controls":[{"version":"cis-1.12","tests":[{"results":[{"test_number":"1.1.1","status":"PASS","actual_value":"x\n"}]}]}],"Totals":{"total_pass":1,"total_fail":0,"total_warn":0,"total_info":0}}"#;
        let log = format!("Warning: Kubernetes version was not auto-detected\nW0101 util.go:1] {{no}}\n{kube}\n");
        let read = Results::read(&log).unwrap();
        assert_eq!((read.tool, read.version.as_str(), read.counted), (Tool::KubeBench, "cis-1.12", 1));
        assert_eq!(read.checks, [("1.1.1".to_owned(), "PASS".to_owned(), "x".to_owned())]);
        assert_eq!(Results::read(kube).unwrap(), read);
    }

    #[test]
    fn what_is_no_result_is_an_error() {
        for written in [
            "",
            "Error connecting to docker daemon (does docker ps work?)",
            "[]",
            "{}",
            r#"{"dockerbenchsecurity":"1.6.0","tests":[]}"#,
            r#"{"dockerbenchsecurity":"1.6.0","tests":[{"results":[{"id":"4.1"}]}],"checks":1}"#,
            r#"{"Controls":[]}"#,
            r#"{"Controls":[{"version":"cis-1.12"},{"version":"cis-1.6"}],"Totals":{"total_pass":0,"total_fail":0,"total_warn":0,"total_info":0}}"#,
        ] {
            Results::read(written).unwrap_err();
        }
    }
}
