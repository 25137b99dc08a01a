//! The metrics that rules and dashboards ask for: each is one of ours, one that JMX gave, one that a rule records, or a foreign one
//! whose source is known. A misspelt name would be an alert that never fires.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::rules::Rules;
use crate::manifests::set::{Problems, text};

/// Ours: generated from the programs' registries.
const OURS: &str = "docs/metrics.md";
/// What the JMX exporter gave on three real brokers with our rules; `cargo xtask e2e monitoring` compares.
pub const JMX: &str = "infra/monitoring/kafka/metrics.txt";
/// The dashboards' queries, where they are.
const QUERIES: &str = "infra/monitoring/dashboards/queries.json";
/// Those of others, and where each is documented. A name that ends with `*` is a family.
const FOREIGN: [(&str, &str); 14] = [
    ("up", "Prometheus: one a target"),
    ("ALERTS", "Prometheus: one an alert"),
    ("ALERTS_FOR_STATE", "Prometheus: one an alert"),
    ("scrape_*", "Prometheus: a few a target"),
    ("push_time_seconds", "Pushgateway: one a group"),
    ("push_failure_time_seconds", "Pushgateway: one a group"),
    ("kube_*", "kube-state-metrics: docs/metrics"),
    ("kubelet_volume_stats_*", "the kubelet: Kubernetes' metrics reference"),
    ("container_*", "cAdvisor in the kubelet: Kubernetes' metrics reference"),
    ("kafka_consumergroup_lag", "kafka_exporter's README"),
    ("kafka_consumergroup_lag_sum", "kafka_exporter's README"),
    ("kafka_consumergroup_members", "kafka_exporter's README"),
    ("jvm_*", "the JMX exporter: its client library's JVM metrics"),
    ("otelcol_*", "the OpenTelemetry Collector: internal telemetry"),
];
/// What a histogram's name ends with in a query.
const OF_HISTOGRAMS: [&str; 3] = ["_bucket", "_sum", "_count"];
/// Behind these come labels, not metrics.
const BEFORE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
/// They stand before `by` as well as before a bracket.
const AGGREGATIONS: [&str; 12] =
    ["sum", "min", "max", "avg", "count", "group", "stddev", "stdvar", "topk", "bottomk", "count_values", "quantile"];
/// Words of the language that are no metrics.
const WORDS: [&str; 8] = ["and", "or", "unless", "bool", "offset", "inf", "nan", "atan2"];

/// Every metric that rules and dashboards name.
///
/// # Errors
/// When a list is missing.
pub fn check(root: &Path, rules: &Rules) -> Result<Problems> {
    let known = Known::read(root, rules)?;
    let mut problems = Problems::new();
    for rule in &rules.all {
        let name = [rule.alert(), rule.record()].concat();
        problems.extend(
            known.unknown(rule.expression()).into_iter().map(|metric| format!("{name}: nobody gives {metric}")),
        );
    }
    if root.join(QUERIES).is_file() {
        let queries: Vec<Value> = serde_json::from_str(&fs::read_to_string(root.join(QUERIES))?)?;
        for query in queries.iter().filter(|query| text(query, "/language") == "promql") {
            let place = format!("{}: {}{}", text(query, "/dashboard"), text(query, "/panel"), text(query, "/variable"));
            let unknown = known.unknown(text(query, "/expr"));
            problems.extend(unknown.into_iter().map(|metric| format!("{place}: nobody gives {metric}")));
        }
    }
    ensure!(!known.unknown("rate(kafka_consumer_record_total[5m])").is_empty(), "a misspelt metric is not found");
    Ok(problems)
}

/// The metrics that somebody gives.
pub struct Known {
    exact: BTreeSet<String>,
}

impl Known {
    /// Reads the lists.
    ///
    /// # Errors
    /// When one is missing or empty.
    pub fn read(root: &Path, rules: &Rules) -> Result<Self> {
        let mut exact = BTreeSet::new();
        let page = fs::read_to_string(root.join(OURS)).with_context(|| format!("{OURS} can't be read"))?;
        for line in page.lines().filter(|line| line.starts_with("| `")) {
            let mut cells = line.split('|').skip(1).map(|cell| cell.trim().trim_matches('`'));
            let (name, kind) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
            exact.insert(name.to_owned());
            if kind == "histogram" {
                exact.extend(OF_HISTOGRAMS.map(|end| format!("{name}{end}")));
            }
        }
        ensure!(exact.len() > 20, "{OURS} has no metrics");
        exact.extend(jmx(root)?);
        exact.extend(rules.all.iter().map(|rule| rule.record().to_owned()).filter(|name| !name.is_empty()));
        Ok(Self { exact })
    }

