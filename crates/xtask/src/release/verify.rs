//! Signing, and verifying as a user does: by exact identities.

use std::process::Command;

use anyhow::{Context, Result};

use crate::images::PROGRAMS;
use crate::manifests::tools::output;
use crate::published::identity::{ISSUER, WORKFLOW, flags, of_release};
use crate::published::{PLATFORMS, Place};
use crate::supply_chain::sign::cosign::{Answer, signed};

/// The SBOM's kind, in attestations.
const SBOM: &str = "https://cyclonedx.org/bom";

/// Signs both indexes by the identity of the workflow that this runs in.
pub fn sign(place: &Place) -> Result<bool> {
    for program in PROGRAMS {
        let image = place.pinned(program, None)?;
        output(Command::new("cosign").args(["sign", "--yes", &image]))?;
        println!("{image}: signed");
    }
    Ok(true)
}

/// Verifies everything that a release says of its images. `false` when one is not as it has to be.
pub fn run(place: &Place, tag: &str) -> Result<bool> {
    let mut good = true;
    for (what, command) in commands(place, tag)? {
        let said = Command::new(&command[0]).args(&command[1..]).output();
        let said = said.with_context(|| format!("{} can't be run", command[0]))?;
        let answer = Answer::of(&said);
        // cosign takes an attestation for a signature, too.
        let verified = answer.code == Some(0) && (command[0] != "cosign" || signed(&answer).is_ok());
        println!("{what}: {}", if verified { "verified" } else { "NOT VERIFIED" });
        if !verified {
            eprintln!("{}\n{}", command.join(" "), answer.complained.trim());
        }
        good &= verified;
    }
    Ok(good)
}

/// What is verified, and by which command.
fn commands(place: &Place, tag: &str) -> Result<Vec<(String, Vec<String>)>> {
    let repository = place.repository()?;
    let identity = of_release(repository, tag);
    let (workflow, commit) = (format!("{repository}/{WORKFLOW}"), format!("refs/tags/{tag}"));
    let mut commands = Vec::new();
    for program in PROGRAMS {
        let index = place.pinned(program, None)?;
        let mut signature: Vec<String> = ["cosign", "verify"].map(str::to_owned).into();
        signature.extend(flags(&identity, ISSUER));
        signature.push(index.clone());
        commands.push((format!("signature of {index}"), signature));
        let attested = |what: &str, image: &str, kind: Option<&str>| {
            let image_uri = format!("oci://{image}");
            let mut words: Vec<&str> = vec!["gh", "attestation", "verify", &image_uri, "--repo", repository];
            words.extend(["--signer-workflow", &workflow, "--source-ref", &commit]);
            words.extend(["--deny-self-hosted-runners", "--bundle-from-oci"]);
            words.extend(kind.into_iter().flat_map(|kind| ["--predicate-type", kind]));
            (format!("{what} of {image}"), words.into_iter().map(str::to_owned).collect())
        };
        commands.push(attested("provenance", &index, None));
        commands.push(attested("SBOM", &index, Some(SBOM)));
        for platform in PLATFORMS {
            commands.push(attested("SBOM", &place.pinned(program, Some(platform))?, Some(SBOM)));
        }
    }
    Ok(commands)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_verified_by_the_exact_identity_and_by_digest() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of("Owner/Name", "ghcr.io", folder.path().to_owned());
        for program in PROGRAMS {
            for platform in [None, Some("amd64"), Some("arm64")] {
                place.keep(program, platform, &format!("sha256:{}", "1".repeat(64))).unwrap();
            }
        }
        let commands = commands(&place, "v1.0.0").unwrap();
        assert_eq!(commands.len(), 2 * 5);
        for (what, command) in &commands {
            let line = command.join(" ");
            assert!(line.contains("ghcr.io/owner/name/kafka-") && line.contains("@sha256:1111"), "{what}: {line}");
            if command[0] == "cosign" {
                let identity = "https://github.com/Owner/Name/.github/workflows/image.yml@refs/tags/v1.0.0";
                assert!(line.contains(&format!("--certificate-identity {identity} ")), "{line}");
            } else {
                assert!(line.contains("--signer-workflow Owner/Name/.github/workflows/image.yml "), "{line}");
                assert!(line.contains("--source-ref refs/tags/v1.0.0 "), "{line}");
            }
        }
    }
}
