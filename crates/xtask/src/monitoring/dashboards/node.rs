//! The JavaScript of the dashboards, run in a copy below the target folder: packages are installed beside it there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::folder;
use crate::manifests::set::Problems;
use crate::manifests::tools::{once, output, said};
use crate::programs;

/// The queries that the documentation and the dashboard of logs share.
const LOG_QUERIES: &str = "infra/logging/queries/queries.yaml";

/// Where it runs.
pub struct Node {
    folder: PathBuf,
}

/// The folder of what this task installs and makes.
pub fn target() -> Result<PathBuf> {
    Ok(programs::target()?.join("monitoring"))
}

impl Node {
    /// Installs the packages that the lock file pins and makes Grafana's schemas, once; copies the source each time.
    pub fn install() -> Result<Self> {
        let node = Self { folder: target()?.join("dashboards") };
        let lock = fs::read_to_string(folder().join("package-lock.json"))?;
        let maker = fs::read_to_string(folder().join("source/schemas.js"))?;
        once(&node.folder, &format!("{lock}{maker}"), |run| {
            for name in [".npmrc", "package.json", "package-lock.json"] {
                fs::copy(folder().join(name), run.join(name))?;
            }
            let npm = ["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"];
            output(Command::new("npm").args(npm).current_dir(run))?;
            node.copy_source()?;
            node.run("schemas.js", &[Path::new("schemas")]).map(drop)
        })?;
        node.copy_source()?;
        Ok(node)
    }

    /// Makes the dashboards in a folder of the target folder, and returns it.
    pub fn generate(&self) -> Result<PathBuf> {
        let made = self.folder.join("made");
        if made.exists() {
            fs::remove_dir_all(&made)?;
        }
        let log_queries = std::path::absolute(programs::root().join(LOG_QUERIES))?;
        self.run("main.js", &[&made, &log_queries])?;
        Ok(made)
    }

    /// What Grafana's schemas and its grammar of LogQL refuse of the dashboards in a folder.
    pub fn check(&self, dashboards: &Path) -> Result<Problems> {
        said(&mut self.command("check.js", &[Path::new("schemas"), &std::path::absolute(dashboards)?]))
    }

    fn run(&self, script: &str, args: &[&Path]) -> Result<String> {
        output(&mut self.command(script, args))
    }

    fn command(&self, script: &str, args: &[&Path]) -> Command {
        let mut command = Command::new("node");
        command.arg(Path::new("source").join(script)).args(args).current_dir(&self.folder);
        command
    }

    fn copy_source(&self) -> Result<()> {
        let copy = self.folder.join("source");
        if copy.exists() {
            fs::remove_dir_all(&copy)?;
        }
        fs::create_dir_all(&copy)?;
        for entry in fs::read_dir(folder().join("source"))? {
            let entry = entry?;
            fs::copy(entry.path(), copy.join(entry.file_name()))?;
        }
        Ok(())
    }
}
