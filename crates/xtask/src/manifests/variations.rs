//! The variations of `infra/kustomization.yaml`: each as kustomize makes it, checked as the plain files are.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use super::set::Set;
use super::tools::{Tools, output};
use crate::programs;

/// A name, and the components; as the comment in the file offers them.
pub const VARIATIONS: [(&str, &[&str]); 8] = [
    ("plain", &[]),
    ("strimzi", &["kafka/strimzi/clients"]),
    ("monitoring", &["monitoring/clients"]),
    ("keda", &["autoscaling/keda"]),
    ("strimzi-keda", &["kafka/strimzi/clients", "autoscaling/keda", "autoscaling/keda-scram"]),
    ("hpa", &["autoscaling/hpa"]),
    ("check", &["check"]),
    ("seccomp", &["policies/seccomp"]),
];

/// All of them, by name. Each has, beside the programs' objects as kustomize makes them, what else they refer to.
pub fn all(set: &Set, tools: &Tools) -> Result<Vec<(&'static str, Set)>> {
    let kustomization = set.file("infra/kustomization.yaml")?;
    let text = fs::read_to_string(programs::root().join(&kustomization.path))?;
    let offered: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("#   - ")?.split_whitespace().next()).collect();
    let mut named: Vec<_> = VARIATIONS.iter().flat_map(|(_, components)| components.iter().copied()).collect();
    named.sort_unstable();
    named.dedup();
    let mut sorted = offered.clone();
    sorted.sort_unstable();
    ensure!(sorted == named, "{}: offers {offered:?}, but {named:?} are checked", kustomization.path);
    let mut variations = Vec::new();
    for (name, components) in VARIATIONS {
        let folder = tools.folder().join("variations").join(name);
        lay_out(&folder, components)?;
        let made = tools.kustomize(&folder.join("infra"))?;
        let mut variation = Set::from_stream(name, &made)?;
        let others = set
            .objects
            .iter()
            .filter(|object| ["infra/kafka/", "infra/tracing/"].iter().any(|folder| object.path.starts_with(folder)));
        variation.objects.extend(others.cloned());
        variations.push((name, variation));
    }
    Ok(variations)
}

/// Copies `infra/` into a folder and chooses these components there.
pub fn lay_out(folder: &Path, components: &[&str]) -> Result<()> {
    const FILE: &str = "infra/kustomization.yaml";
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let source = programs::root().join("infra");
    output(std::process::Command::new("cp").arg("-r").arg(source).arg(folder))?;
    let text = fs::read_to_string(folder.join(FILE))?;
    ensure!(text.contains("\ncomponents: []\n"), "{FILE}: components are chosen already");
    fs::write(folder.join(FILE), text.replace("components: []", &format!("components: {components:?}")))?;
    Ok(())
}