    /// The metrics of an expression that nobody gives.
    pub fn unknown(&self, expression: &str) -> Vec<String> {
        metrics(expression).into_iter().filter(|name| !self.has(name)).collect()
    }

    fn has(&self, name: &str) -> bool {
        // Of a regular expression only the part that is sure.
        if let Some(start) = name.strip_suffix('~') {
            return self.exact.iter().any(|known| known.starts_with(start))
                || FOREIGN
                    .iter()
                    .any(|(known, _)| known.strip_suffix('*').is_some_and(|family| start.starts_with(family)));
        }
        self.exact.contains(name)
            || FOREIGN.iter().any(|(known, _)| {
                known.strip_suffix('*').map_or(*known == name, |family| name.starts_with(family) && name != family)
            })
    }
}

/// What JMX gave.
///
/// # Errors
/// When the list is missing.
pub fn jmx(root: &Path) -> Result<BTreeSet<String>> {
    let list = fs::read_to_string(root.join(JMX)).with_context(|| format!("{JMX} can't be read"))?;
    Ok(list.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect())
}

/// The names of metrics in an expression of PromQL; of one that is chosen by a regular expression its sure beginning and `~`.
pub fn metrics(expression: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let bytes: Vec<char> = expression.chars().collect();
    let (mut at, mut labels_follow) = (0, false);
    while at < bytes.len() {
        match bytes[at] {
            quote @ ('"' | '\'' | '`') => at = end_of_string(&bytes, at, quote),
            '#' => at = (at..bytes.len()).find(|at| bytes[*at] == '\n').unwrap_or(bytes.len()),
            '{' => {
                let end = closing(&bytes, at, '}');
                found.extend(by_name(&bytes[at..end].iter().collect::<String>()));
                at = end;
            }
            '[' => at = closing(&bytes, at, ']'),
            '(' if labels_follow => {
                at = closing(&bytes, at, ')');
                labels_follow = false;
            }
            letter if letter.is_ascii_alphabetic() || letter == '_' => {
                let end = (at..bytes.len()).find(|at| !is_of_name(bytes[*at])).unwrap_or(bytes.len());
                let word: String = bytes[at..end].iter().collect();
                let next = bytes[end..].iter().find(|letter| !letter.is_whitespace());
                let before_labels = BEFORE_LABELS.contains(&word.as_str());
                let of_the_language = before_labels
                    || AGGREGATIONS.contains(&word.as_str())
                    || WORDS.contains(&word.to_ascii_lowercase().as_str());
                if !of_the_language && next != Some(&'(') {
                    found.insert(word);
                }
                labels_follow = before_labels && next == Some(&'(');
                at = end;
                continue;
            }
            // A number, with its unit: `5m` is no metric.
            digit if digit.is_ascii_digit() => {
                at = (at..bytes.len()).find(|at| !is_of_name(bytes[*at]) && bytes[*at] != '.').unwrap_or(bytes.len());
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == ':'
}

/// The place of the quote that ends a string.
fn end_of_string(bytes: &[char], start: usize, quote: char) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == '\\' && quote != '`' { 2 } else { 1 };
    }
    at
}

/// The place of the bracket that closes one, strings left out.
fn closing(bytes: &[char], start: usize, bracket: char) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != bracket {
        at = if ['"', '\'', '`'].contains(&bytes[at]) { end_of_string(bytes, at, bytes[at]) } else { at } + 1;
    }
    at.min(bytes.len())
}

/// A metric that is chosen by the label `__name__`, each alternative of a regular expression for itself.
fn by_name(matchers: &str) -> Vec<String> {
    let Some((_, after)) = matchers.split_once("__name__") else { return Vec::new() };
    let Some((sign, value)) = after.split_once('"') else { return Vec::new() };
    let value = value.split('"').next().unwrap_or_default();
    if sign.trim() == "=" {
        return vec![value.to_owned()];
    }
    let sure = |text: &str| text.split(|letter: char| !is_of_name(letter)).next().unwrap_or_default().to_owned();
    // Alternatives at the top are names of their own, with or without a tail.
    let grouped = value.find('(').is_some_and(|open| value.find('|').is_none_or(|bar| open < bar));
    if grouped {
        return vec![sure(value) + "~"];
    }
    value.split('|').map(|name| if name.chars().all(is_of_name) { name.to_owned() } else { sure(name) + "~" }).collect()
}
