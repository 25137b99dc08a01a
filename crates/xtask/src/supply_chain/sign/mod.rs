//! Signatures and attestations: made, verified, copied to a second registry, and verified there when the first is gone.

pub mod cosign;
pub mod provenance;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::image::Image;
use super::registry::{Registry, mirror};
use super::sbom::Sbom;
use super::sbom::bom::is_about;
use super::tools::Tools;
use super::vex::document;
use crate::published::commands::Block;
use cosign::{Cosign, Key, predicates, signed};

/// The kinds of statements that each image has, in cosign's words.
pub const KINDS: [&str; 3] = ["cyclonedx", "openvex", "slsaprovenance1"];

/// Signs an image and attaches its bill, the statements on vulnerabilities, and its provenance.
pub fn sign(tools: &Tools, cosign: &Cosign, image: &Image, sbom: &Sbom) -> Result<()> {
    cosign.sign(&image.reference())?;
    for (kind, file) in KINDS.into_iter().zip(files(tools, image, sbom)?) {
        cosign.attest(&image.reference(), kind, &file)?;
    }
    Ok(())
}

/// Verifies all of it, at any registry: the signature, that each statement is the one that was made, and that the bill is about
/// this image, which cosign does not ask.
pub fn verify(tools: &Tools, cosign: &Cosign, image: &Image, sbom: &Sbom, at: &str) -> Result<()> {
    let reference = format!("{at}@{}", image.digest);
    signed(&cosign.verify(&reference, Key::Right)?)?;
    for (kind, file) in KINDS.into_iter().zip(files(tools, image, sbom)?) {
        let found = predicates(&cosign.verify_attestation(&reference, kind, Key::Right)?)?;
        let made: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
        ensure!(found.contains(&made), "the {kind} attestation is not what {} says", file.display());
        if kind == KINDS[0] {
            about(&found, &image.digest)?;
        }
    }
    Ok(())
}

/// Fails when a bill is about another image: cosign only compares what the statement is attached to.
pub fn about(bills: &[Value], digest: &str) -> Result<()> {
    for bill in bills {
        let other = &bill["metadata"]["component"]["version"];
        ensure!(is_about(bill, digest), "the attested SBOM describes {other}, not {digest}");
    }
    Ok(())
}

/// Verifies images by the commands that SECURITY.md tells people to copy, and copies them by those of docs/supply-chain.md: at the
/// second registry they are verified again, and refused by a wrong key.
pub fn as_documented(tools: &Tools, cosign: &Cosign, images: &[Image]) -> Result<()> {
    let second = Registry::start(tools)?;
    for image in images {
        let mirror = format!("{}/documented/{}", second.host(), image.program);
        let run = |commands: Block, at: &str, key: Key| {
            let variables = [("IMAGE", at), ("DIGEST", &image.digest), ("MIRROR", &mirror)];
            cosign.shell(&commands.commands(), &variables, key)
        };
        let good = |commands: Block, at: &str| {
            let answer = run(commands, at, Key::Right)?;
            ensure!(answer.code == Some(0), "the documented commands fail for {at}: {}", answer.complaint());
            Ok(())
        };
        good(Block::Key, &image.repository)?;
        good(Block::Mirror, &image.repository)?;
        good(Block::Key, &mirror)?;
        let refused = run(Block::Key, &mirror, Key::Wrong)?;
        ensure!(
            refused.code != Some(0) && refused.complaint().contains("do not match threshold"),
            "the documented commands do not refuse a wrong key, but say: {}",
            refused.complaint()
        );
    }
    Ok(())
}

/// Copies the images to a second registry, ends the first, and verifies at the second: nothing else is reached.
pub fn mirrored(tools: &Tools, cosign: &Cosign, images: &[Image], sboms: &[Sbom], first: Registry) -> Result<()> {
    let second = Registry::start(tools)?;
    let at = |image: &Image| format!("{}/mirror/{}", second.host(), image.program);
    for image in images {
        mirror(tools, &image.repository, &image.digest, &at(image), env!("CARGO_PKG_VERSION"))?;
    }
    drop(first);
    for (image, sbom) in images.iter().zip(sboms) {
        verify(tools, cosign, image, sbom, &at(image))?;
    }
    Ok(())
}

fn files(tools: &Tools, image: &Image, sbom: &Sbom) -> Result<[PathBuf; 3]> {
    let folder: &Path = tools.folder();
    Ok([sbom.file.clone(), document::file(), provenance::write(image, folder)?])
}
