//! The files that are made of others: which, and whether what is committed is what is made now.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{routes, rules};
use crate::manifests::set::Problems;

/// The JMX exporter's rules, and the ConfigMap that holds the same text.
const JMX: &str = "infra/monitoring/kafka/jmx-exporter.yaml";
const JMX_MAP: &str = "infra/kafka/strimzi/20-configmap-metrics.yaml";
/// The key of that text in the ConfigMap.
const JMX_KEY: &str = "  jmx-exporter.yaml: |\n";
/// Of the Kafka in `infra/kafka`.
const KAFKA: &str = "4.3.1";

/// The rules as objects, each with its file; the alerts lead to their runbooks, where `runbooks` says where those are.
fn objects(root: &Path, runbooks: &str) -> Result<Vec<(&'static str, String)>> {
    let ours = env!("CARGO_PKG_VERSION");
    let rule = |source, namespace, part_of| rules::committed(root, source, namespace, part_of, runbooks);
    Ok(vec![
        (
            "infra/monitoring/programs/20-prometheusrule.yaml",
            rule("clients", "kafka-clients", ("kafka-clients", ours))?,
        ),
        (
            "infra/monitoring/stack/10-prometheusrule-kube-state.yaml",
            rule("kube-state", "monitoring", ("monitoring", ours))?,
        ),
        (
            "infra/monitoring/stack/11-prometheusrule-pipeline.yaml",
            rule("pipeline", "monitoring", ("monitoring", ours))?,
        ),
        (
            "infra/monitoring/kafka/strimzi/20-prometheusrule-kafka-jmx.yaml",
            rule("kafka-jmx", "kafka", ("kafka", KAFKA))?,
        ),
        (
            "infra/monitoring/kafka/strimzi/21-prometheusrule-group-lag.yaml",
            rule("group-lag", "kafka", ("kafka", KAFKA))?,
        ),
        ("infra/monitoring/kafka-lag/60-prometheusrule.yaml", rule("group-lag", "kafka", ("kafka", KAFKA))?),
    ])
}

/// The rules of a release, by the name of their source: each alert leads to its runbook below this address.
///
/// # Errors
/// When a source can't be read.
pub fn of_release(root: &Path, runbooks: &str) -> Result<Vec<(&'static str, String)>> {
    let mut objects = objects(root, runbooks)?;
    for (path, text) in &mut objects {
        let name = text.lines().find_map(|line| line.strip_prefix("  name: "));
        let source = rules::SOURCES.iter().find(|source| Some(**source) == name);
        *path = source.with_context(|| format!("{path} is of no source"))?;
    }
    // Those of the groups' lag lie beside each of the two that give it.
    objects.dedup_by(|one, other| one.0 == other.0);
    Ok(objects)
}

/// Every file that is made, with its text.
fn files(root: &Path) -> Result<Vec<(&'static str, String)>> {
    let mut files = objects(root, "")?;
    files.extend([
        ("infra/monitoring/routes/alertmanager.yaml", routes::plain(root)?),
        ("infra/monitoring/alertmanager/20-alertmanagerconfig.yaml", routes::object(root)?),
        (JMX_MAP, jmx(root)?),
    ]);
    Ok(files)
}

/// The ConfigMap with the text of the rules file, without the comment at its head.
fn jmx(root: &Path) -> Result<String> {
    let read = |path: &str| fs::read_to_string(root.join(path)).with_context(|| format!("{path} can't be read"));
    let (map, rules) = (read(JMX_MAP)?, read(JMX)?);
    let (head, _) = map.split_once(JMX_KEY).with_context(|| format!("{JMX_MAP} has no key for the rules"))?;
    let body = rules.lines().skip_while(|line| line.starts_with('#'));
    let body: String = body.map(|line| if line.is_empty() { "\n".into() } else { format!("    {line}\n") }).collect();
    Ok(format!("{head}{JMX_KEY}{body}"))
}

/// Writes what differs.
///
/// # Errors
/// When a source can't be read or a file can't be written.
pub fn write(root: &Path) -> Result<()> {
    for (path, text) in files(root)? {
        if fs::read_to_string(root.join(path)).ok().as_ref() != Some(&text) {
            fs::write(root.join(path), text).with_context(|| format!("{path} can't be written"))?;
            println!("wrote {path}");
        }
    }
    Ok(())
}

/// Compares.
///
/// # Errors
/// When a source can't be read.
pub fn check(root: &Path) -> Result<Problems> {
    let differs =
        |(path, text): &(&'static str, String)| fs::read_to_string(root.join(path)).ok().as_ref() != Some(text);
    let stale = files(root)?.into_iter().filter(differs);
    Ok(stale.map(|(path, _)| format!("{path} is stale: run cargo xtask monitoring")).collect())
}
