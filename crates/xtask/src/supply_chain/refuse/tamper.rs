//! An image with one byte of its program changed, and everything else made to fit: as somebody would who can push.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::manifests::tools::output;
use crate::supply_chain::image::Image;
use crate::supply_chain::sign::provenance::sha256;
use crate::supply_chain::tools::Tools;

/// Pushes it to a repository, and returns its digest.
pub fn push(tools: &Tools, image: &Image, to: &str) -> Result<String> {
    let folder = tempfile::tempdir_in(tools.folder())?;
    let layout = folder.path().join("image");
    output(tools.crane()?.args(["pull", "--insecure", "--format=oci", &image.reference()]).arg(&layout))?;
    change(&layout, &image.program)?;
    output(tools.crane()?.args(["push", "--insecure"]).arg(&layout).arg(format!("{to}:changed")))?;
    Ok(output(tools.crane()?.args(["digest", "--insecure", &format!("{to}:changed")]))?.trim().to_owned())
}

/// Changes a byte in the last layer, and then each digest and size that follows from it.
fn change(layout: &Path, program: &str) -> Result<()> {
    let index = layout.join("index.json");
    let mut list: Value = serde_json::from_str(&fs::read_to_string(&index)?)?;
    let manifest_of = list.pointer_mut("/manifests/0").context("an image without a manifest")?;
    let mut manifest: Value = serde_json::from_slice(&blob(layout, manifest_of)?)?;
    let layer_of = manifest["layers"].as_array_mut().and_then(|layers| layers.last_mut()).context("no layer")?;

    let mut layer = Vec::new();
    GzDecoder::new(blob(layout, layer_of)?.as_slice()).read_to_end(&mut layer)?;
    let before = format!("sha256:{}", sha256(&layer));
    let middle = middle(&layer, program)?;
    layer[middle] ^= 1;
    let after = format!("sha256:{}", sha256(&layer));
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&layer)?;
    put(layout, layer_of, &packed.finish()?)?;

    let config = String::from_utf8(blob(layout, &manifest["config"])?)?;
    anyhow::ensure!(config.contains(&before), "the settings do not name the layer {before}");
    put(layout, &mut manifest["config"], config.replace(&before, &after).as_bytes())?;
    put(layout, manifest_of, &serde_json::to_vec(&manifest)?)?;
    Ok(fs::write(index, serde_json::to_vec(&list)?)?)
}

/// Where the middle of the program is in its layer.
fn middle(layer: &[u8], program: &str) -> Result<usize> {
    for entry in tar::Archive::new(layer).entries()? {
        let entry = entry?;
        if entry.path()?.ends_with(program) && entry.size() > 0 {
            return Ok(usize::try_from(entry.raw_file_position() + entry.size() / 2)?);
        }
    }
    anyhow::bail!("the last layer has no {program}")
}

fn path(layout: &Path, digest: &str) -> std::path::PathBuf {
    layout.join("blobs").join(digest.replace(':', "/"))
}

fn blob(layout: &Path, descriptor: &Value) -> Result<Vec<u8>> {
    let digest = descriptor["digest"].as_str().context("no digest")?;
    fs::read(path(layout, digest)).with_context(|| format!("the image has no {digest}"))
}

fn put(layout: &Path, descriptor: &mut Value, bytes: &[u8]) -> Result<()> {
    let digest = format!("sha256:{}", sha256(bytes));
    fs::write(path(layout, &digest), bytes)?;
    descriptor["digest"] = digest.into();
    descriptor["size"] = bytes.len().into();
    Ok(())
}
