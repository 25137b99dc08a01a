//! Every documented query of LogsQL, as `infra/logging/queries/queries.yaml` has it, answers with exactly the lines that it is about.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::Scenario;
use super::bench::{Bench, Logs};
use super::story::{NAMESPACE, RESTARTED, TRACE, UNREADY};
use crate::manifests::set::text;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "log-queries",
    claim: "every query of the documentation finds just the lines that it is about",
    run: queries,
}];

/// The file that the page and the dashboard are made from too.
const FILE: &str = include_str!("../../../../../infra/logging/queries/queries.yaml");

/// Of the range of offsets.
const FIRST: i64 = 3;
/// See [`FIRST`].
const LAST: i64 = 12;
/// Of the partition.
const PARTITION: i64 = 2;

fn queries(bench: &mut Bench) -> Result<String> {
    let logs = bench.logs()?;
    let file: Value = serde_saphyr::from_str(FILE).map_err(|error| anyhow::anyhow!("queries.yaml: {error}"))?;
    let key = logs.story.key()?;
    let mut shown = Vec::new();
    for query in file["queries"].as_array().context("queries.yaml has no queries")? {
        let name = text(query, "/name");
        // The pod is another one in the one query that asks for what the other pod never said.
        let pod = if name == "not-ready" { UNREADY } else { RESTARTED };
        let values: BTreeMap<&str, String> = BTreeMap::from([
            ("namespace", NAMESPACE.to_owned()),
            ("topic", logs.story.topic.clone()),
            ("key", key.clone()),
            ("trace_id", TRACE.to_owned()),
            ("partition", PARTITION.to_string()),
            ("first", FIRST.to_string()),
            ("last", LAST.to_string()),
            ("run_id", logs.story.run.clone()),
            ("pod", pod.to_owned()),
        ]);
        let asked = filled(text(query, "/logsql"), &values)?;
        let rows = logs.store.query(&asked)?;
        expect(name, &rows, logs, &key).with_context(|| format!("{name}: {asked}\n{} rows: {rows:?}", rows.len()))?;
        shown.push(format!("{name} {}", rows.len()));
    }
    Ok(format!("rows: {}", shown.join(", ")))
}

/// The query with each `$name` replaced.
fn filled(query: &str, values: &BTreeMap<&str, String>) -> Result<String> {
    let mut text = query.to_owned();
    // Longest first, so that no name is taken for the beginning of another.
    let mut names: Vec<_> = values.iter().collect();
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    for (name, value) in names {
        text = text.replace(&format!("${name}"), value);
    }
    ensure!(!text.contains('$'), "a variable without a value: {text}");
    Ok(text)
}

