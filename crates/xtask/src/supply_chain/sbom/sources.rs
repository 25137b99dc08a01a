//! The folders of the crates that bring C sources along, as Cargo has unpacked them to compile.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::manifests::tools::output;
use crate::programs;

/// Folders by the names of crates.
pub struct Sources(BTreeMap<String, PathBuf>);

impl Sources {
    /// Asks Cargo.
    pub fn find() -> Result<Self> {
        let mut metadata = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // Otherwise crates for other systems are fetched, too.
        let here = format!("{}-unknown-linux-gnu", env::consts::ARCH);
        metadata.current_dir(programs::root()).args([
            "metadata",
            "--locked",
            "--format-version=1",
            "--filter-platform",
        ]);
        let said = output(metadata.arg(here))?;
        let said: Value = serde_json::from_str(&said)?;
        let packages = said.get("packages").and_then(Value::as_array).context("cargo metadata names no packages")?;
        let folder = |package: &Value| {
            let manifest = PathBuf::from(package.get("manifest_path")?.as_str()?);
            Some((package.get("name")?.as_str()?.to_owned(), manifest.parent()?.to_owned()))
        };
        Ok(Self(packages.iter().filter_map(folder).collect()))
    }

    /// A file or folder in a crate.
    pub fn path(&self, of: &str, path: &str) -> Result<PathBuf> {
        Ok(self.0.get(of).with_context(|| format!("Cargo.lock has no {of}"))?.join(path))
    }

    /// The text of a file in a crate.
    pub fn read(&self, of: &str, path: &str) -> Result<String> {
        let path = self.path(of, path)?;
        let bytes = fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
