//! The crates that are linked into the programs, as Cargo names them: neither those that only build something, nor parts of
//! macros, nor optional ones that no feature enables.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::expression::choose;
use super::text::recognise;
use super::{Part, Problems};
use crate::manifests::tools::output;

/// What the images are made for.
pub const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/// Crates that come without a licence's text, and a crate of the same authors and repository that has it.
const TEXT_OF: [(&str, &str); 1] = [("rdkafka-sys", "rdkafka")];

/// A crate.
#[derive(Clone, Debug)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The licence that its manifest names.
    pub licence: String,
    /// The folder of its sources.
    pub folder: PathBuf,
    /// Whether it is linked into a program; the others are only built for one.
    pub linked: bool,
    /// Whether it brings or finds code of another language: a library that it links, or a C compiler among what it is built by.
    pub foreign: bool,
}

/// All that the lock file names for the images' targets, without the workspace's own.
///
/// # Errors
/// When Cargo cannot say.
pub fn crates(root: &Path) -> Result<Vec<Crate>> {
    let linked = tree(root)?;
    let mut ask = cargo(root, "metadata");
    ask.args(["--format-version=1", "--locked"]);
    for target in TARGETS {
        ask.args(["--filter-platform", target]);
    }
    let metadata: Value = serde_json::from_str(&output(&mut ask)?)?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let (mut found, mut missing) = (Vec::new(), linked.clone());
    for package in packages.iter().filter(|package| !package["source"].is_null()) {
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let (name, version) = (text("name"), text("version"));
        let manifest = PathBuf::from(text("manifest_path"));
        let compiles = package["dependencies"].as_array().into_iter().flatten().any(|dependency| {
            dependency["kind"] == "build" && ["cc", "cmake"].iter().any(|tool| dependency["name"] == *tool)
        });
        let key = format!("{name} v{version}");
        missing.remove(&key);
        found.push(Crate {
            linked: linked.contains(&key),
            foreign: compiles || !package["links"].is_null(),
            licence: text("license"),
            folder: manifest.parent().context("a manifest without a folder")?.to_owned(),
            name,
            version,
        });
    }
    ensure!(missing.is_empty(), "cargo tree names crates that cargo metadata does not know: {missing:?}");
    Ok(found)
}

/// The name and version of each crate that is linked.
fn tree(root: &Path) -> Result<BTreeSet<String>> {
    let mut ask = cargo(root, "tree");
    ask.args(["--locked", "--edges=normal,no-proc-macro", "--prefix=none", "--format={p}"]);
    ask.args(["--package=kafka-producer", "--package=kafka-consumer"]);
    for target in TARGETS {
        ask.args(["--target", target]);
    }
    let said = output(&mut ask)?;
    // `name v1.2.3`, and for the workspace's own `name v1.2.3 (/folder)`; a crate that was named before is followed by `(*)`.
    let lines = said.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.is_empty());
    let linked: BTreeSet<String> = lines.filter(|line| !line.contains('(')).map(str::to_owned).collect();
    ensure!(!linked.is_empty(), "cargo tree names no crate");
    Ok(linked)
}

fn cargo(root: &Path, subcommand: &str) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg(subcommand).current_dir(root);
    command
}

/// The linked crates with their texts.
pub fn parts(crates: &[Crate], apache: &str, parts: &mut Vec<Part>, problems: &mut Problems) {
    for one in crates.iter().filter(|one| one.linked) {
        let of = |name: &str| crates.iter().find(|other| other.name == name);
        let other = TEXT_OF.iter().find(|(name, _)| *name == one.name).and_then(|(_, other)| of(other));
        match part(one, other, apache) {
            Ok(part) => parts.push(part),
            Err(error) => problems.push(format!("{} {}: {error:#}", one.name, one.version)),
        }
    }
}