/// The answer is what the story says.
fn expect(name: &str, rows: &[Value], logs: &Logs, key: &str) -> Result<()> {
    let story = &logs.story;
    let records = |wanted: &dyn Fn(&Value) -> bool| story.records().filter(|record| wanted(record)).collect::<Vec<_>>();
    let of_topic = |record: &Value| text(record, "/topic") == story.topic;
    let offset = |record: &Value| record["offset"].as_i64().unwrap_or(-1);
    let events = |pod: Option<&str>, wanted: &[&str]| -> usize {
        let of_pod = story.lines().filter(|(container, _)| pod.is_none_or(|pod| container.pod == pod));
        of_pod
            .filter(|(container, line)| {
                container.name == "kafka-consumer" && wanted.contains(&text(&line.json(), "/event"))
            })
            .count()
    };
    match name {
        "errors" => {
            let errors = story.lines().filter(|(container, line)| {
                container.namespace == NAMESPACE && text(&line.json(), "/level") == "ERROR"
            });
            same_lines(rows, errors.map(|(_, line)| line.text.clone()).collect())
        }
        "key" => same_records(rows, &records(&|record| of_topic(record) && text(record, "/key") == key)),
        "trace" => same_records(rows, &records(&|record| text(record, "/trace_id") == TRACE)),
        "offsets" => {
            let inside = |record: &Value| {
                of_topic(record) && record["partition"] == PARTITION && (FIRST..=LAST).contains(&offset(record))
            };
            same_records(rows, &records(&inside))
        }
        "run" => same_records(rows, &records(&|record| text(record, "/run_id") == story.run)),
        "rate" => {
            let counted: u64 = rows.iter().filter_map(|row| text(row, "/records").parse::<u64>().ok()).sum();
            let all = records(&|_| true).len() as u64;
            ensure!(counted == all, "{counted} of {all} records counted");
            ensure!(rows.iter().all(|row| !text(row, "/topic").is_empty()), "a row without a topic");
            Ok(())
        }
        "slowest" => {
            let latency = |record: &Value| record["latency_ms"].as_f64();
            let mut all: Vec<f64> = records(&|_| true).iter().filter_map(latency).collect();
            all.sort_by(|one, other| other.total_cmp(one));
            let found: Vec<f64> = rows.iter().filter_map(|row| text(row, "/latency_ms").parse().ok()).collect();
            ensure!(found == all[..10], "not the slowest: {:?}", &all[..10]);
            Ok(())
        }
        "rebalances" => same_number(rows, events(None, &["rebalance"]), &["kind", "assigned", "k8s.pod.name"]),
        "commits" => {
            same_number(
                rows,
                events(None, &["commit_failed", "commits_succeed"]),
                &["event", "message", "k8s.pod.name"],
            )?;
            ensure!(rows.iter().any(|row| !text(row, "/error").is_empty()), "no error is named");
            Ok(())
        }
        "not-ready" => {
            same_number(rows, events(Some(UNREADY), &["not_ready", "ready"]), &["event", "message"])?;
            ensure!(
                rows.last().is_some_and(|row| text(row, "/event") == "not_ready"),
                "the last word is not not_ready"
            );
            Ok(())
        }
        "last-lines" => {
            let pod = story.lines().filter(|(container, _)| container.pod == RESTARTED);
            let last = pod.last().context("the pod has no lines")?.1;
            ensure!(rows.len() == 50, "{} lines", rows.len());
            ensure!(
                rows.iter().any(|row| row["_msg"] == last.text.as_str()),
                "the last line is missing: {}",
                last.text
            );
            ensure!(rows.iter().all(|row| text(row, "/k8s.container.restart_count") == "1"), "not of its last start");
            Ok(())
        }
        _ => bail!("no scenario says what it is to find: add it here"),
    }
}

/// The rows are these lines, in any order.
fn same_lines(rows: &[Value], mut wanted: Vec<String>) -> Result<()> {
    let mut found: Vec<_> = rows.iter().map(|row| text(row, "/_msg").to_owned()).collect();
    found.sort_unstable();
    wanted.sort_unstable();
    ensure!(!wanted.is_empty(), "the story has no such line");
    ensure!(found == wanted, "wanted {} lines: {wanted:?}", wanted.len());
    Ok(())
}

/// The rows are the lines of these records.
fn same_records(rows: &[Value], wanted: &[Value]) -> Result<()> {
    let place =
        |value: &Value| (text(value, "/topic").to_owned(), value["partition"].as_i64(), value["offset"].as_i64());
    let parsed = rows.iter().map(|row| serde_json::from_str::<Value>(text(row, "/_msg")));
    let mut found: Vec<_> = parsed.map(|line| Ok(place(&line?))).collect::<Result<_>>()?;
    let mut places: Vec<_> = wanted.iter().map(place).collect();
    found.sort_unstable();
    places.sort_unstable();
    ensure!(!places.is_empty(), "the story has no such record");
    ensure!(found == places, "wanted {} records: {places:?}", places.len());
    Ok(())
}

/// So many rows, each with these fields.
fn same_number(rows: &[Value], wanted: usize, fields: &[&str]) -> Result<()> {
    ensure!(wanted > 0, "the story has no such line");
    ensure!(rows.len() == wanted, "wanted {wanted} rows");
    let missing = rows.iter().flat_map(|row| fields.iter().map(move |field| (row, field)));
    for (row, field) in missing {
        ensure!(row[*field].as_str().is_some_and(|value| !value.is_empty()), "no {field}: {row}");
    }
    Ok(())
}
