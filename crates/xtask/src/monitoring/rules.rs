//! The rules of `infra/monitoring/rules`: read, and made into a PrometheusRule for each place where their metrics are given.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use crate::manifests::set::{Problems, list_at, map_at, text};

/// Where the sources are.
pub const FOLDER: &str = "infra/monitoring/rules";
/// The rules of Loki's ruler.
const LOKI: &str = "infra/monitoring/loki/rules.yaml";
/// The sources of metrics: a file of rules each.
pub const SOURCES: [&str; 5] = ["clients", "kafka-jmx", "group-lag", "kube-state", "pipeline"];
/// What an alert's severity may be: routed at once, later, or only to the dead man's switch.
const SEVERITIES: [&str; 3] = ["critical", "warning", "none"];
/// The one alert that is not about something that is ill.
const WATCHDOG: &str = "Watchdog";

/// A rule, and the file that it is from.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The source of its metrics.
    pub source: String,
    /// All that it says.
    pub value: Value,
}

/// All rules of Prometheus, and the names of Loki's alerts.
pub struct Rules {
    /// Prometheus' rules.
    pub all: Vec<Rule>,
    /// The alerts of Loki's ruler.
    pub from_logs: Vec<Rule>,
}

impl Rule {
    /// The alert's name; empty for a recording rule.
    pub fn alert(&self) -> &str {
        text(&self.value, "/alert")
    }

    /// The name of what it records; empty for an alert.
    pub fn record(&self) -> &str {
        text(&self.value, "/record")
    }

    /// Its expression.
    pub fn expression(&self) -> &str {
        text(&self.value, "/expr")
    }
}

impl Rules {
    /// Reads all files.
    ///
    /// # Errors
    /// When one is missing or no YAML, or another file lies beside them.
    pub fn read(root: &Path) -> Result<Self> {
        let mut all = Vec::new();
        for source in SOURCES {
            all.extend(of_file(&root.join(FOLDER).join(format!("{source}.yaml")), source)?);
        }
        let expected: BTreeSet<String> =
            SOURCES.iter().flat_map(|source| [format!("{source}.yaml"), format!("{source}.test.yaml")]).collect();
        let there = fs::read_dir(root.join(FOLDER))?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let there = there.collect::<Result<BTreeSet<_>>>()?;
        ensure!(there == expected, "{FOLDER} has the files {there:?}, not {expected:?}");
        Ok(Self { all, from_logs: of_file(&root.join(LOKI), "logs")? })
    }

    /// The names of all alerts, those from logs too.
    pub fn alerts(&self) -> BTreeSet<&str> {
        self.all.iter().chain(&self.from_logs).map(Rule::alert).filter(|name| !name.is_empty()).collect()
    }

    /// What each alert has to say.
    pub fn check(&self) -> Problems {
        let mut problems = Problems::new();
        for rule in self.all.iter().chain(&self.from_logs).filter(|rule| !rule.alert().is_empty()) {
            let mut problem = |what: String| problems.push(format!("{} ({}): {what}", rule.alert(), rule.source));
            let severity = text(&rule.value, "/labels/severity");
            if !SEVERITIES.contains(&severity) || (severity == "none") != (rule.alert() == WATCHDOG) {
                problem(format!("severity is {severity:?}"));
            }
            if text(&rule.value, "/annotations/summary").is_empty() {
                problem("has no summary".into());
            }
            if !text(&rule.value, "/annotations/description").contains("$value") {
                problem("its description has no number ($value)".into());
            }
            if !text(&rule.value, "/annotations/runbook_url").is_empty() {
                problem("runbook_url is written by the generator".into());
            }
            // It would fire where nothing is scraped, and carry no namespace.
            if rule.expression().contains("absent(") {
                problem("absent() carries no namespace".into());
            }
        }
        problems
    }

