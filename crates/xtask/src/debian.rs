//! Servers from Debian's packages, unpacked into the target folder: installed, they would start as daemons.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};

use crate::programs;

/// The programs that can be had, and the package that holds each.
const PACKAGES: [(&str, &str); 5] = [
    ("prometheus", "prometheus"),
    ("promtool", "prometheus"),
    ("prometheus-alertmanager", "prometheus-alertmanager"),
    ("amtool", "prometheus-alertmanager"),
    ("prometheus-pushgateway", "prometheus-pushgateway"),
];

/// Where a program is. One on `PATH` is taken as it is; otherwise its package is downloaded by `apt-get`, which checks the
/// signature, and unpacked once.
pub fn tool(program: &str) -> Result<PathBuf> {
    if let Some(path) = on_path(program) {
        return Ok(path);
    }
    let Some((_, package)) = PACKAGES.iter().find(|(name, _)| *name == program) else {
        bail!("{program} is not on PATH, and no package is known that holds it");
    };
    let folder = programs::target()?.join("debian").join(package);
    let path = folder.join("usr/bin").join(program);
    if !path.is_file() {
        unpack(package, &folder)
            .with_context(|| format!("{program} is not on PATH; unpacking Debian's package {package} failed"))?;
    }
    ensure!(path.is_file(), "Debian's package {package} does not hold {}", path.display());
    Ok(path)
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn unpack(package: &str, folder: &Path) -> Result<()> {
    let partial = tempfile::tempdir_in(parent(folder)?)?;
    if download(package, partial.path()).is_err() {
        // A new machine has no lists of packages yet.
        run(Command::new("apt-get").args(["update", "-qq"]))?;
        download(package, partial.path())?;
    }
    let archive = fs::read_dir(partial.path())?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get download left no package behind")?;
    let files = partial.path().join("files");
    run(Command::new("dpkg").arg("-x").arg(&archive).arg(&files))?;
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    // Complete or not there at all.
    Ok(fs::rename(files, folder)?)
}

fn parent(folder: &Path) -> Result<&Path> {
    let parent = folder.parent().context("a folder in the target folder has a parent")?;
    fs::create_dir_all(parent)?;
    Ok(parent)
}

fn download(package: &str, folder: &Path) -> Result<()> {
    // As this user: apt's own user may not write into the folder.
    let sandbox = ["-o", "APT::Sandbox::User=root"];
    run(Command::new("apt-get").args(["-qq", "download"]).args(sandbox).arg(package).current_dir(folder))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{:?} can't be run", command.get_program()))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}\n{}", output.status, error.trim());
    Ok(())
}
