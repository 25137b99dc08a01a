//! What this project asks of a dashboard beyond Grafana's types: a reader finds what a panel shows, in which unit and what is normal;
//! nothing that a panel names is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::FOLDER;
use crate::manifests::set::{Problems, list_at, map_at, text};

/// Columns of Grafana's grid.
const COLUMNS: u64 = 24;
/// Panels without values have no unit.
const WITHOUT_UNIT: [&str; 2] = ["logs", "row"];

/// The data sources that are provisioned, by uid, with their files.
pub struct Sources(pub BTreeMap<String, Vec<Value>>);

impl Sources {
    /// Reads the provisioning files of a folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut sources: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for entry in fs::read_dir(folder).with_context(|| format!("{} can't be read", folder.display()))? {
            let path = entry?.path();
            let file: Value = serde_saphyr::from_str(&fs::read_to_string(&path)?)
                .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
            for source in list_at(&file, "/datasources") {
                sources.entry(text(source, "/uid").to_owned()).or_default().push(source.clone());
            }
        }
        Ok(Self(sources))
    }

    /// Two with the same uid, and links to others that do not exist.
    pub fn problems(&self) -> Problems {
        let mut problems = Problems::new();
        for (uid, sources) in &self.0 {
            if uid.is_empty() || sources.len() > 1 {
                problems.push(format!("{FOLDER}/datasources: {} data sources have the uid {uid:?}", sources.len()));
            }
            let mut named = Vec::new();
            sources.iter().for_each(|source| values(source, "datasourceUid", &mut named));
            let missing = named.into_iter().filter(|named| !self.0.contains_key(named));
            problems
                .extend(missing.map(|it| format!("{FOLDER}/datasources: {uid} leads to {it}, which does not exist")));
        }
        problems
    }

    fn is_of_type(&self, uid: &str, kind: &str) -> bool {
        self.0.get(uid).is_some_and(|sources| sources.iter().all(|source| text(source, "/type") == kind))
    }
}

/// What is wrong with these dashboards.
pub fn check(dashboards: &[Value], sources: &Sources) -> Problems {
    dashboards
        .iter()
        .flat_map(|dashboard| {
            let mut problems = variables(dashboard, sources);
            problems.extend(links(dashboard, dashboards));
            panels(dashboard).for_each(|it| problems.extend(panel(it, dashboard, sources)));
            problems.extend(grid(dashboard));
            problems.into_iter().map(|problem| format!("{}: {problem}", text(dashboard, "/uid")))
        })
        .collect()
}

/// All panels, those under a folded heading too.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list_at(dashboard, "/panels").flat_map(|panel| std::iter::once(panel).chain(list_at(panel, "/panels")))
}

/// One panel.
fn panel(panel: &Value, dashboard: &Value, sources: &Sources) -> Problems {
    let (title, kind) = (text(panel, "/title"), text(panel, "/type"));
    let mut problems = Problems::new();
    let mut problem = |what: String| problems.push(format!("{title:?} {what}"));
    if title.is_empty() {
        problem(format!("({kind}) has no title"));
    }
    if kind == "row" {
        return problems;
    }
    if !text(panel, "/description").ends_with('.') {
        problem("has no description in whole sentences of what is normal".to_owned());
    }
    if !WITHOUT_UNIT.contains(&kind) && text(panel, "/fieldConfig/defaults/unit").is_empty() {
        problem("has no unit".to_owned());
    }
    let mut references = BTreeSet::new();
    for target in list_at(panel, "/targets") {
        if !references.insert(text(target, "/refId")) {
            problem(format!("has two queries {:?}", text(target, "/refId")));
        }
        if target["datasource"] != panel["datasource"] {
            problem("asks another data source than it says".to_owned());
        }
    }
    if references.is_empty() {
        problem("asks nothing".to_owned());
    }
    let (uid, of) = (text(panel, "/datasource/uid"), text(panel, "/datasource/type"));
    let chosen = match uid.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        None => Some(uid),
        Some(name) => list_at(dashboard, "/templating/list")
            .find(|it| it["name"] == name && it["type"] == "datasource" && it["query"] == of)
            .map(|variable| text(variable, "/current/value")),
    };
    if !chosen.is_some_and(|uid| sources.is_of_type(uid, of)) {
        problem(format!("has the data source {uid}, which is no {of} of datasources/"));
    }
    problems
}

