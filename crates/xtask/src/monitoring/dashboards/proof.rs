//! The checkers find what they are there for: each is given something wrong, and has to refuse it.

use std::fs;

use anyhow::Result;
use serde_json::{Value, json};

use super::node::{Node, target};
use super::{Query, promql, read};
use crate::manifests::set::Problems;
use crate::monitoring::rules::Rule;

/// Broken in ways that only a parser of the language sees: brackets, a type, a function, a range that is missing.
const PROMQL: [&str; 4] = [
    "sum by (topic) (rate(kafka_consumer_records_total[1m])",
    "rate(sum(kafka_consumer_records_total))",
    "histogram_quantil(0.99, kafka_consumer_commit_seconds_bucket)",
    "rate(kafka_consumer_records_total)",
];
const LOGQL: [&str; 3] = [
    r#"{k8s_namespace_name="kafka-clients"} | json level="level" | level=~"WARN"#,
    r#"sum by (level) (count_over_time({service_name="kafka-consumer"} | json))"#,
    r#"{service_name="kafka-consumer"} |~ | json"#,
];

/// A value of a dashboard that Grafana's types refuse.
const WRONG: [(&str, &str); 4] = [
    ("/refresh", "[true]"),
    ("/panels/0/gridPos/w", "\"wide\""),
    ("/panels/0/titel", "\"misspelt\""),
    ("/panels/1/options/graphMode", "\"areas\""),
];

/// What is not refused although it should be.
pub fn check(node: &Node) -> Result<Problems> {
    let mut problems = Problems::new();
    for expr in PROMQL {
        let query = Query { language: "promql".to_owned(), expr: expr.to_owned(), ..Query::default() };
        if promql::check(&[query])?.is_empty() {
            problems.push(format!("promtool takes a broken query: {expr}"));
        }
    }
    let dashboards = read(&super::folder())?;
    let whole = dashboards.iter().find(|dashboard| dashboard["panels"][1]["type"] == "stat").unwrap_or(&Value::Null);
    for expr in LOGQL {
        let queries = json!([{"dashboard": "proof", "panel": "broken", "language": "logql", "expr": expr}]);
        if refused(node, whole, &queries)? == 0 {
            problems.push(format!("the grammar of LogQL takes a broken query: {expr}"));
        }
    }
    for (pointer, value) in WRONG {
        if refused(node, &with(whole, pointer, serde_json::from_str(value)?), &json!([]))? == 0 {
            problems.push(format!("Grafana's schema takes {value} at {pointer}"));
        }
    }
    if refused(node, whole, &json!([]))? != 0 {
        problems.push("Grafana's schema refuses the dashboard that is the base of this proof".to_owned());
    }
    Ok(problems)
}

/// What is wrong with the alerts of Loki's ruler, which the same grammar reads.
pub fn log_rules(node: &Node, rules: &[Rule]) -> Result<Problems> {
    let dashboards = read(&super::folder())?;
    let queries: Vec<_> = rules
        .iter()
        .map(|rule| json!({"dashboard": "loki/rules.yaml", "panel": rule.alert(), "language": "logql", "expr": rule.expression()}))
        .collect();
    if queries.is_empty() {
        return Ok(vec!["Loki's ruler has no rule at all".to_owned()]);
    }
    problems(node, &dashboards[0], &queries.into())
}

/// How many problems one dashboard and these queries have.
fn refused(node: &Node, dashboard: &Value, queries: &Value) -> Result<usize> {
    Ok(problems(node, dashboard, queries)?.len())
}

fn problems(node: &Node, dashboard: &Value, queries: &Value) -> Result<Problems> {
    let folder = tempfile::tempdir_in(target()?)?;
    fs::create_dir(folder.path().join("json"))?;
    fs::write(folder.path().join("json/proof.json"), dashboard.to_string())?;
    fs::write(folder.path().join(super::QUERIES), queries.to_string())?;
    node.check(folder.path())
}

/// A copy with one value set.
fn with(dashboard: &Value, pointer: &str, value: Value) -> Value {
    let mut dashboard = dashboard.clone();
    let (parent, last) = pointer.rsplit_once('/').unwrap_or_default();
    if let Some(parent) = dashboard.pointer_mut(parent).and_then(Value::as_object_mut) {
        parent.insert(last.to_owned(), value);
    }
    dashboard
}
