//! The lag of groups as the brokers see it: the Collector of `infra/monitoring/kafka-lag`, its ServiceMonitor's new names, and the rule
//! that says when a group stands still, in a real Prometheus.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use testbed::ports::free_port;
use testbed::process::Signal;

use super::Scenario;
use super::bench::Bench;
use super::build;
use super::servers::Collector;
use crate::e2e::bench::RUN;
use crate::manifests::set::{Set, list_at, map_at};
use crate::programs;
use crate::servers::Prometheus;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "group-unattended",
    claim: "a group that stops with lag fires KafkaConsumerGroupUnattended, its return resolves it, and one at work never does",
    run: unattended,
}];

const FOLDER: &str = "infra/monitoring/kafka-lag";
const RULES: &str = "infra/monitoring/rules/group-lag.yaml";
/// The alert while it fires, by group.
const FIRING: &str = r#"ALERTS{alertname="KafkaConsumerGroupUnattended",alertstate="firing"}"#;
/// How long a look of the Collector, a scrape, the rule and a start of a member may take together.
const SOON: Duration = Duration::from_secs(120);
/// Of a member: until the broker takes a killed one for gone.
const SESSION: [&str; 2] = ["-X", "session.timeout.ms=6000"];

fn unattended(bench: &mut Bench) -> Result<String> {
    let place = bench.kafka.topic("lagging")?;
    let set = Set::load(&programs::root())?;
    let program = build::collector("otelcol-lag", "builder-lag")?;
    let lag = format!("127.0.0.1:{}", free_port()?);
    let replaced = [
        ("kafka.kafka.svc.cluster.local:9092", place.servers.as_str()),
        ("0.0.0.0:9308", lag.as_str()),
        ("collection_interval: 30s", "collection_interval: 1s"),
    ];
    // A member that reads on, and one that has read and is gone.
    let attended = crate::e2e::bench::Place { run: "attended".to_owned(), ..place.clone() };
    let member = bench.kafka.consumer(&attended).args(SESSION).spawn()?;
    bench.kafka.producer(&place).args(["-n", "100"]).run(RUN)?.expect_code(0)?;
    bench.kafka.consumer(&place).args(SESSION).arg("--exit-at-end").run(RUN)?.expect_code(0)?;
    bench.kafka.producer(&place).args(["-n", "50"]).run(RUN)?.expect_code(0)?;

    let collector = Collector::start(&program, &format!("{FOLDER}/20-configmap.yaml"), &replaced, &[])?;
    let folder = TempDir::new()?;
    let rules = fs::read_to_string(programs::root().join(RULES)).with_context(|| format!("{RULES} is missing"))?;
    ensure!(rules.contains("for: 5m"), "{RULES}: the alert waits for another time");
    let shortened = folder.path().join("rules.yaml");
    fs::write(&shortened, rules.replace("for: 5m", "for: 2s"))?;
    let prometheus = Prometheus::start(&configuration(&set, &lag, &shortened)?.to_string(), folder.path())?;

    let groups = |series: &[Value]| -> Vec<String> {
        series.iter().filter_map(|series| Some(series["metric"]["consumergroup"].as_str()?.to_owned())).collect()
    };
    let firing = prometheus
        .wait_for(FIRING, SOON, |series| !series.is_empty())
        .with_context(|| format!("the Collector's log:\n{}", collector.log()))?;
    ensure!(groups(&firing) == [place.run.as_str()], "fires for {:?}", groups(&firing));
    let waiting = prometheus.query(&format!("sum(kafka_consumergroup_lag{{consumergroup=\"{}\"}})", place.run))?;
    ensure!(waiting.first().is_some_and(|series| series["value"][1] == "50"), "not 50 records wait: {waiting:?}");
    let back = bench.kafka.consumer(&place).args(SESSION).spawn()?;
    prometheus.wait_for(FIRING, SOON, <[Value]>::is_empty)?;
    back.stop(Signal::TERM, SOON)?.expect_code(0)?;
    member.stop(Signal::TERM, SOON)?.expect_code(0)?;
    collector.stop()?;
    Ok("fires for the group that left 50 records, is silent for the other, and resolves when a member is back"
        .to_owned())
}

/// A scrape of the Collector as the ServiceMonitor asks for it, and the rules.
fn configuration(set: &Set, lag: &str, rules_file: &Path) -> Result<Value> {
    let monitor = set.file(&format!("{FOLDER}/50-servicemonitor.yaml"))?;
    let endpoint = list_at(&monitor.value, "/spec/endpoints").next().context("the ServiceMonitor has no endpoint")?;
    let rules = |list: &str| list_at(endpoint, list).map(relabelling).collect::<Vec<_>>();
    let (target, metric) = (rules("/relabelings"), rules("/metricRelabelings"));
    ensure!(!metric.is_empty(), "the ServiceMonitor renames nothing");
    Ok(json!({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [rules_file],
        "scrape_configs": [{
            "job_name": "lag",
            // The label that the operator sets.
            "static_configs": [{"targets": [lag], "labels": {"namespace": monitor.namespace()}}],
            "relabel_configs": target,
            "metric_relabel_configs": metric,
        }],
    }))
}

/// A rule of the operator's in Prometheus' words: `sourceLabels` is `source_labels`.
fn relabelling(rule: &Value) -> Value {
    let snake = |name: &str| -> String {
        let letter = |letter: char| {
            if letter.is_uppercase() { format!("_{}", letter.to_lowercase()) } else { letter.to_string() }
        };
        name.chars().map(letter).collect()
    };
    let fields = map_at(rule, "").iter().map(|(name, value)| (snake(name), value.clone()));
    Value::Object(fields.collect::<Map<_, _>>())
}