/// Variables that are used are defined, and the other way around; what a choice of a data source starts with is provisioned.
fn variables(dashboard: &Value, sources: &Sources) -> Problems {
    let list: Vec<&Value> = list_at(dashboard, "/templating/list").collect();
    let defined: BTreeSet<&str> = list.iter().map(|variable| text(variable, "/name")).collect();
    let mut used = BTreeSet::new();
    used_in(dashboard, &mut used);
    let missing = used.iter().filter(|name| !name.starts_with("__") && !defined.contains(name.as_str()));
    let mut problems: Problems = missing.map(|name| format!("the variable {name} is used and not defined")).collect();
    let idle = defined.iter().filter(|name| !used.contains(**name));
    problems.extend(idle.map(|name| format!("the variable {name} is defined and not used")));
    for variable in list.iter().filter(|variable| variable["type"] == "datasource") {
        let (uid, kind) = (text(variable, "/current/value"), text(variable, "/query"));
        if !sources.is_of_type(uid, kind) {
            problems.push(format!("the variable {} starts with {uid}, which is no {kind}", text(variable, "/name")));
        }
    }
    problems
}

/// Links to dashboards lead to one that exists, and set variables that it has.
fn links(dashboard: &Value, dashboards: &[Value]) -> Problems {
    let mut urls = Vec::new();
    values(dashboard, "url", &mut urls);
    let mut problems = Problems::new();
    for url in urls.iter().filter_map(|url| url.strip_prefix("/d/")) {
        let (uid, query) = url.split_once('?').unwrap_or((url, ""));
        let Some(other) = dashboards.iter().find(|other| other["uid"] == uid) else {
            problems.push(format!("a link leads to /d/{uid}, which does not exist"));
            continue;
        };
        let names = query.split('&').filter_map(|pair| pair.split('=').next()?.strip_prefix("var-"));
        let has = |name: &str| list_at(other, "/templating/list").any(|variable| variable["name"] == name);
        problems.extend(names.filter(|name| !has(name)).map(|name| format!("a link sets {name}, which {uid} has not")));
    }
    problems
}

/// Panels lie beside each other, and each has an id of its own.
fn grid(dashboard: &Value) -> Problems {
    let (mut problems, mut cells, mut ids) = (Problems::new(), BTreeSet::new(), BTreeSet::new());
    for panel in panels(dashboard) {
        let at = |field: &str| panel["gridPos"][field].as_u64().unwrap_or_default();
        let (x, y, width, height) = (at("x"), at("y"), at("w"), at("h"));
        let mut free = width > 0 && height > 0 && x + width <= COLUMNS;
        for row in y..y + height {
            free &= (x..x + width).all(|column| cells.insert((column, row)));
        }
        if !free {
            problems.push(format!("{:?} lies over another panel, or beyond the grid", text(panel, "/title")));
        }
        if !panel["id"].as_u64().is_some_and(|id| id > 0 && ids.insert(id)) {
            problems.push(format!("{:?} has no id of its own", text(panel, "/title")));
        }
    }
    problems
}

/// The texts of all fields of this name.
fn values(value: &Value, field: &str, found: &mut Vec<String>) {
    found.extend(map_at(value, "").get(field).and_then(Value::as_str).map(str::to_owned));
    map_at(value, "").values().chain(list_at(value, "")).for_each(|inner| values(inner, field, found));
}

/// The variables in all texts: `$name`, `${name}`, `${name:format}`.
fn used_in(value: &Value, found: &mut BTreeSet<String>) {
    for part in value.as_str().unwrap_or_default().split('$').skip(1) {
        let name = part.strip_prefix('{').unwrap_or(part);
        let end = name.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(name.len());
        if end > 0 {
            found.insert(name[..end].to_owned());
        }
    }
    map_at(value, "").values().chain(list_at(value, "")).for_each(|inner| used_in(inner, found));
}
