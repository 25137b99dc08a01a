//! The SBOMs of the latest release: what became known since then is looked up in them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::images::PROGRAMS;
use crate::manifests::tools::output;

/// Fetches them.
pub fn run(out: &Path) -> Result<bool> {
    if out.exists() {
        fs::remove_dir_all(out)?;
    }
    fs::create_dir_all(out)?;
    let mut download = Command::new("gh");
    // Without a tag: of the latest.
    download.args(["release", "download", "--pattern", "*.cdx.json", "--dir"]).arg(out);
    output(&mut download).context("the latest release's SBOMs can't be had")?;
    let found = complete(out)?;
    println!("{}: {found} SBOMs", out.display());
    Ok(true)
}

/// How many there are; each program has one at least.
fn complete(out: &Path) -> Result<usize> {
    let names: Vec<String> = fs::read_dir(out)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<_>>()?;
    for program in PROGRAMS {
        let start = format!("kafka-{program}.");
        ensure!(
            names.iter().any(|name| name.starts_with(&start)),
            "the release has no SBOM of kafka-{program}: {names:?}"
        );
    }
    Ok(names.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_without_the_sbom_of_a_program_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("kafka-producer.amd64.cdx.json"), "{}").unwrap();
        assert!(complete(folder.path()).unwrap_err().to_string().contains("no SBOM of kafka-consumer"));
        fs::write(folder.path().join("kafka-consumer.amd64.cdx.json"), "{}").unwrap();
        assert_eq!(complete(folder.path()).unwrap(), 2);
    }
}
