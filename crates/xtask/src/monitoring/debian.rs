//! Programs of Debian packages that must not be installed, because installing them starts a daemon: unpacked instead.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::manifests::tools::output;

/// The program of this name: the one on the search path, else from `package`, unpacked below `folder` once.
///
/// # Errors
/// When the package can't be fetched or does not contain the program.
pub fn program(name: &str, package: &str, folder: &Path) -> Result<PathBuf> {
    let on_path = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    if let Some(path) = on_path {
        return Ok(path);
    }
    let unpacked = folder.join("debian").join(package);
    let program = unpacked.join("usr/bin").join(name);
    if program.is_file() {
        return Ok(program);
    }
    let archives = folder.join("debian/archives");
    fs::create_dir_all(&archives)?;
    let download = || output(Command::new("apt-get").args(["download", "-qq", package]).current_dir(&archives));
    if download().is_err() {
        // A fresh machine does not know its packages yet.
        output(Command::new("apt-get").args(["update", "-qq"]))?;
        download()?;
    }
    let start = format!("{package}_");
    let archive = fs::read_dir(&archives)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&start)))
        .with_context(|| format!("apt-get downloaded no {package}"))?;
    output(Command::new("dpkg").arg("-x").arg(archive).arg(&unpacked))?;
    anyhow::ensure!(program.is_file(), "Debian's package {package} has no {name}");
    Ok(program)
}
