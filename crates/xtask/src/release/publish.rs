//! The release on GitHub, and what a place without the internet needs to verify it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::notes;
use crate::images::PROGRAMS;
use crate::manifests::tools::output;
use crate::published::Place;

/// Fetches the keys that identities are verified with, and the attestations of both images.
pub fn bundles(place: &Place, out: &Path) -> Result<bool> {
    fs::create_dir_all(out)?;
    let root = out.join("trusted-root.json");
    output(Command::new("cosign").args(["trusted-root", "create", "--with-default-services", "--out"]).arg(&root))?;
    for program in PROGRAMS {
        let image = format!("oci://{}", place.pinned(program, None)?);
        let folder = tempfile::tempdir()?;
        let mut download = Command::new("gh");
        download.args(["attestation", "download", &image, "--repo", place.repository()?]).current_dir(folder.path());
        output(&mut download)?;
        let file = fs::read_dir(folder.path())?.next().with_context(|| format!("{image} has no attestations"))??;
        fs::copy(file.path(), out.join(format!("kafka-{program}.bundles.jsonl")))?;
    }
    println!("{}: the trusted root and the bundles of both images", out.display());
    Ok(true)
}

/// Publishes the release: the tag must be there, and every file of the folder is attached.
pub fn run(tag: &str, from: &Path) -> Result<bool> {
    let notes = notes::of(tag)?;
    let mut command = command(tag, &notes, from)?;
    println!("{}", output(&mut command)?.trim());
    Ok(true)
}

fn command(tag: &str, notes: &str, from: &Path) -> Result<Command> {
    let mut files: Vec<_> = fs::read_dir(from)
        .with_context(|| format!("{} can't be read", from.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    files.sort();
    ensure!(
        files.iter().any(|file| file.ends_with("SHA256SUMS")),
        "{} has no checksums: run cargo xtask release render",
        from.display()
    );
    let mut command = Command::new("gh");
    command.args(["release", "create", tag, "--verify-tag", "--title", tag, "--notes", notes]).args(files);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_attached_and_nothing_goes_out_without_checksums() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b.yaml"), "").unwrap();
        let told = command("v1.0.0", "notes", folder.path()).unwrap_err().to_string();
        assert!(told.contains("no checksums"), "{told}");
        fs::write(folder.path().join("SHA256SUMS"), "").unwrap();
        let command = command("v1.0.0", "notes", folder.path()).unwrap();
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        assert_eq!(words[..4], ["release", "create", "v1.0.0", "--verify-tag"]);
        assert!(words[words.len() - 2].ends_with("SHA256SUMS") && words[words.len() - 1].ends_with("b.yaml"));
    }
}
