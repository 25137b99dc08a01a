//! What Syft finds in an image: the crates of the program's own list, and the packages of the base.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::manifests::tools::output;
use crate::supply_chain::image::Image;
use crate::supply_chain::tools::Tools;

/// Lists an image of a registry as CycloneDX 1.6.
pub fn inventory(tools: &Tools, image: &Image) -> Result<Value> {
    let folder = tempfile::tempdir_in(tools.folder())?;
    let file = folder.path().join("syft.cdx.json");
    let mut scan = tools.syft()?;
    scan.env("SYFT_CHECK_FOR_APP_UPDATE", "false").args(["scan", "--quiet"]);
    if image.repository.starts_with("localhost:") {
        scan.env("SYFT_REGISTRY_INSECURE_USE_HTTP", "true");
    }
    scan.arg(format!("registry:{}", image.reference()))
        .arg("--platform")
        .arg(format!("linux/{}", image.architecture()?));
    output(scan.arg("-o").arg(format!("cyclonedx-json@1.6={}", file.display())))?;
    let found: Value = serde_json::from_str(&fs::read_to_string(&file).context("Syft has left no file")?)?;
    let of = found.pointer("/metadata/component/version").and_then(Value::as_str).unwrap_or_default();
    ensure!(of == image.digest, "Syft has listed {of}, not {}", image.digest);
    Ok(found)
}
