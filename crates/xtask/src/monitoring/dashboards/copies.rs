//! The places that use the dashboards have the committed ones: what the kustomization makes for the sidecar, and what compose mounts.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::{FOLDER, folder};
use crate::manifests::set::{Problems, Set, list_at, map_at, text};
use crate::manifests::tools::Tools;
use crate::programs;

const COMPOSE: &str = "infra/compose";
/// kubectl writes an object into its annotation too, which takes 256 KiB; the rest is for the object's own fields.
const LARGEST: usize = 240 * 1024;

/// What differs, is missing, or is too large.
pub fn check(dashboards: &[Value]) -> Result<Problems> {
    let made = Tools::install()?.kustomize(&folder())?;
    let mut problems = sidecar(&Set::from_stream("dashboards", &made)?, dashboards);
    let compose: Value =
        serde_saphyr::from_str(&fs::read_to_string(programs::root().join(COMPOSE).join("compose.yaml"))?)
            .map_err(|error| anyhow::anyhow!("{COMPOSE}: {error}"))?;
    problems.extend(mounts(&compose, &programs::root().join(COMPOSE)));
    Ok(problems)
}

/// Each dashboard is in one ConfigMap with the sidecar's label, as committed.
pub fn sidecar(set: &Set, dashboards: &[Value]) -> Problems {
    let mut problems = Problems::new();
    let mut found: Vec<Value> = Vec::new();
    for object in &set.objects {
        let large = serde_json::to_string(&object.value).map_or(0, |text| text.len());
        if large > LARGEST {
            problems
                .push(object.problem(format!("{} has {large} bytes, kubectl apply takes {LARGEST}", object.name())));
        }
        if object.text("/metadata/labels/grafana_dashboard") == "1" {
            let texts = map_at(&object.value, "/data").values().filter_map(Value::as_str);
            found.extend(texts.filter_map(|text| serde_json::from_str(text).ok()));
        }
    }
    for dashboard in dashboards {
        if found.iter().filter(|it| *it == dashboard).count() != 1 {
            let uid = text(dashboard, "/uid");
            problems.push(format!(
                "{FOLDER}/kustomization.yaml: {uid} has to be in one ConfigMap with grafana_dashboard: \"1\""
            ));
        }
    }
    problems
}

/// Whatever compose mounts from this repository is there: docker would make an empty folder of a file that is missing.
pub fn mounts(compose: &Value, folder: &Path) -> Problems {
    let mut problems = Problems::new();
    for (service, it) in map_at(compose, "/services") {
        for mount in list_at(it, "/volumes").filter_map(Value::as_str).filter(|mount| mount.starts_with('.')) {
            let source = mount.split(':').next().unwrap_or_default();
            if !folder.join(source).exists() {
                problems.push(format!("{COMPOSE}/compose.yaml: {service} mounts {source}, which does not exist"));
            }
        }
    }
    problems
}
