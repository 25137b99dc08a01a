//! The check of the judge: a run without loss passes; with a loss that was planted, it must not.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testbed::records;

use super::audit::audit;
use super::bench::{Bench, PARTITIONS, TOPIC};
use super::seen::Seen;

const MESSAGES: u64 = 20_000;
const RUN: Duration = Duration::from_secs(60);
/// Records of a partition that are deleted.
const DELETED: i64 = 100;

/// Audits the same run as it is, against a report that claims a message more, and with records deleted.
pub fn run(bench: &Bench, seen: &mut Seen) -> Result<()> {
    let topic = format!("planted-{}", fastrand::u32(..100_000));
    bench.cluster().create_topic(&topic, PARTITIONS, 3, &TOPIC)?;
    let servers = bench.servers(false);
    let produced = bench.producer(&servers, &topic, &topic).args(["--messages", &MESSAGES.to_string()]).run(RUN)?;
    let report = produced.expect_code(0)?.stdout;
    let stored = records::count(&bench.cluster().internal_config(), &topic)?;
    seen.records = Some(stored.try_into()?);

    let honest = audit(bench, &servers, &topic, &topic, &[&report])?;
    ensure!(honest.code == 0, "a run without loss is not passed: {}", honest.text);
    let claimed = audit(bench, &servers, &topic, &topic, &[&claims_one_more(&report)?])?;
    ensure!(claimed.code == 5, "a message that was never written is not missed: {}", claimed.text);
    bench.cluster().delete_records(&topic, 0, DELETED)?;
    let deleted = audit(bench, &servers, &topic, &topic, &[&report])?;
    ensure!(matches!(deleted.code, 1 | 5), "{DELETED} records that are gone are not missed: {}", deleted.text);
    seen.note =
        format!("as it is: {}; one more claimed: {}; {DELETED} deleted: {}", honest.code, claimed.code, deleted.code);
    seen.audit = Some(honest.code);
    bench.cluster().delete_topic(&topic)
}

/// The report with one message more that is said to be acknowledged.
fn claims_one_more(report: &str) -> Result<String> {
    let mut report: Value = serde_json::from_str(report)?;
    for name in ["requested", "delivered", "total"] {
        let field = report.get_mut(name).with_context(|| format!("the report has no {name}"))?;
        *field = (field.as_u64().context("no number")? + 1).into();
    }
    Ok(report.to_string())
}
