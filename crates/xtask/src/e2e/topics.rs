//! Topics that are missing, made on request, or made later; messages that a topic does not take.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use testbed::process::Signal;

use super::Scenario;
use super::bench::{Bench, RUN, Report, expect_exactly_once, on_broker};
use crate::consumer::{Consumer, shared};

pub(super) const SCENARIOS: [Scenario; 4] = [
    Scenario {
        name: "unknown-topic",
        claim: "a producer ends with 4 and names the topic that does not exist",
        run: unknown_topic,
    },
    Scenario {
        name: "create-topic",
        claim: "--create-topic creates the topic with as many partitions as asked, and a second run finds it",
        run: create_topic,
    },
    Scenario {
        name: "later-topic",
        claim: "a consumer waits, unready, for a topic, and logs it all once it is created",
        run: later_topic,
    },
    Scenario {
        name: "too-large",
        claim: "a message over the topic's max.message.bytes fails with 4, all the others are delivered",
        run: too_large,
    },
];

fn unknown_topic(bench: &mut Bench) -> Result<String> {
    let place = bench.no_topic("nowhere")?;
    let report = Report::of(bench.producer(&place).run(RUN)?, 4)?;
    ensure!(report.unsent == report.requested, "{report:?}");
    ensure!(report.message.contains(&place.topic), "the topic is not named: {}", report.message);
    Ok(report.message)
}

fn create_topic(bench: &mut Bench) -> Result<String> {
    let place = bench.no_topic("created-by-producer")?;
    for run in 1..=2 {
        let produced = bench.producer(&place).args(["--create-topic", "3", "--messages", "50"]).run(RUN)?;
        Report::of_all(produced, 50)?;
        let stored = on_broker(bench.one()?, &place.topic)?;
        ensure!(stored == 50 * run, "{stored} records after run {run}");
    }
    let cluster = bench.one()?;
    cluster.leader_of(&place.topic, 2)?;
    let fourth = cluster.wait_for_leader(&place.topic, 3, Duration::ZERO, |_| true);
    ensure!(fourth.is_err(), "there are more than 3 partitions");
    Ok("created with 3 partitions, then found".to_owned())
}

fn later_topic(bench: &mut Bench) -> Result<String> {
    let place = bench.no_topic("later")?;
    let received = shared(Some(&place.topic))?;
    let consumer = Consumer::start(bench.consumer(&place), &received)?;
    consumer.process().wait_for_stderr_event("topic_missing", Duration::from_secs(30))?;
    consumer.wait_for_readiness(false, Duration::from_secs(1))?;
    bench.one()?.create_topic(&place.topic, 6, 1, &[])?;
    consumer.wait_until_ready()?;
    Report::of_all(bench.producer(&place).args(["--messages", "100"]).run(RUN)?, 100)?;
    expect_exactly_once(&received, 100)?;
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    Ok("unready while it was missing, then ready, 100 logged".to_owned())
}

fn too_large(bench: &mut Bench) -> Result<String> {
    const SMALL: u64 = 100;
    let place = bench.no_topic("too-large")?;
    bench.one()?.create_topic(&place.topic, 1, 1, &[("max.message.bytes", "10000")])?;
    let folder = tempfile::tempdir()?;
    let input = folder.path().join("lines");
    let mut lines: Vec<String> = (0..SMALL).map(|number| format!("small {number}")).collect();
    // Random, as the limit is on what is left after compression.
    lines.insert(50, (0..20_000).map(|_| fastrand::alphanumeric()).collect());
    fs::write(&input, lines.join("\n"))?;
    // Batches are refused as a whole, so neighbours must not share one with it.
    let program = bench.producer(&place).args(["-X", "batch.num.messages=1"]).arg("--input").arg(&input);
    let report = Report::of(program.run(RUN)?, 4)?;
    ensure!((report.delivered, report.failed) == (SMALL, 1), "{report:?}");
    let stored = on_broker(bench.one()?, &place.topic)?;
    ensure!(stored == SMALL, "{stored} records are on the broker");
    Ok(report.message)
}
