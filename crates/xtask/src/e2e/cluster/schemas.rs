//! Every other object of `infra/`, as this cluster's API server judges it.

use anyhow::{Result, ensure};
use tempfile::TempDir;

use super::Scenario;
use super::bench::{Bench, PROGRAMS, SOON};
use crate::manifests::set::Set;
use crate::manifests::variations::{VARIATIONS, lay_out};
use crate::programs;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "dry-run",
    claim: "the API server accepts every object of infra/ and every variation of its kustomization; their CRDs are installed",
    run: dry_run,
}];

fn dry_run(bench: &mut Bench) -> Result<String> {
    bench.installed()?;
    // Some variations change the Job, which no Job that is there allows; the next scenario makes it again.
    bench.kubectl.delete(&["job", "-n", PROGRAMS, "kafka-producer"], SOON)?;
    bench.disturbed();
    let root = programs::root();
    let set = Set::load(&root)?;
    for object in set.objects.iter().filter(|object| !object.namespace().is_empty()) {
        let name = object.namespace();
        match set.find("Namespace", name, name) {
            Some(file) => bench.namespace_from(name, &root.join(&file.path))?,
            None => bench.namespace(name)?,
        }
    }
    let mut refused = Vec::new();
    let mut accept = |what: &str, args: [&str; 2]| -> Result<usize> {
        let args = [&["apply", "--dry-run=server", "--warnings-as-errors"], &args[..]].concat();
        let outcome = bench.kubectl.outcome(&args)?;
        if !outcome.status.success() {
            refused.push(format!("{what}: {}", outcome.stderr.trim()));
        }
        Ok(outcome.stdout.lines().count())
    };
    let mut objects = 0;
    for object in &set.objects {
        objects += accept(&object.path, ["-f", &root.join(&object.path).display().to_string()])?;
    }
    for (name, components) in VARIATIONS {
        let folder = TempDir::new()?;
        lay_out(folder.path(), components)?;
        objects += accept(name, ["-k", &folder.path().join("infra").display().to_string()])?;
    }
    ensure!(refused.is_empty(), "{} refused (an unknown kind needs its CRD):\n{}", refused.len(), refused.join("\n"));
    let mut kinds: Vec<&str> = set.objects.iter().map(|object| object.kind()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    Ok(format!(
        "{objects} objects accepted: {} files of {} kinds, {} variations",
        set.objects.len(),
        kinds.len(),
        VARIATIONS.len()
    ))
}
