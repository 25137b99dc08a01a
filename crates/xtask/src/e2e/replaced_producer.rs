//! What is acknowledged and then gone: topics that are deleted under a producer. And a broker that hangs under a transaction.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testbed::process::{Process, Signal};

use super::Scenario;
use super::bench::{ARRIVAL, Bench, Place, RUN, Report, on_broker};

pub(super) const SCENARIOS: [Scenario; 3] = [
    Scenario {
        name: "topic-replaced",
        claim: "a producer whose topic was deleted and created again in mid-run ends with 1 and says what is gone",
        run: replaced,
    },
    Scenario {
        name: "topic-deleted",
        claim: "a producer whose topic was deleted after the last acknowledgement ends with 1 and says so",
        run: deleted,
    },
    Scenario {
        name: "transaction-hangs",
        claim: "a transaction on a broker that hangs ends with 143 and a report within the drain deadline",
        run: hung_transaction,
    },
];

const PARTITIONS: i32 = 6;
const FIRST: u64 = 500;

/// A producer that has published [`FIRST`] messages and waits for more input.
fn begun(bench: &mut Bench, place: &Place) -> Result<Process> {
    let mut producer = bench.producer(place).args(["--input", "-"]).stdin_piped().spawn()?;
    producer.write_stdin("line\n".repeat(usize::try_from(FIRST)?))?;
    wait_for(bench, place, FIRST)?;
    Ok(producer)
}

/// Waits until the topic holds so many records, committed or not. A new one has no leader yet, for a moment.
fn wait_for(bench: &mut Bench, place: &Place, records: u64) -> Result<()> {
    let mut config = bench.one()?.internal_config();
    config.set("isolation.level", "read_uncommitted");
    let deadline = Instant::now() + ARRIVAL;
    loop {
        match testbed::records::count(&config, &place.topic) {
            Ok(count) if u64::try_from(count)? >= records => return Ok(()),
            found => ensure!(Instant::now() < deadline, "{records} records are expected: {found:?}"),
        }
    }
}

fn expect_gone(producer: Process, what: &str) -> Result<Report> {
    let outcome = producer.wait(RUN)?;
    let told = outcome.events().iter().any(|event| event.get("event").is_some_and(|name| name == "topic_replaced"));
    ensure!(told, "no event topic_replaced: {outcome}");
    let report = Report::of(outcome, 1)?;
    ensure!(report.message.contains(what), "{}", report.message);
    Ok(report)
}

fn replaced(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("topic-replaced")?;
    let mut producer = begun(bench, &place)?;
    let cluster = bench.one()?;
    cluster.delete_topic(&place.topic)?;
    // Deleted is what the controller says; the brokers follow.
    let deadline = Instant::now() + ARRIVAL;
    while let Err(error) = cluster.create_topic(&place.topic, PARTITIONS, 1, &[]) {
        ensure!(Instant::now() < deadline, "the topic cannot be created again: {error:#}");
    }
    producer.write_stdin("line\n".repeat(usize::try_from(FIRST)?))?;
    producer.close_stdin();
    let report = expect_gone(producer, "was deleted and created again")?;
    let stored = on_broker(bench.one()?, &place.topic)?;
    ensure!(stored < report.delivered, "{stored} of {} records are there: nothing is gone", report.delivered);
    Ok(format!("{} of {} are gone: {}", report.delivered - stored, report.delivered, report.message))
}

fn deleted(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("topic-deleted")?;
    let mut producer = begun(bench, &place)?;
    bench.one()?.delete_topic(&place.topic)?;
    producer.close_stdin();
    Ok(expect_gone(producer, "was deleted during the run")?.message)
}

fn hung_transaction(bench: &mut Bench) -> Result<String> {
    const DRAIN: Duration = Duration::from_secs(8);
    let place = bench.topic("transaction-hangs")?;
    let args = ["--input", "-", "--transactional-id", "hangs", "--drain-timeout", "8s"];
    let mut producer = bench.producer(&place).args(args).stdin_piped().spawn()?;
    producer.write_stdin("line\n".repeat(usize::try_from(FIRST)?))?;
    wait_for(bench, &place, FIRST)?;
    bench.one()?.pause(1)?;
    producer.write_stdin("line\n".repeat(usize::try_from(FIRST)?))?;
    let began = Instant::now();
    let stopped = producer.stop(Signal::TERM, RUN);
    let took = began.elapsed();
    bench.one()?.resume(1)?;
    let report = Report::of(stopped.context("it does not end")?, 143)?;
    ensure!(took < DRAIN + Duration::from_secs(3), "it took {took:?}: {report:?}");
    ensure!(report.delivered == 0, "nothing was committed: {report:?}");
    Ok(format!("ended with 143 after {took:.1?}: {}", report.message))
}
