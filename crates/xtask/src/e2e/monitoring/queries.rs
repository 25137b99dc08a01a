//! The dashboards' queries, against the Prometheus that has seen all of the above.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Scenario;
use super::stage::Stage;
use crate::manifests::set::text;
use crate::programs;
use crate::servers::Prometheus;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "dashboard-queries",
    claim: "every query of the dashboards gives data, except those of which is known why not",
    run: dashboards,
}];

/// The dashboards' queries, generated beside them.
const QUERIES: &str = "infra/monitoring/dashboards/queries.json";
/// How long a rate may need for its samples.
const DATA: Duration = Duration::from_secs(30);

fn dashboards(stage: &mut Stage) -> Result<String> {
    let file =
        fs::read_to_string(programs::root().join(QUERIES)).with_context(|| format!("{QUERIES} can't be read"))?;
    let queries: Vec<Value> = serde_json::from_str(&file)?;
    let queries: Vec<_> = queries
        .iter()
        .filter(|query| text(query, "/language") == "promql")
        .map(|query| (text(query, "/expr"), !text(query, "/may_be_empty").is_empty()))
        .collect();
    run(&stage.prometheus, &queries)
}

/// Runs expressions; those that may be empty need only be understood.
pub fn run(prometheus: &Prometheus, queries: &[(&str, bool)]) -> Result<String> {
    let (mut empty, mut full) = (Vec::new(), 0);
    for (expression, may_be_empty) in queries {
        let answer = if *may_be_empty {
            prometheus.query(expression)
        } else {
            prometheus.wait_for(expression, DATA, |series| !series.is_empty())
        };
        match answer {
            Ok(series) if series.is_empty() => {}
            Ok(_) => full += 1,
            Err(error) => empty.push(format!("{expression}: {}", error.to_string().lines().next().unwrap_or_default())),
        }
    }
    ensure!(
        full > 0 && empty.is_empty(),
        "{} of {} queries give nothing:\n{}",
        empty.len(),
        queries.len(),
        empty.join("\n")
    );
    Ok(format!("{full} of {} queries give data, the others are known not to", queries.len()))
}
