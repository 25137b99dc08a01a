//! An image that was built goes to a registry, and its digest is kept.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::manifests::tools::output;
use crate::published::Place;

/// Pushes one by podman, under a tag of this platform's.
pub fn push(place: &Place, program: &str, image: &str) -> Result<()> {
    let platform = platform()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("digest");
    let to = format!("docker://{}:{}-{platform}", place.image(program)?, env!("CARGO_PKG_VERSION"));
    let mut podman = Command::new("podman");
    // OCI's format has no place for the health check, and another digest.
    podman.args(["push", "--format=v2s2", &format!("--tls-verify={}", !place.is_local()), "--digestfile"]).arg(&file);
    output(podman.args([image, &to]))?;
    let digest = fs::read_to_string(file).context("podman has told no digest")?;
    place.keep(program, Some(platform), digest.trim())?;
    println!("{to} is {}", digest.trim());
    Ok(())
}

/// The platform that this machine builds for, as OCI names it.
fn platform() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("no image is released for {other}"),
    }
}
