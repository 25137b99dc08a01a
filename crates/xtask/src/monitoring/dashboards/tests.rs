//! The committed dashboards have no problem, and each rule finds the one that it is there for.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::{copies, folder, queries, read, rules, stale};
use crate::manifests::set::{Object, Set};

fn sources() -> rules::Sources {
    rules::Sources::read(&folder().join("datasources")).unwrap()
}

/// The dashboard of the clients with one value changed; null takes it out.
fn with(pointer: &str, value: Value) -> Vec<String> {
    let mut dashboards = read(&folder()).unwrap();
    let clients = dashboards.iter_mut().find(|dashboard| dashboard["uid"] == "kafka-clients").unwrap();
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    match clients.pointer_mut(parent).unwrap() {
        Value::Object(fields) if value.is_null() => drop(fields.remove(last)),
        Value::Object(fields) => drop(fields.insert(last.to_owned(), value)),
        Value::Array(items) => items[last.parse::<usize>().unwrap()] = value,
        other => panic!("{other} has no {last}"),
    }
    rules::check(&dashboards, &sources())
}

#[test]
fn the_committed_ones_keep_the_rules() {
    assert_eq!(rules::check(&read(&folder()).unwrap(), &sources()), [""; 0]);
    assert_eq!(sources().problems(), [""; 0]);
}

#[test]
fn each_rule_finds_what_breaks_it() {
    for (pointer, value, wanted) in [
        ("/panels/1/title", json!(""), "has no title"),
        ("/panels/1/description", Value::Null, "has no description"),
        ("/panels/1/description", json!("normal"), "has no description"),
        ("/panels/1/fieldConfig/defaults/unit", Value::Null, "has no unit"),
        ("/panels/1/targets", json!([]), "asks nothing"),
        ("/panels/1/targets/0/datasource/uid", json!("other"), "asks another data source"),
        ("/panels/1/datasource/uid", json!("${namespace}"), "has the data source"),
        ("/panels/1/datasource/uid", json!("mimir"), "has the data source mimir"),
        ("/panels/1/targets/0/expr", json!("up{pod=~\"$pods\"}"), "the variable pods is used"),
        ("/panels/1/targets/0/expr", json!("up{pod=~\"${pods:regex}\"}"), "the variable pods is used"),
        ("/templating/list/2/name", json!("groups"), "the variable groups is defined and not used"),
        ("/templating/list/0/current/value", json!("mimir"), "the variable datasource starts with mimir"),
        ("/panels/2/gridPos/x", json!(0), "lies over another panel"),
        ("/panels/2/gridPos/w", json!(30), "lies over another panel, or beyond the grid"),
        ("/panels/2/id", json!(2), "has no id of its own"),
        ("/panels/2/links", json!([{"url": "/d/kafka-log"}]), "/d/kafka-log, which does not exist"),
        ("/panels/2/links", json!([{"url": "/d/kafka-logs?var-pods=a"}]), "sets pods, which kafka-logs has not"),
    ] {
        let found = with(pointer, value);
        assert!(found.iter().any(|problem| problem.contains(wanted)), "{pointer}: {wanted}: {found:?}");
    }
}

#[test]
fn data_sources_that_lead_nowhere_or_share_a_uid_are_found() {
    let to_tempo = json!({"uid": "loki", "type": "loki", "jsonData": {"derivedFields": [{"datasourceUid": "tempo"}]}});
    let found = rules::Sources(BTreeMap::from([("loki".to_owned(), vec![to_tempo.clone(), to_tempo])])).problems();
    assert!(found.iter().any(|problem| problem.contains("2 data sources have the uid")), "{found:?}");
    assert!(found.iter().any(|problem| problem.contains("loki leads to tempo")), "{found:?}");
}

#[test]
fn a_dashboard_that_differs_from_its_source_or_has_none_is_found() {
    let (made, committed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&made, &committed] {
        fs::create_dir(folder.path().join("json")).unwrap();
        fs::write(folder.path().join("queries.json"), "[]").unwrap();
        fs::write(folder.path().join("json/a.json"), "{}").unwrap();
    }
    assert_eq!(stale(made.path(), committed.path()).unwrap(), [""; 0]);
    fs::write(committed.path().join("json/a.json"), "{ }").unwrap();
    fs::write(committed.path().join("json/by-hand.json"), "{}").unwrap();
    let found = stale(made.path(), committed.path()).unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_copy_that_differs_and_a_mount_that_is_missing_are_found() {
    let dashboard = json!({"uid": "kafka-clients", "title": "Kafka clients"});
    let map = |text: &str, label: &str| Set {
        objects: vec![Object {
            path: "dashboards".to_owned(),
            value: json!({"metadata": {"labels": {"grafana_dashboard": label}}, "data": {"a.json": text}}),
        }],
        others: Vec::new(),
    };
    let copies_of =
        |text: &str, label: &str| copies::sidecar(&map(text, label), std::slice::from_ref(&dashboard)).len();
    assert_eq!(copies_of(&dashboard.to_string(), "1"), 0);
    assert_eq!(copies_of(&dashboard.to_string(), "true"), 1, "the sidecar looks for 1");
    assert_eq!(copies_of(r#"{"uid": "kafka-clients"}"#, "1"), 1);
    assert_eq!(copies_of(&format!(r#"{{"long": "{}"}}"#, "x".repeat(300_000)), "1"), 2, "too large, and another one");

    let compose = json!({"services": {"a": {"volumes": ["./here:/a:ro", "data:/b", "../away:/c"]}}});
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("here"), "").unwrap();
    let found = copies::mounts(&compose, folder.path());
    assert!(matches!(&found[..], [one] if one.contains("../away")), "{found:?}");
}

#[test]
fn every_query_has_its_variables_filled_in_and_its_place() {
    let queries = queries().unwrap();
    assert!(queries.iter().all(|query| query.panel.is_some() != query.variable.is_some()));
    assert!(queries.iter().all(|query| ["promql", "logql"].contains(&query.language.as_str())));
    assert!(queries.iter().all(|query| !query.expr.contains('$')), "a variable is left");
    assert!(queries.iter().any(|query| query.may_be_empty.is_some()));
}
