//! The images of this machine go to a registry, for their platform, and their digests are kept.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::images::{PROGRAMS, STAND_IN, image};
use crate::manifests::tools::output;
use crate::published::Place;

/// Pushes both by podman, under tags of this platform's.
pub fn run(place: &Place) -> Result<bool> {
    let platform = platform()?;
    for program in PROGRAMS {
        releasable(place, &image(program))?;
    }
    for program in PROGRAMS {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("digest");
        let to = format!("docker://{}:{}-{platform}", place.image(program)?, env!("CARGO_PKG_VERSION"));
        let mut podman = Command::new("podman");
        // OCI's format has no place for the health check, and another digest.
        podman.args([
            "push",
            "--quiet",
            "--format=v2s2",
            &format!("--tls-verify={}", !place.is_local()),
            "--digestfile",
        ]);
        output(podman.arg(&file).args([&image(program), &to]))?;
        let digest = fs::read_to_string(file).context("podman has told no digest")?;
        place.keep(program, Some(platform), digest.trim())?;
        println!("{to} is {}", digest.trim());
    }
    Ok(true)
}

/// An image on a substitute base leaves this machine for no registry.
fn releasable(place: &Place, image: &str) -> Result<()> {
    let format = format!("{{{{index .Config.Labels {STAND_IN:?}}}}}");
    let base = output(Command::new("podman").args(["image", "inspect", "--format", &format, image]))
        .with_context(|| format!("no image {image}: run cargo xtask images --engine podman"))?;
    allowed(place, image, base.trim())
}

fn allowed(place: &Place, image: &str, stands_for: &str) -> Result<()> {
    // What a template makes of a label that is not there.
    let real = ["", "<no value>"].contains(&stands_for);
    ensure!(real || place.is_local(), "{image} is built on a substitute for {stands_for}: it is never released");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_substitute_goes_to_a_registry_of_this_machine_only() {
        let at = |registry: &str| Place::of("o/n", registry, "digests".into());
        allowed(&at("localhost:5000"), "i", "gcr.io/distroless/cc").unwrap();
        let told = allowed(&at("ghcr.io"), "i", "gcr.io/distroless/cc").unwrap_err().to_string();
        assert!(told.contains("never released"), "{told}");
        allowed(&at("ghcr.io"), "i", "").unwrap();
    }
}
