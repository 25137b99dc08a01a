//! The admission policies of `infra/policies`, with the names that a release's images and its workflow have in place of the blanks.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::identity::of_any_release;
use crate::programs;

/// The label of a namespace in which they hold.
pub const GUARDED: (&str, &str) = ("kafka-clients/guarded", "true");
/// Their folders below [`FOLDER`].
pub const FOLDERS: [&str; 2] = ["admission", "kyverno"];
/// From the root of the repository.
pub const FOLDER: &str = "infra/policies";
/// What stands in the files for the begin of the images' names. No image is called so: registries know small letters only.
pub const IMAGES: &str = "ghcr.io/OWNER/NAME/kafka-";
/// What stands there for the repository.
pub const REPOSITORY: &str = "OWNER/NAME";

/// A file of policies, as it is applied.
pub struct Policy {
    /// The file's name.
    pub file: String,
    /// What it says.
    pub text: String,
}

impl Policy {
    /// What it says, read.
    pub fn value(&self) -> Result<Value> {
        serde_saphyr::from_str(&self.text).map_err(|error| anyhow::anyhow!("{}: {error}", self.file))
    }
}

/// The files of a folder in their order, for images whose names begin so, and a repository.
///
/// # Errors
/// When a blank is left, or none is there to be filled in.
pub fn filled(folder: &str, images: &str, repository: &str) -> Result<Vec<Policy>> {
    let path = programs::root().join(FOLDER).join(folder);
    let entries = fs::read_dir(&path).with_context(|| format!("{} can't be read", path.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    let mut policies = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        policies.push(Policy { text: fill(&fs::read_to_string(file)?, images, repository), file: name });
    }
    ensure!(policies.iter().any(|policy| policy.text.contains(images)), "{FOLDER}/{folder} names no {IMAGES}*");
    for Policy { file, text } in &policies {
        let left = text.lines().find(|line| line.contains("OWNER") || line.contains(IMAGES));
        ensure!(left.is_none(), "{FOLDER}/{folder}/{file} is left with {:?}", left.unwrap_or_default().trim());
    }
    Ok(policies)
}

fn fill(text: &str, images: &str, repository: &str) -> String {
    text.replace(&of_any_release(REPOSITORY), &of_any_release(repository)).replace(IMAGES, images)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_blank_of_the_committed_files_is_filled_in() {
        let of = |folder: &str| filled(folder, "ghcr.io/o/n.m/kafka-", "O/n.m").unwrap();
        let admission = of("admission");
        assert_eq!(admission.len(), 4);
        let names = "['ghcr.io/o/n.m/kafka-producer', 'ghcr.io/o/n.m/kafka-consumer']";
        assert_eq!(admission.iter().filter(|policy| policy.text.contains(names)).count(), 2);
        let kyverno = of("kyverno");
        assert!(kyverno.iter().any(|policy| policy.text.contains("glob: ghcr.io/o/n.m/kafka-*\n")));
        let identity = of_any_release("O/n.m");
        assert!(kyverno.iter().any(|policy| policy.text.contains(&format!("subjectRegExp: {identity}\n"))));
    }

    #[test]
    fn a_blank_that_is_written_otherwise_is_left_and_seen() {
        assert!(filled("admission", IMAGES, REPOSITORY).is_err());
        assert!(fill("glob: ghcr.io/OWNER/NAME/*", "x", "a/b").contains("OWNER"));
    }
}
