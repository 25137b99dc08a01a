//! The small program that is put into a container in place of an image's: compiled when it is needed, of one file without crates.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::programs;

/// Where it is, compiled by the Rust of this workspace; static for an image of any libc, or for the libc of the image.
///
/// # Errors
/// When it cannot be compiled.
pub fn built(is_static: bool) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("probe/probe.rs");
    let folder = programs::target()?.join("probe");
    fs::create_dir_all(&folder)?;
    let path = folder.join(if is_static { "static" } else { "dynamic" });
    let output = Command::new("rustc")
        .current_dir(programs::root())
        .args([
            "--edition=2024",
            "-Copt-level=1",
            if is_static { "-Ctarget-feature=+crt-static" } else { "-Cstrip=none" },
        ])
        .arg("-o")
        .arg(&path)
        .arg(&source)
        .output()
        .context("rustc can't be run")?;
    ensure!(output.status.success(), "the probe can't be compiled:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(path)
}
