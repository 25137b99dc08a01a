//! The routes of `infra/monitoring/routes/routes.yaml`, as a plain Alertmanager reads them and as the operator's AlertmanagerConfig.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use super::{rules, yaml};
use crate::manifests::set::text;

/// The source.
pub const SOURCE: &str = "infra/monitoring/routes/routes.yaml";
/// What stands for Grafana's address in it.
const GRAFANA: &str = "GRAFANA";
/// Where a plain Alertmanager finds Slack's address.
pub const SLACK_FILE: &str = "/etc/alertmanager/slack/url";

/// The source, with Grafana's address in its place.
fn source(root: &Path) -> Result<Map<String, Value>> {
    let value = rules::parse(&root.join(SOURCE))?;
    let grafana = text(&value, "/grafana").to_owned();
    ensure!(!grafana.is_empty(), "{SOURCE} does not say where Grafana is");
    let written = serde_json::to_string(&value)?.replace(GRAFANA, &grafana);
    let mut fields: Map<String, Value> = serde_json::from_str(&written)?;
    fields.remove("grafana");
    Ok(fields)
}

/// For an Alertmanager that reads a file.
///
/// # Errors
/// When the source can't be read.
pub fn plain(root: &Path) -> Result<String> {
    let mut fields = source(root)?;
    let receivers = fields.get_mut("receivers").and_then(Value::as_array_mut).context("there are no receivers")?;
    for slack in receivers.iter_mut().filter_map(|receiver| receiver.get_mut("slack_configs")) {
        for config in slack.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            config.insert("api_url_file".into(), json!(SLACK_FILE));
        }
    }
    Ok(format!(
        "# Made of routes.yaml by `cargo xtask monitoring`: change that one. Slack's address is in a file, which a Secret is\n\
         # mounted as, and which Alertmanager reads again for each message.\n{}",
        yaml::to_string(&Value::Object(fields))
    ))
}

/// For the operator.
///
/// # Errors
/// When the source can't be read, or says what an AlertmanagerConfig can't.
pub fn object(root: &Path) -> Result<String> {
    let mut spec = camel(&Value::Object(source(root)?))?;
    for config in slack_configs(&mut spec) {
        config.insert("apiURL".into(), json!({ "name": "slack", "key": "url" }));
    }
    Ok(format!(
        "# Made of ../routes/routes.yaml by `cargo xtask monitoring`: change that one. Slack's address is in the Secret `slack`; without\n\
         # it the operator leaves all of this out.\n\
         apiVersion: monitoring.coreos.com/v1alpha1\nkind: AlertmanagerConfig\nmetadata:\n  name: kafka-clients\n  \
         namespace: monitoring\n  labels:\n    app.kubernetes.io/name: kafka-clients\n    app.kubernetes.io/component: routes\n    \
         app.kubernetes.io/part-of: monitoring\n    app.kubernetes.io/version: {}\n{}",
        env!("CARGO_PKG_VERSION"),
        yaml::to_string(&json!({ "spec": spec }))
    ))
}

fn slack_configs(spec: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let receivers = spec.get_mut("receivers").and_then(Value::as_array_mut).into_iter().flatten();
    let configs = receivers.filter_map(|receiver| receiver.get_mut("slackConfigs"));
    configs.filter_map(Value::as_array_mut).flatten().filter_map(Value::as_object_mut)
}

/// The same in the operator's words: `group_by` is `groupBy`, and a matcher has parts.
fn camel(value: &Value) -> Result<Value> {
    Ok(match value {
        Value::Object(fields) => {
            let mut renamed = Map::new();
            for (name, value) in fields {
                let (name, value) = match name.as_str() {
                    "matchers" => ("matchers".to_owned(), matchers(value)?),
                    "source_matchers" => ("sourceMatch".to_owned(), matchers(value)?),
                    "target_matchers" => ("targetMatch".to_owned(), matchers(value)?),
                    other => (camel_name(other), camel(value)?),
                };
                renamed.insert(name, value);
            }
            Value::Object(renamed)
        }
        Value::Array(items) => Value::Array(items.iter().map(camel).collect::<Result<_>>()?),
        other => other.clone(),
    })
}

fn camel_name(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let mut letters = word.chars();
        name + &letters.next().map(|letter| letter.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    })
}

fn matchers(list: &Value) -> Result<Value> {
    let items = list.as_array().context("matchers are a list")?;
    let matchers = items.iter().map(|item| {
        let said = item.as_str().unwrap_or_default();
        let mut parts = said.splitn(3, ' ');
        let (Some(name), Some(kind), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
            anyhow::bail!("the matcher {said:?} is not written as `name = value`");
        };
        ensure!(["=", "!=", "=~", "!~"].contains(&kind), "the matcher {said:?} has no sign");
        Ok(json!({ "name": name, "matchType": kind, "value": value }))
    });
    Ok(Value::Array(matchers.collect::<Result<_>>()?))
}
