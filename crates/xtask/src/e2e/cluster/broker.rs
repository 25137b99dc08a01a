//! The broker restarted under load.

use anyhow::{Context, Result, ensure};

use super::Scenario;
use super::bench::{BROKER, Bench, LONG};
use super::kubectl::number;
use crate::e2e::bench::{expect_all, wait_for_messages};

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "broker-restart",
    claim: "the broker's pod deleted under load costs no message, and the report adds up",
    run: broker_restart,
}];

fn broker_restart(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 20_000;
    bench.installed()?;
    let load = bench.load("broker-restart", MESSAGES, "500/s")?;
    let logs = bench.logs("broker-restart")?;
    wait_for_messages(logs.received(), MESSAGES / 20)?;
    bench.kubectl.delete(&["pod", "-n", BROKER, "kafka-0"], LONG)?;
    bench.kubectl.rolled_out(BROKER, "statefulset/kafka", LONG)?;
    ensure!(load.pods()?.is_empty(), "the load was over before the broker was back");
    let report = load.delivered(MESSAGES, LONG)?;
    let repeated = expect_all(logs.received(), MESSAGES).with_context(|| logs.own())?;
    bench.settled(2, LONG)?;
    Ok(format!(
        "requested {}, delivered {}, failed {}, unsent {}; all logged, {repeated} repeated; longest pause {:.1} s",
        number(&report, "/requested"),
        number(&report, "/delivered"),
        number(&report, "/failed"),
        number(&report, "/unsent"),
        logs.longest_pause()?.as_secs_f64()
    ))
}
