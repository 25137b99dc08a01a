//! The AlertmanagerConfig against the operator's schema. An API server checks its root and takes any child route, so each child is
//! checked here as if it were a root.

use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{routes, rules};
use crate::manifests::schemas::Schemas;
use crate::manifests::set::{Object, Problems, Set, list_at};
use crate::manifests::tools::Tools;

const FILE: &str = "infra/monitoring/alertmanager/20-alertmanagerconfig.yaml";

/// Checks the committed object, and that the check finds a misspelt child.
///
/// # Errors
/// When the schema can't be had, or takes what is misspelt.
pub fn check(root: &Path) -> Result<Problems> {
    let tools = Tools::install()?;
    let schemas = Schemas::fetch(&tools)?;
    let object = rules::parse(&root.join(FILE))?;
    let problems = schemas.check(&with_children(&object), &tools, "alertmanagerconfig", &[])?;
    let made = routes::object(root)?;
    for (right, wrong) in
        [("repeatInterval: \"4h\"", "repeatIntervall: \"4h\""), ("matchType: \"=~\"", "matchtype: \"=~\"")]
    {
        ensure!(made.contains(right), "{FILE} has no {right}");
        let misspelt: Value =
            serde_saphyr::from_str(&made.replace(right, wrong)).map_err(|error| anyhow::anyhow!("{error}"))?;
        let found = schemas.check(&with_children(&misspelt), &tools, "alertmanagerconfig-misspelt", &[])?;
        let word = wrong.split(':').next().unwrap_or_default();
        ensure!(found.iter().any(|line| line.contains(word)), "the schema takes a child route with {wrong}: {found:?}");
    }
    Ok(problems)
}

/// The object, and one more for each route below its root, which is the root there.
pub fn with_children(object: &Value) -> Set {
    let mut objects = vec![Object { path: FILE.into(), value: object.clone() }];
    let mut routes: Vec<Value> = list_at(object, "/spec/route/routes").cloned().collect();
    while let Some(route) = routes.pop() {
        routes.extend(list_at(&route, "/routes").cloned());
        let mut value = object.clone();
        value["spec"]["route"] = route;
        value["metadata"]["name"] = format!("child-{}", objects.len()).into();
        objects.push(Object { path: format!("{FILE}, child route {}", objects.len()), value });
    }
    Set { objects, others: Vec::new() }
}