fn part(one: &Crate, other: Option<&Crate>, apache: &str) -> Result<Part> {
    let (mut texts, notices) = files(&one.folder)?;
    if let Some(other) = other {
        ensure!(texts.is_empty(), "has a licence text by now: take it out of TEXT_OF");
        ensure!(other.licence == one.licence, "{} is under {} and not {}", other.name, other.licence, one.licence);
        texts = files(&other.folder)?.0;
    }
    let mut used = Vec::new();
    for licence in choose(&one.licence)? {
        let text = match texts.get(licence) {
            // All of its copies say the same; what differs is the form to fill in at its end.
            _ if licence == "Apache-2.0" => apache.to_owned(),
            Some(text) => text.clone(),
            None => anyhow::bail!("{} has no text of {licence}, found: {:?}", one.folder.display(), texts.keys()),
        };
        used.push((licence, text));
    }
    let (name, version, declared) = (one.name.clone(), one.version.clone(), one.licence.clone());
    Ok(Part { name, version, declared, used, notices })
}

/// The licence texts in a folder, by what they are, and its notices. A text of two files, such as one and the same licence of two
/// authors, has both.
fn files(folder: &Path) -> Result<(BTreeMap<&'static str, String>, Vec<String>)> {
    let (mut texts, mut notices) = (BTreeMap::<_, String>::new(), Vec::new());
    let mut paths: Vec<_> = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    paths.sort_by_key(fs::DirEntry::file_name);
    for entry in paths.iter().filter(|entry| entry.path().is_file()) {
        let name = entry.file_name().to_string_lossy().to_uppercase();
        let named = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
        if named(&["NOTICE"]) {
            notices.push(fs::read_to_string(entry.path())?);
        } else if named(&["LICENSE", "LICENCE", "COPYING", "COPYRIGHT"]) {
            let text = fs::read_to_string(entry.path())?;
            let Some(licence) = recognise(&text) else { continue };
            let there = texts.entry(licence).or_default();
            if !there.is_empty() {
                there.push_str("\n\n");
            }
            there.push_str(text.trim_end());
        }
    }
    Ok((texts, notices))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs;

    const MIT: &str = "MIT\nPermission is hereby granted, free of charge, to any person obtaining a copy of it";

    fn made(licence: &str, files: &[(&str, &str)]) -> (tempfile::TempDir, Crate) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let (name, version) = ("a".to_owned(), "1.0.0".to_owned());
        let (path, licence) = (folder.path().to_owned(), licence.to_owned());
        (folder, Crate { name, version, licence, folder: path, linked: true, foreign: false })
    }

    #[test]
    fn the_text_is_found_by_what_it_says_and_notices_go_along() {
        let (_folder, one) = made("MIT", &[("COPYING.txt", MIT), ("NOTICE", "of somebody"), ("README", "no")]);
        let part = part(&one, None, "apache").unwrap();
        assert_eq!(part.used, [("MIT", MIT.to_owned())]);
        assert_eq!(part.notices, ["of somebody"]);
    }

    #[test]
    fn a_missing_text_is_an_error_and_one_that_came_back_too() {
        let (_folder, without) = made("MIT", &[("LICENSE", "see elsewhere")]);
        assert!(part(&without, None, "apache").unwrap_err().to_string().contains("no text of MIT"));
        let (_with, with) = made("MIT", &[("LICENSE", MIT)]);
        assert_eq!(part(&without, Some(&with), "apache").unwrap().used[0].1, MIT);
        assert!(part(&with, Some(&with), "apache").unwrap_err().to_string().contains("TEXT_OF"));
        let (_other, other) = made("ISC", &[("LICENSE", MIT)]);
        assert!(part(&without, Some(&other), "apache").unwrap_err().to_string().contains("and not MIT"));
    }

    #[test]
    fn what_only_builds_is_not_linked() {
        let crates = crates(&programs::root()).unwrap();
        let linked = |name: &str| crates.iter().any(|one| one.name == name && one.linked);
        for name in ["rdkafka", "rdkafka-sys", "tokio", "openssl-sys", "libz-sys"] {
            assert!(linked(name), "{name}");
        }
        // A build tool, a macro's part, and dependencies that only an optional feature would link.
        for name in ["cc", "syn", "openssl-src", "cookie_store", "tempfile"] {
            assert!(!linked(name), "{name}");
        }
    }
}
