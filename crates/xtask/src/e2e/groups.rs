//! Consumers that share a topic, come and go.

use std::time::Duration;

use anyhow::{Result, ensure};
use testbed::process::Signal;

use super::Scenario;
use super::bench::{Bench, expect_exactly_once, finish, wait_for_messages};
use crate::consumer::{Consumer, shared};

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "group-classic",
        claim: "a second consumer joins and the first leaves in mid-run: nothing lost or repeated (cooperative)",
        run: |bench| join_and_leave(bench, "classic"),
    },
    Scenario {
        name: "group-kip848",
        claim: "a second consumer joins and the first leaves in mid-run: nothing lost or repeated (KIP-848)",
        run: |bench| join_and_leave(bench, "consumer"),
    },
];

const MESSAGES: u64 = 20_000;

fn join_and_leave(bench: &mut Bench, protocol: &str) -> Result<String> {
    let place = bench.topic(&format!("group-{protocol}"))?;
    let received = shared(Some(&place.topic))?;
    let program = |bench: &Bench| bench.consumer(&place).args(["--group-protocol", protocol]);
    let first = Consumer::start(program(bench), &received)?;
    first.wait_until_ready()?;
    let producer = bench.producer(&place).args(["--messages", &MESSAGES.to_string(), "--rate", "2k/s"]).spawn()?;
    wait_for_messages(&received, MESSAGES / 10)?;
    let second = Consumer::start(program(bench), &received)?;
    second.wait_until_ready()?;
    // Both have their part of the partitions while some thousands pass.
    wait_for_partitions(&second, 3)?;
    wait_for_partitions(&first, 3)?;
    wait_for_messages(&received, MESSAGES / 2)?;
    ensure!(producer.is_running(), "the run was over before a consumer left");
    first.stop(Signal::TERM)?.expect_code(0)?;
    wait_for_partitions(&second, 6)?;
    finish(producer, MESSAGES)?;
    expect_exactly_once(&received, MESSAGES)?;
    second.stop(Signal::TERM)?.expect_code(0)?;
    Ok(format!("{MESSAGES} logged by two consumers, none repeated"))
}

fn wait_for_partitions(consumer: &Consumer, count: u32) -> Result<()> {
    consumer.wait_for_metric(&format!("kafka_consumer_assigned_partitions {count}"), Duration::from_secs(30))
}
