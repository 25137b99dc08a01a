//! SIGTERM to each program in mid-run.

use anyhow::{Result, ensure};
use testbed::process::Signal;

use super::Scenario;
use super::bench::{ARRIVAL, Bench, Report, expect_exactly_once, finish, on_broker, wait_for_messages};
use crate::consumer::{Consumer, shared};

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "producer-sigterm",
        claim: "a producer stopped in mid-run ends with 143, and what it reports as delivered is what is on the broker",
        run: producer,
    },
    Scenario {
        name: "consumer-sigterm",
        claim: "a consumer stopped in mid-run ends with 0, and the next one of its group repeats and misses nothing",
        run: consumer,
    },
];

fn producer(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("producer-sigterm")?;
    let received = shared(Some(&place.topic))?;
    let consumer = Consumer::start(bench.consumer(&place), &received)?;
    consumer.wait_until_ready()?;
    let producer = bench.producer(&place).args(["--messages", "1000000", "--rate", "5k/s"]).spawn()?;
    wait_for_messages(&received, 5_000)?;
    let report = Report::of(producer.stop(Signal::TERM, ARRIVAL)?, 143)?;
    ensure!(report.delivered > 0 && report.failed == 0, "{report:?}");
    let stored = on_broker(bench.one()?, &place.topic)?;
    ensure!(stored == report.delivered, "{stored} records are on the broker, the report says {}", report.delivered);
    expect_exactly_once(&received, report.delivered)?;
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    Ok(format!("{} delivered, on the broker and logged, {} unsent", report.delivered, report.unsent))
}

fn consumer(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 20_000;
    let place = bench.topic("consumer-sigterm")?;
    let received = shared(Some(&place.topic))?;
    let first = Consumer::start(bench.consumer(&place), &received)?;
    first.wait_until_ready()?;
    let producer = bench.producer(&place).args(["--messages", &MESSAGES.to_string(), "--rate", "5k/s"]).spawn()?;
    wait_for_messages(&received, MESSAGES / 4)?;
    first.stop(Signal::TERM)?.expect_code(0)?;
    let second = Consumer::start(bench.consumer(&place), &received)?;
    finish(producer, MESSAGES)?;
    expect_exactly_once(&received, MESSAGES)?;
    second.stop(Signal::TERM)?.expect_code(0)?;
    Ok(format!("{MESSAGES} logged by one after the other, none repeated"))
}