    /// Whether the tests show each alert firing, with its namespace, and silent.
    ///
    /// # Errors
    /// When a file of tests can't be read.
    pub fn check_tests(&self, root: &Path) -> Result<Problems> {
        let mut problems = Problems::new();
        for source in SOURCES {
            let path = root.join(FOLDER).join(format!("{source}.test.yaml"));
            let tests = parse(&path)?;
            let own = self.all.iter().filter(|rule| rule.source == source && !rule.alert().is_empty());
            let own: BTreeSet<_> = own.map(|rule| (rule.alert(), text(&rule.value, "/labels/severity"))).collect();
            let (mut fires, mut silent) = (BTreeSet::new(), BTreeMap::<&str, usize>::new());
            let evaluations = list_at(&tests, "/tests").flat_map(|test| list_at(test, "/alert_rule_test"));
            for evaluation in evaluations {
                let name = text(evaluation, "/alertname");
                let expected: Vec<_> = list_at(evaluation, "/exp_alerts").collect();
                if expected.is_empty() {
                    *silent.entry(name).or_default() += 1;
                }
                for labels in expected.iter().map(|alert| map_at(alert, "/exp_labels")) {
                    let severity = labels.get("severity").and_then(Value::as_str).unwrap_or_default();
                    if labels.contains_key("namespace") {
                        fires.insert((name, severity));
                    }
                }
            }
            for (alert, severity) in &own {
                let mut problem =
                    |what: &str| problems.push(format!("{source}.test.yaml: {alert} ({severity}) {what}"));
                if !fires.contains(&(*alert, *severity)) {
                    problem("is never seen firing, with a namespace");
                }
                // Before, in the noise that it knows, or after its end.
                if *alert != WATCHDOG && silent.get(alert).is_none_or(|times| *times < 2) {
                    problem("is not seen silent before and after");
                }
            }
        }
        Ok(problems)
    }
}

fn of_file(path: &Path, source: &str) -> Result<Vec<Rule>> {
    let file = parse(path)?;
    let rules = list_at(&file, "/groups").flat_map(|group| list_at(group, "/rules"));
    Ok(rules.map(|value| Rule { source: source.to_owned(), value: value.clone() }).collect())
}

/// A YAML file.
pub fn parse(path: &Path) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
    serde_saphyr::from_str(&text).map_err(|error| anyhow!("{}: {error}", path.display()))
}

/// A PrometheusRule of a source's text: its groups as they are, with a link to the runbook in each alert.
///
/// # Errors
/// When the text has no groups.
pub fn object(source: &str, rules: &str, namespace: &str, part_of: (&str, &str), runbooks: &str) -> Result<String> {
    let (_, groups) = rules.split_once("\ngroups:\n").with_context(|| format!("{source}.yaml has no groups"))?;
    let (part_of, version) = part_of;
    let mut text = format!(
        "# Made of rules/{source}.yaml by `cargo xtask monitoring`: change that one.\n\
         apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: {source}\n  namespace: {namespace}\n  \
         labels:\n    app.kubernetes.io/name: {source}\n    app.kubernetes.io/component: rules\n    \
         app.kubernetes.io/part-of: {part_of}\n    app.kubernetes.io/version: {version}\nspec:\n  groups:\n"
    );
    let mut alert = "";
    for line in groups.lines() {
        if let Some(name) = line.trim_start().strip_prefix("- alert: ") {
            alert = name;
        }
        // An alias repeats what its anchor says, with the link: both have the same name.
        text += &if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") };
        if !runbooks.is_empty() && line.trim_start().starts_with("annotations:") && !line.contains('*') {
            text += &format!("            runbook_url: {runbooks}operations.md#{}\n", alert.to_lowercase());
        }
    }
    Ok(text)
}

/// [`object`] of a committed source. `runbooks` is where a browser finds the documents, up to a page's name; only a release knows.
///
/// # Errors
/// When the source can't be read.
pub fn committed(root: &Path, source: &str, namespace: &str, part_of: (&str, &str), runbooks: &str) -> Result<String> {
    let path = root.join(FOLDER).join(format!("{source}.yaml"));
    let rules = fs::read_to_string(&path).with_context(|| format!("{} can't be read", path.display()))?;
    object(source, &rules, namespace, part_of, runbooks)
}
