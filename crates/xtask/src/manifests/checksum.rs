//! The checksum of the ConfigMap in the Deployment's pods: without it an apply of a changed ConfigMap would change no pod.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::set::{Problems, map_at};

const CONFIG: &str = "infra/k8s/20-configmap.yaml";
const DEPLOYMENT: &str = "infra/k8s/40-deployment-consumer.yaml";
const KEY: &str = "        checksum/config: ";

/// Writes it. `false` when it was right.
pub fn write(root: &Path) -> Result<bool> {
    let path = root.join(DEPLOYMENT);
    let there = fs::read_to_string(&path).with_context(|| format!("{DEPLOYMENT} can't be read"))?;
    let wanted = with_checksum(&there, &data(root)?)?;
    if wanted == there {
        return Ok(false);
    }
    fs::write(&path, wanted).with_context(|| format!("{DEPLOYMENT} can't be written"))?;
    Ok(true)
}

/// Compares it.
pub fn check(root: &Path) -> Result<Problems> {
    let there = fs::read_to_string(root.join(DEPLOYMENT)).with_context(|| format!("{DEPLOYMENT} can't be read"))?;
    let stale = with_checksum(&there, &data(root)?)? != there;
    Ok(stale.then(|| format!("{DEPLOYMENT}: the checksum is stale: run cargo xtask manifests")).into_iter().collect())
}

/// What the pods see of the ConfigMap: a comment changes nothing for them.
fn data(root: &Path) -> Result<String> {
    let text = fs::read_to_string(root.join(CONFIG)).with_context(|| format!("{CONFIG} can't be read"))?;
    let value: serde_json::Value =
        serde_saphyr::from_str(&text).map_err(|error| anyhow::anyhow!("{CONFIG}: {error}"))?;
    // Sorted, whatever order the library keeps.
    let sorted: BTreeMap<_, _> = map_at(&value, "/data").iter().collect();
    Ok(serde_json::to_string(&sorted)?)
}

fn with_checksum(deployment: &str, data: &str) -> Result<String> {
    let mut lines: Vec<String> = deployment.lines().map(str::to_owned).collect();
    let mut places = lines.iter_mut().filter(|line| line.starts_with(KEY));
    let (Some(line), None) = (places.next(), places.next()) else {
        bail!("{DEPLOYMENT} has to have one line {}", KEY.trim());
    };
    *line = format!("{KEY}{}", sha256(data));
    Ok(lines.join("\n") + "\n")
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_written_in_its_line_only() {
        let deployment = format!("a: 1\n{KEY}old\nb: 2\n");
        let written = with_checksum(&deployment, "data").unwrap();
        assert_eq!(written, format!("a: 1\n{KEY}{}\nb: 2\n", sha256("data")));
        assert_ne!(written, with_checksum(&deployment, "other").unwrap());
        assert!(with_checksum("a: 1\n", "data").is_err());
        assert_eq!(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
