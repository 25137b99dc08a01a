//! The provenance of an image, as SLSA's statement of version 1: what was built, from which commit, on which bases, by whom.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::images::reference::bases;
use crate::images::{STAND_IN, dockerfile};
use crate::manifests::tools::output;
use crate::programs;
use crate::supply_chain::image::Image;

const REVISION: &str = "org.opencontainers.image.revision";
const SOURCE: &str = "org.opencontainers.image.source";

/// The statement's predicate. An image of sources with changes has no commit that it could name.
pub fn of(image: &Image) -> Result<Value> {
    let root = programs::root().canonicalize()?;
    let commit = image.label(REVISION).with_context(|| {
        format!(
            "{} has no label {REVISION}: commit all changes, and build it once more by `cargo xtask images`",
            image.program
        )
    })?;
    let lock = output(Command::new("git").arg("-C").arg(&root).args(["show", &format!("{commit}:Cargo.lock")]))?;
    let source = image.label(SOURCE).map_or_else(|| "git".to_owned(), |source| format!("git+{source}"));
    let mut from = vec![
        json!({"name": "source", "uri": source, "digest": {"gitCommit": commit}}),
        json!({"name": "Cargo.lock", "digest": {"sha256": sha256(lock.as_bytes())}}),
    ];
    let name = image.program.strip_prefix("kafka-").unwrap_or_default();
    for base in bases(&dockerfile(&root, name)?)? {
        let (pinned, digest) = base.whole.split_once("@sha256:").context("a base without a digest")?;
        from.push(json!({"name": "base", "uri": format!("docker://{pinned}"), "digest": {"sha256": digest}}));
    }
    let stand_in = image.label(STAND_IN);
    if let Some(base) = stand_in {
        // Said as it is: the pinned bases were not there. The image's first layer is the substitute.
        from.retain(|dependency| dependency["name"] != "base");
        let layer =
            image.config.pointer("/rootfs/diff_ids/0").and_then(Value::as_str).context("an image without layers")?;
        let hex = layer.trim_start_matches("sha256:");
        from.push(json!({"name": "base", "digest": {"sha256": hex}, "annotations": {STAND_IN: base}}));
    }
    Ok(json!({
        "buildDefinition": {
            "buildType": "urn:kafka-clients:build:cargo-xtask-images:1",
            "externalParameters": {"program": image.program, "standIn": stand_in.is_some()},
            "resolvedDependencies": from,
        },
        "runDetails": {"builder": {"id": "urn:kafka-clients:builder:local", "version": {"xtask": env!("CARGO_PKG_VERSION")}}},
    }))
}

/// Writes it where cosign reads it.
pub fn write(image: &Image, folder: &std::path::Path) -> Result<std::path::PathBuf> {
    let file = folder.join(format!("{}.provenance.json", image.program));
    fs::write(&file, serde_json::to_string_pretty(&of(image)?)? + "\n")?;
    Ok(file)
}

/// The hash of some bytes, in hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
