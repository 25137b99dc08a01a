//! Prometheus' and Alertmanager's own checkers.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::rules::{FOLDER, SOURCES};
use crate::debian;
use crate::manifests::set::Problems;
use crate::manifests::tools::said;

/// Every file of rules, and the tests of each.
///
/// # Errors
/// When promtool can't be had, or does not find what is wrong.
pub fn promtool(root: &Path) -> Result<Problems> {
    let promtool = debian::tool("promtool")?;
    let command = || {
        let mut command = Command::new(&promtool);
        command.current_dir(root.join(FOLDER));
        command
    };
    let mut problems = said(command().args(["check", "rules"]).args(SOURCES.map(|source| format!("{source}.yaml"))))?;
    for source in SOURCES {
        problems.extend(said(command().args(["test", "rules"]).arg(format!("{source}.test.yaml")))?);
    }
    // A checker that takes this would take anything.
    let folder = tempfile::tempdir()?;
    let wrong = folder.path().join("wrong.yaml");
    std::fs::write(&wrong, "groups: [{name: wrong, rules: [{alert: Wrong, expr: 'sum by (up', for: 1m}]}]\n")?;
    ensure!(!said(command().args(["check", "rules"]).arg(&wrong))?.is_empty(), "promtool takes a query that is broken");
    Ok(problems)
}

/// The routes for a plain Alertmanager, and where a killed broker's alert goes.
///
/// # Errors
/// When amtool can't be had, or does not find what is wrong.
pub fn amtool(root: &Path) -> Result<Problems> {
    let amtool = debian::tool("amtool")?;
    let file = root.join("infra/monitoring/routes/alertmanager.yaml");
    let mut problems = said(Command::new(&amtool).arg("check-config").arg(&file))?;
    for (receiver, labels) in [
        ("slack", ["alertname=KafkaBrokerDown", "severity=critical"]),
        ("slack", ["alertname=MonitoringScrapeFailing", "severity=warning"]),
        ("dead-mans-switch", ["alertname=Watchdog", "severity=none"]),
        ("nobody", ["alertname=KubePodCrashLooping", "severity=warning"]),
    ] {
        let verify = format!("--verify.receivers={receiver}");
        let test = Command::new(&amtool)
            .args(["config", "routes", "test", &verify])
            .arg(format!("--config.file={}", file.display()))
            .args(labels)
            .output()?;
        if !test.status.success() {
            problems.push(format!(
                "{labels:?} does not go to {receiver}: {}",
                String::from_utf8_lossy(&test.stdout).trim()
            ));
        }
    }
    let folder = tempfile::tempdir()?;
    let wrong = folder.path().join("wrong.yaml");
    std::fs::write(&wrong, std::fs::read_to_string(&file)?.replace("group_by", "groupby"))?;
    ensure!(!said(Command::new(&amtool).arg("check-config").arg(&wrong))?.is_empty(), "amtool takes a misspelt route");
    Ok(problems)
}
