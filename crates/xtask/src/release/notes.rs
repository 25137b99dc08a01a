//! The release's words: its tag, the programs' version and the changelog say the same.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::programs;

/// Whether they do. `false` when not.
pub fn check(tag: &str) -> Result<bool> {
    of(tag)?;
    println!("{tag} is the programs' version, and the changelog has it");
    Ok(true)
}

/// What the changelog says of a release.
///
/// # Errors
/// When it says nothing, or the tag is not the programs' version.
pub fn of(tag: &str) -> Result<String> {
    let changelog = fs::read_to_string(programs::root().join("CHANGELOG.md")).context("CHANGELOG.md can't be read")?;
    notes(&changelog, tag, env!("CARGO_PKG_VERSION"))
}

fn notes(changelog: &str, tag: &str, version: &str) -> Result<String> {
    ensure!(
        tag.strip_prefix('v') == Some(version),
        "the tag is {tag} and the programs are {version}: tag v{version}, or change the version in Cargo.toml"
    );
    let heading = format!("## [{version}]");
    let mut lines = changelog.lines().skip_while(|line| !line.starts_with(&heading));
    lines.next().with_context(|| format!("CHANGELOG.md has no section {heading}: rename [Unreleased]"))?;
    let notes: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
    let notes = notes.join("\n").trim().to_owned();
    ensure!(!notes.is_empty(), "CHANGELOG.md says nothing of {version}");
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_of_the_version_is_taken() {
        let changelog = "# Changelog\n\n## [2.0.0] - 2026-12-01\n\n- b\n\n## [1.0.0]\n\n- a\n";
        assert_eq!(notes(changelog, "v2.0.0", "2.0.0").unwrap(), "- b");
        assert_eq!(notes(changelog, "v1.0.0", "1.0.0").unwrap(), "- a");
        let told = |tag: &str, version: &str| notes(changelog, tag, version).unwrap_err().to_string();
        assert!(told("v1.0.1", "1.0.0").contains("tag v1.0.0"));
        assert!(told("v3.0.0", "3.0.0").contains("no section ## [3.0.0]"));
    }
}
