//! Grype as a gate, on a database of our own or on its.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::manifests::tools::output;
use crate::supply_chain::tools::Tools;

/// The exit code of a gate that found something; 1 is an error of Grype's own.
pub const FOUND: i32 = 2;

/// A vulnerability of a product that a CPE names.
#[derive(Serialize)]
pub struct Record {
    /// As `CVE-2022-37434`.
    pub id: String,
    /// `high` or `critical`.
    pub severity: &'static str,
    /// The CPE's vendor.
    pub vendor: String,
    /// The CPE's product.
    pub product: String,
    /// The versions that have it, as `< 1.2.13`.
    pub constraint: String,
    /// The first that has not, empty if there is none.
    pub fixed: String,
}

/// Grype with a database.
pub struct Grype<'t> {
    tools: &'t Tools,
    /// Only for a database of our own.
    cache: Option<TempDir>,
}

/// How a scan ended.
pub struct Scanned {
    /// 0, or [`FOUND`].
    pub code: i32,
    /// Names of what was found.
    pub matches: Vec<String>,
    /// Names of what was found and not counted.
    pub ignored: Vec<String>,
}

impl<'t> Grype<'t> {
    /// On Grype's own database, which it downloads.
    pub fn online(tools: &'t Tools) -> Self {
        Self { tools, cache: None }
    }

    /// On a database of these records.
    pub fn on(tools: &'t Tools, records: &[Record]) -> Result<Self> {
        let folder = tempfile::tempdir_in(tools.folder())?;
        let list = folder.path().join("records.json");
        fs::write(&list, serde_json::to_vec(records)?)?;
        let database = folder.path().join("database");
        fs::create_dir(&database)?;
        output(tools.vulnerabilities()?.arg(&list).arg(&database))?;
        let grype = Self { tools, cache: Some(tempfile::tempdir_in(tools.folder())?) };
        output(grype.command()?.args(["db", "import"]).arg(database.join("vulnerability.db")))?;
        Ok(grype)
    }

    /// Scans a bill: fails the gate on what is high, has a fix if `only_fixed`, and no statement covers.
    pub fn gate(&self, bill: &Path, vex: Option<&Path>, only_fixed: bool) -> Result<Scanned> {
        self.scan(self.command()?.arg(format!("sbom:{}", bill.display())), vex, only_fixed)
    }

    /// Scans an image of a registry by what it lists itself, crates by CPE as well.
    pub fn image(&self, reference: &str, vex: Option<&Path>) -> Result<Scanned> {
        let mut scan = self.command()?;
        scan.env("GRYPE_REGISTRY_INSECURE_USE_HTTP", "true").env("GRYPE_MATCH_RUST_USING_CPES", "true");
        self.scan(scan.arg(format!("registry:{reference}")), vex, true)
    }

    fn scan(&self, scan: &mut Command, vex: Option<&Path>, only_fixed: bool) -> Result<Scanned> {
        let folder = tempfile::tempdir_in(self.tools.folder())?;
        let report: PathBuf = folder.path().join("report.json");
        scan.args(["--fail-on", "high", "--output", "json", "--file"]).arg(&report);
        if only_fixed {
            scan.arg("--only-fixed");
        }
        if let Some(vex) = vex {
            scan.arg("--vex").arg(vex);
        }
        let ended = scan.output().context("Grype can't be run")?;
        let code = ended.status.code().context("Grype was ended by a signal")?;
        ensure!(matches!(code, 0 | FOUND), "Grype: {}", String::from_utf8_lossy(&ended.stderr).trim());
        let report: Value = serde_json::from_str(&fs::read_to_string(&report).context("Grype has left no report")?)?;
        Ok(Scanned { code, matches: names(&report, "matches"), ignored: names(&report, "ignoredMatches") })
    }

    fn command(&self) -> Result<Command> {
        let mut grype = self.tools.grype()?;
        grype.env("GRYPE_CHECK_FOR_APP_UPDATE", "false");
        if let Some(cache) = &self.cache {
            grype.env("GRYPE_DB_CACHE_DIR", cache.path());
            grype.env("GRYPE_DB_AUTO_UPDATE", "false").env("GRYPE_DB_VALIDATE_AGE", "false");
        }
        Ok(grype)
    }
}

fn names(report: &Value, key: &str) -> Vec<String> {
    let found = report[key].as_array().into_iter().flatten();
    let mut names: Vec<String> =
        found.filter_map(|found| Some(found["vulnerability"]["id"].as_str()?.to_owned())).collect();
    names.sort();
    names.dedup();
    names
}
