//! The base image: signed by its makers.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::images::{PROGRAMS, reference};
use crate::manifests::tools::output;
use crate::programs;
use crate::published::identity::{DISTROLESS, flags};

/// Verifies the signature of the base that the images are made on. The builder's image, Docker's official one of Rust, is signed by
/// nobody: its digest is all there is.
pub fn verify() -> Result<bool> {
    let mut bases = Vec::new();
    for program in PROGRAMS {
        let path = programs::root().join(format!("Dockerfile.{program}"));
        let base = reference::last(&fs::read_to_string(&path)?)?;
        if !bases.contains(&base) {
            bases.push(base);
        }
    }
    for base in bases {
        output(&mut cosign(&base.whole)).context("the base is not signed by its makers")?;
        println!("{}: signed by {}", base.whole, DISTROLESS[0]);
    }
    Ok(true)
}

fn cosign(image: &str) -> Command {
    let [identity, issuer] = DISTROLESS;
    let mut command = Command::new("cosign");
    command.arg("verify").args(flags(identity, issuer)).arg(image);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_distroless_may_have_signed_it() {
        let command = cosign("gcr.io/a:b@sha256:c");
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        assert_eq!(
            words.join(" "),
            "verify --certificate-identity keyless@distroless.iam.gserviceaccount.com \
             --certificate-oidc-issuer https://accounts.google.com gcr.io/a:b@sha256:c"
        );
    }
}
