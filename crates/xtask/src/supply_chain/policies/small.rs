//! Images of one small file, each in a repository of its own, with as much attached as a case wants.

use std::fs;

use anyhow::Result;
use serde_json::json;

use crate::manifests::tools::output;
use crate::supply_chain::sign::cosign::Cosign;
use crate::supply_chain::tools::Tools;

/// What can be attached to an image.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Attached {
    /// The signature.
    Signature,
    /// The statement on how it was built.
    Provenance,
    /// The list of what is in it.
    Sbom,
}

/// Everything that a release attaches.
pub const ALL: [Attached; 3] = [Attached::Signature, Attached::Provenance, Attached::Sbom];

/// Pushes an image, attaches these, and returns the reference by its digest.
pub fn push(tools: &Tools, cosign: &Cosign, repository: &str, attached: &[Attached]) -> Result<String> {
    let folder = tempfile::tempdir_in(tools.folder())?;
    let layer = folder.path().join("layer.tar");
    let mut archive = tar::Builder::new(fs::File::create(&layer)?);
    let mut header = tar::Header::new_gnu();
    // The repository's name, so that no two images have the same digest.
    header.set_size(repository.len() as u64);
    header.set_mode(0o555);
    archive.append_data(&mut header, "program", repository.as_bytes())?;
    archive.finish()?;
    let tag = format!("{repository}:1");
    output(tools.crane()?.args(["append", "--insecure", "--new_tag", &tag, "--new_layer"]).arg(&layer))?;
    let digest = output(tools.crane()?.args(["digest", "--insecure", &tag]))?;
    let image = format!("{repository}@{}", digest.trim());
    for what in attached {
        let file = folder.path().join("predicate.json");
        let (kind, predicate) = match what {
            Attached::Signature => {
                cosign.sign(&image)?;
                continue;
            }
            Attached::Provenance => ("slsaprovenance1", json!({"buildDefinition": {"buildType": "urn:test"}})),
            Attached::Sbom => ("cyclonedx", json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1})),
        };
        fs::write(&file, predicate.to_string())?;
        cosign.attest(&image, kind, &file)?;
    }
    Ok(image)
}
