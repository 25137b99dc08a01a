//! Every line of every pod is in the database once, as it was written, with what it is about; and with nothing else.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Scenario;
use super::bench::Bench;
use super::node::{Container, Line};
use super::story::{POISON, TRACE};
use crate::manifests::set::{map_at, text};

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "log-lines",
        claim: "each line of each pod is found once, unchanged, with its pod, container, restart, level, event and trace id",
        run: lines,
    },
    Scenario {
        name: "log-hostile",
        claim: "nothing of a record becomes a label, an attribute or a trace id, whatever the record looks like",
        run: hostile,
    },
];

/// All that a line may have beside itself. What starts with an underscore is VictoriaLogs' own.
const FIELDS: [&str; 15] = [
    "_stream",
    "_stream_id",
    "_time",
    "event",
    "k8s.container.name",
    "k8s.container.restart_count",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.pod.uid",
    "log.iostream",
    "service.name",
    "severity_number",
    "severity_text",
    "trace_id",
    "_msg",
];
/// Of the library that read the line; the same for all.
const SCOPE: [(&str, &str); 2] = [("scope.name", "unknown"), ("scope.version", "unknown")];

fn lines(bench: &mut Bench) -> Result<String> {
    let logs = bench.logs()?;
    let mut rows = BTreeMap::<(String, String, String), Vec<Value>>::new();
    for row in logs.store.query("*")? {
        let of = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        rows.entry((of("k8s.pod.name"), of("k8s.container.restart_count"), of("_msg"))).or_default().push(row);
    }
    let (mut found, mut traced) = (0, 0);
    for (container, line) in logs.story.lines() {
        let key = (container.pod.clone(), container.restarts.to_string(), line.text.clone());
        let row =
            rows.get_mut(&key).and_then(Vec::pop).with_context(|| format!("not found: {container:?} {line:?}"))?;
        let wrong = differences(container, line, &row);
        ensure!(wrong.is_empty(), "{container:?} {line:?}\n{}\n{row}", wrong.join("\n"));
        found += 1;
        traced += usize::from(row["trace_id"] == TRACE);
    }
    let left: Vec<_> = rows.into_values().flatten().collect();
    ensure!(left.is_empty(), "{} lines too many: {left:?}", left.len());
    ensure!(traced == 2, "{traced} lines have the trace id that one record had, read by two starts");
    Ok(format!("{found} lines of {} files, all as written", logs.story.files.len()))
}

/// What a row says that its line does not, or the other way round.
fn differences(container: &Container, line: &Line, row: &Value) -> Vec<String> {
    let said = line.json();
    let ours = container.name.starts_with("kafka-");
    let of_line = |field: &str| if ours { text(&said, &format!("/{field}")) } else { "" };
    let level = if of_line("level").is_empty() { "Unspecified" } else { of_line("level") };
    let restarts = container.restarts.to_string();
    let wanted = [
        ("k8s.namespace.name", container.namespace.as_str()),
        ("k8s.pod.name", &container.pod),
        ("k8s.container.name", &container.name),
        ("service.name", &container.name),
        ("k8s.container.restart_count", &restarts),
        ("log.iostream", line.stream),
        ("severity_text", level),
        ("event", of_line("event")),
        ("trace_id", of_line("trace_id")),
    ];
    let differs = |(field, wanted): &(&str, &str)| {
        let found = row[*field].as_str().unwrap_or_default();
        (found != *wanted).then(|| format!("{field} is {found:?}, not {wanted:?}"))
    };
    wanted.iter().filter_map(differs).collect()
}

fn hostile(bench: &mut Bench) -> Result<String> {
    let logs = bench.logs()?;
    let (mut poisoned, mut events) = (0, BTreeSet::new());
    for row in logs.store.query("*")? {
        for (field, value) in map_at(&row, "") {
            let value = value.as_str().unwrap_or_default();
            ensure!(FIELDS.contains(&field.as_str()) || SCOPE.contains(&(field, value)), "the field {field}: {row}");
            let clean = !value.contains(POISON) && !value.contains("ffffffff");
            ensure!(clean || field == "_msg", "{field} has it from a record: {row}");
            poisoned += usize::from(field == "_msg" && value.contains(POISON));
        }
        events.insert(text(&row, "/event").to_owned());
    }
    // Four records, read by two starts, and a line of somebody else.
    ensure!(poisoned == 9, "{poisoned} lines of hostile records");
    Ok(format!("{poisoned} lines of hostile records, {} events, no field beside the known ones", events.len()))
}
