//! The SBOMs of a release: one for each platform of each program, named after both. Written, and looked up.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::images::PROGRAMS;
use crate::published::{PLATFORMS, Place};
use crate::supply_chain;

/// Writes them.
pub fn run(place: &Place, out: &Path) -> Result<bool> {
    fs::create_dir_all(out)?;
    for program in PROGRAMS {
        let index = place.digest(program, None)?;
        for platform in PLATFORMS {
            let folder = tempfile::tempdir()?;
            let bill = supply_chain::released(&place.pinned(program, Some(platform))?, &index, folder.path())?;
            let file = out.join(format!("kafka-{program}.{platform}.cdx.json"));
            fs::copy(bill, &file)?;
            println!("wrote {}", file.display());
        }
    }
    Ok(true)
}

/// Looks all of a folder up in a scanner's database. `false` when one has something high that has a fix.
pub fn scan(folder: &Path) -> Result<bool> {
    let mut good = true;
    for file in of(folder)? {
        match supply_chain::scanned(&file) {
            Ok(said) => println!("{}: {said}", file.display()),
            Err(error) => {
                eprintln!("{}: {error:#}", file.display());
                good = false;
            }
        }
    }
    Ok(good)
}

/// The SBOMs in a folder: of each program and platform one.
fn of(folder: &Path) -> Result<Vec<PathBuf>> {
    ensure!(folder.is_dir(), "there is no folder {}", folder.display());
    let all = PROGRAMS.iter().flat_map(|program| PLATFORMS.map(|platform| (program, platform)));
    all.map(|(program, platform)| {
        let file = folder.join(format!("kafka-{program}.{platform}.cdx.json"));
        file.is_file()
            .then_some(file)
            .with_context(|| format!("{} has no SBOM of kafka-{program} for {platform}", folder.display()))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_sbom_is_told_before_anything_is_scanned() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["producer.amd64", "producer.arm64", "consumer.amd64"] {
            fs::write(folder.path().join(format!("kafka-{name}.cdx.json")), "{}").unwrap();
        }
        assert!(of(folder.path()).unwrap_err().to_string().ends_with("has no SBOM of kafka-consumer for arm64"));
        fs::write(folder.path().join("kafka-consumer.arm64.cdx.json"), "{}").unwrap();
        assert_eq!(of(folder.path()).unwrap().len(), 4);
        of(Path::new("/nowhere")).unwrap_err();
    }
}
