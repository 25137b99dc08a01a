//! The project's YAML as it is applied: the files themselves, or copies in which images are replaced.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use super::kubectl::{Kubectl, text};
use super::names::PROGRAMS_FOLDER;
use crate::manifests::set;
use crate::programs;

/// An image by another name: `apache/kafka=registry.example/kafka:4.3.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The name in the manifests, without tag and digest.
    name: String,
    /// What stands there instead, whole.
    by: String,
}

impl FromStr for Replacement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, by)) if !name.is_empty() && !by.is_empty() => {
                Ok(Self { name: name.to_owned(), by: by.to_owned() })
            }
            _ => Err("expected NAME=REFERENCE, such as apache/kafka=registry.example/kafka:4.3.1".to_owned()),
        }
    }
}

/// Folders of `infra/`.
pub struct Manifests {
    root: PathBuf,
    /// Holds the copies, if they are some.
    _copies: Option<TempDir>,
}

impl Manifests {
    /// The project's own files, unless images are to be replaced.
    pub fn new(replacements: &[Replacement]) -> Result<Self> {
        let root = programs::root().join("infra").canonicalize().context("the project has no folder infra")?;
        if replacements.is_empty() {
            return Ok(Self { root, _copies: None });
        }
        let copies = TempDir::new()?;
        copy(&root, copies.path(), |text| with_images(text, replacements))?;
        Ok(Self { root: copies.path().to_owned(), _copies: Some(copies) })
    }

    /// A folder or file, as kubectl takes it.
    pub fn path(&self, inside: &str) -> String {
        self.root.join(inside).display().to_string()
    }

    /// The one object of a kind among the programs' manifests.
    pub fn object(&self, kubectl: &Kubectl, kind: &str) -> Result<Value> {
        let path = self.path(PROGRAMS_FOLDER);
        let said = kubectl.run(&["create", "--dry-run=client", "-o", "json", "-f", &path])?;
        let mut objects = Vec::new();
        for object in serde_json::Deserializer::from_str(&said).into_iter::<Value>() {
            let object = object?;
            // Several objects come one after another, or in a List.
            match object.get("items").and_then(Value::as_array) {
                Some(items) => objects.extend(items.clone()),
                None => objects.push(object),
            }
        }
        let mut of_kind = objects.into_iter().filter(|object| text(object, "/kind") == kind);
        match (of_kind.next(), of_kind.next()) {
            (Some(object), None) => Ok(object),
            _ => bail!("{path} has not exactly one {kind}"),
        }
    }

    /// Copies a folder, each file changed by `change`.
    pub fn copy(&self, inside: &str, into: &Path, change: impl Fn(&str) -> String) -> Result<()> {
        copy(&self.root.join(inside), into, change)
    }
}

fn copy(folder: &Path, into: &Path, change: impl Fn(&str) -> String) -> Result<()> {
    let mut files = Vec::new();
    set::files(folder, &mut files)?;
    for file in files {
        let copy = into.join(file.strip_prefix(folder)?);
        fs::create_dir_all(copy.parent().context("a file has a folder")?)?;
        fs::write(copy, change(&fs::read_to_string(&file)?))?;
    }
    Ok(())
}

/// The text with each `image:` of a replaced name changed, and nothing else.
fn with_images(text: &str, replacements: &[Replacement]) -> String {
    let line = |line: &str| {
        let (before, reference) = line.split_once("image: ")?;
        let reference = reference.split_whitespace().next()?.trim_matches(['"', '\'']);
        let by = &replacements.iter().find(|replacement| replacement.name == image_name(reference))?.by;
        before.trim_start().trim_start_matches("- ").is_empty().then(|| format!("{before}image: {by}\n"))
    };
    text.lines().map(|text| line(text).unwrap_or_else(|| format!("{text}\n"))).collect()
}

/// Without digest and tag; a colon before the last slash is a port.
fn image_name(reference: &str) -> &str {
    let name = reference.split('@').next().unwrap_or(reference);
    match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_image_is_replaced() {
        let replacements = ["apache/kafka=other:1".parse().unwrap(), "localhost:5000/a=b".parse().unwrap()];
        let text = "  - image: apache/kafka:4.3.1@sha256:12 # why\n    image: 'localhost:5000/a'\n# image: apache/kafka\nimage: apache/kafka-native:4\n";
        let expected = "  - image: other:1\n    image: b\n# image: apache/kafka\nimage: apache/kafka-native:4\n";
        assert_eq!(with_images(text, &replacements), expected);
    }
}
