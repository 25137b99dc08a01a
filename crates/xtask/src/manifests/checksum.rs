//! The checksum of a ConfigMap in the pods that read it at their start: without it an apply of a changed ConfigMap would change no pod.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::set::{Problems, map_at};

/// Each ConfigMap, and what makes the pods that read it.
const PAIRS: [(&str, &str); 6] = [
    ("infra/k8s/20-configmap.yaml", "infra/k8s/40-deployment-consumer.yaml"),
    ("infra/logging/20-configmap.yaml", "infra/logging/40-daemonset.yaml"),
    ("infra/logging/loki/30-configmap.yaml", "infra/logging/loki/41-deployment.yaml"),
    ("infra/monitoring/kafka-lag/20-configmap.yaml", "infra/monitoring/kafka-lag/40-deployment.yaml"),
    ("infra/tracing/20-configmap.yaml", "infra/tracing/40-deployment.yaml"),
    ("infra/tracing/tempo/30-configmap.yaml", "infra/tracing/tempo/40-deployment.yaml"),
];
const KEY: &str = "        checksum/config: ";

/// Writes them. `false` when all were right.
pub fn write(root: &Path) -> Result<bool> {
    let mut written = false;
    // A copy of a part of the project has some of them; `check` misses none.
    for (config, pods) in PAIRS.into_iter().filter(|(config, _)| root.join(config).exists()) {
        let there = read(root, pods)?;
        let wanted = with_checksum(pods, &there, &data(root, config)?)?;
        if wanted != there {
            fs::write(root.join(pods), wanted).with_context(|| format!("{pods} can't be written"))?;
            written = true;
        }
    }
    Ok(written)
}

/// Compares them.
pub fn check(root: &Path) -> Result<Problems> {
    let mut problems = Problems::new();
    for (config, pods) in PAIRS {
        let there = read(root, pods)?;
        if with_checksum(pods, &there, &data(root, config)?)? != there {
            problems.push(format!("{pods}: the checksum of {config} is stale: run cargo xtask manifests"));
        }
    }
    Ok(problems)
}

fn read(root: &Path, name: &str) -> Result<String> {
    fs::read_to_string(root.join(name)).with_context(|| format!("{name} can't be read"))
}

/// What the pods see of the ConfigMap: a comment changes nothing for them.
fn data(root: &Path, config: &str) -> Result<String> {
    let value: serde_json::Value =
        serde_saphyr::from_str(&read(root, config)?).map_err(|error| anyhow::anyhow!("{config}: {error}"))?;
    // Sorted, whatever order the library keeps.
    let sorted: BTreeMap<_, _> = map_at(&value, "/data").iter().collect();
    Ok(serde_json::to_string(&sorted)?)
}

fn with_checksum(name: &str, pods: &str, data: &str) -> Result<String> {
    let mut lines: Vec<String> = pods.lines().map(str::to_owned).collect();
    let mut places = lines.iter_mut().filter(|line| line.starts_with(KEY));
    let (Some(line), None) = (places.next(), places.next()) else {
        bail!("{name} has to have one line {}", KEY.trim());
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
        let pods = format!("a: 1\n{KEY}old\nb: 2\n");
        let written = with_checksum("pods", &pods, "data").unwrap();
        assert_eq!(written, format!("a: 1\n{KEY}{}\nb: 2\n", sha256("data")));
        assert_ne!(written, with_checksum("pods", &pods, "other").unwrap());
        assert!(with_checksum("pods", "a: 1\n", "data").is_err());
        assert_eq!(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
