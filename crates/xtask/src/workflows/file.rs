//! A workflow, read.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::manifests::set::{list_at, map_at, text};

const FOLDER: &str = ".github/workflows";

/// One file.
#[derive(Clone, Debug)]
pub struct Workflow {
    /// Its path from the root.
    pub path: String,
    /// Its text, as comments are of interest.
    pub text: String,
    /// What it says.
    pub value: Value,
}

impl Workflow {
    /// All of them.
    pub fn all(root: &Path) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(root.join(FOLDER)).with_context(|| format!("{FOLDER} can't be read"))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let path = format!("{FOLDER}/{name}");
            ensure!(name.ends_with(".yml"), "{path}: workflows end with .yml here");
            found.push(Self::read(&path, fs::read_to_string(root.join(&path))?)?);
        }
        ensure!(!found.is_empty(), "{FOLDER} has no workflow");
        found.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(found)
    }

    /// One of a text.
    pub fn read(path: &str, text: String) -> Result<Self> {
        let value = serde_saphyr::from_str(&text).map_err(|error| anyhow::anyhow!("{path}: {error}"))?;
        Ok(Self { path: path.to_owned(), text, value })
    }

    /// The jobs by name.
    pub fn jobs(&self) -> impl Iterator<Item = (&str, &Value)> {
        map_at(&self.value, "/jobs").iter().map(|(name, job)| (name.as_str(), job))
    }

    /// The commands, each with its job.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.jobs().flat_map(|(name, job)| {
            list_at(job, "/steps").filter(|step| step.get("run").is_some()).map(move |step| (name, text(step, "/run")))
        })
    }
}
