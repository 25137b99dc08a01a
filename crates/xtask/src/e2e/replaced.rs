//! Topics that are deleted and created again, offsets that are gone: every record that is there is logged, and what was
//! passed over is said.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use testbed::process::Signal;
use testbed::records::{self, NewRecord, transaction};

use super::Scenario;
use super::bench::{ARRIVAL, Bench, Place};
use super::watch::{Watch, last_words, values, verdict};
use crate::consumer::Consumer;

pub(super) const SCENARIOS: [Scenario; 6] = [
    Scenario {
        name: "replaced-more",
        claim: "a topic deleted and created again under a consumer, with more records than before: every new one is logged",
        run: |bench| replaced(bench, "replaced-more", 600, 6000, false),
    },
    Scenario {
        name: "replaced-fewer",
        claim: "a topic deleted and created again with fewer records: each is logged and committed",
        run: |bench| replaced(bench, "replaced-fewer", 6000, 600, false),
    },
    Scenario {
        name: "replaced-later",
        claim: "a consumer is not ready while its topic does not exist, and reads the new one from its beginning",
        run: |bench| replaced(bench, "replaced-later", 600, 1200, true),
    },
    Scenario {
        name: "offset-beyond",
        claim: "--from offset:N that a partition does not have ends with 4 and names the range it has",
        run: beyond,
    },
    Scenario {
        name: "behind-retention",
        claim: "records between the committed offset and the log's start are counted as skipped; other gaps are not",
        run: behind_retention,
    },
    Scenario {
        name: "reset-error",
        claim: "auto.offset.reset=error ends with 4 where no offset can be used",
        run: reset_error,
    },
];

/// Ids of topics are compared every 5 s; the rest is for a busy machine.
const NOTICED: Duration = Duration::from_secs(20);
/// Records passed over, of all partitions.
const SKIPPED: &str = "kafka_consumer_skipped_records_total";

fn named(kind: &str, count: usize) -> Vec<NewRecord> {
    let parts = (0..6).cycle();
    (0..count).zip(parts).map(|(number, part)| NewRecord::value(format!("{kind}-{number}")).partition(part)).collect()
}

/// The different ones of this kind, and all of them.
fn count(values: &[String], kind: &str) -> (usize, usize) {
    let of_kind = || values.iter().filter(|value| value.starts_with(kind));
    (of_kind().collect::<BTreeSet<_>>().len(), of_kind().count())
}

fn replaced(bench: &mut Bench, name: &str, old: usize, new: usize, wait: bool) -> Result<String> {
    let place = bench.topic(name)?;
    let config = bench.one()?.internal_config();
    records::produce(&config, &place.topic, &named("old", old))?;
    let consumer = Watch::ready(bench.consumer(&place).args(["--commit-interval", "500ms"]))?;
    consumer.wait_for_lines(old, ARRIVAL)?;
    consumer.wait_for_metric(r#"kafka_consumer_commits_total{result="ok"}"#, ARRIVAL, |commits| commits >= 1.0)?;
    bench.one()?.delete_topic(&place.topic)?;
    if wait {
        consumer.wait_for_readiness(503, &place.topic, NOTICED)?;
    }
    bench.one()?.create_topic(&place.topic, 6, 1, &[])?;
    records::produce(&config, &place.topic, &named("new", new))?;
    // Records may come twice between replacement and detection: that all are there is seen by their values.
    let all = wait_for_values(&consumer, "new", new)?;
    consumer.wait_for_event("topic_replaced", NOTICED)?;
    consumer.wait_for_readiness(200, "", ARRIVAL)?;
    let skipped = skipped(&consumer)?;
    ensure!(skipped == 0.0, "{skipped} records of another topic are counted as skipped");
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    let next = bench.consumer(&place).args(["--exit-at-end", "--timeout", "40s"]).run(ARRIVAL)?;
    let again = values(&next.stdout).len();
    verdict(next, 0, &[])?;
    ensure!(again == 0, "the next member logs {again} records again: they were not committed");
    Ok(format!("{new} new records after {old} old ones, {} lines for them, none by the next member", all))
}

/// Waits until all of a kind were logged; how many lines that were.
fn wait_for_values(consumer: &Watch, kind: &str, wanted: usize) -> Result<usize> {
    let mut seen = BTreeSet::new();
    let waited = consumer.process.wait_for_stdout(NOTICED, |line| {
        seen.extend(values(line).into_iter().filter(|value| value.starts_with(kind)));
        seen.len() >= wanted
    });
    let (different, lines) = count(&consumer.values(), kind);
    ensure!(waited.is_ok(), "{different} of {wanted} {kind} records were logged; {}", consumer.log());
    Ok(lines)
}

/// The sum over all partitions, 0 where there is no series.
fn skipped(consumer: &Watch) -> Result<f64> {
    let metrics = consumer.metrics()?;
    let series = metrics.lines().filter(|line| line.starts_with(SKIPPED));
    Ok(series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum())
}

fn beyond(bench: &mut Bench) -> Result<String> {
    let place = bench.no_topic("offset-beyond")?;
    bench.one()?.create_topic(&place.topic, 1, 1, &[])?;
    let config = bench.one()?.internal_config();
    let records: Vec<_> = (0..100).map(|number| NewRecord::value(format!("{number}"))).collect();
    records::produce(&config, &place.topic, &records)?;
    bench.one()?.delete_records(&place.topic, 0, 20)?;
    let mut message = String::new();
    for offset in ["99999", "101", "19"] {
        let from = format!("offset:{offset}");
        let given = Consumer::program(bench.consumer_path(), &place.servers, &place.topic).args(["--partitions", "0"]);
        let programs = [given.arg("--exit-at-end"), bench.consumer(&place).arg("--exit-at-end")];
        for program in programs {
            let outcome = program.args(["--from", &from]).run(ARRIVAL)?;
            message = verdict(outcome, 4, &[offset, "offset-beyond[0]", "20"])?;
        }
        let endless = bench.consumer(&place).args(["--from", &from]).run(ARRIVAL)?;
        last_words(endless, 4, &[offset, "offset-beyond[0]", "20"])?;
    }
    for (offset, expected) in [("20", 80), ("99", 1), ("100", 0)] {
        let given = Consumer::program(bench.consumer_path(), &place.servers, &place.topic).args(["--partitions", "0"]);
        let outcome = given.args(["--exit-at-end", "--from", &format!("offset:{offset}")]).run(ARRIVAL)?;
        let seen = outcome.stdout.lines().count();
        verdict(outcome, 0, &[])?;
        ensure!(seen == expected, "from {offset} {seen} records were logged, {expected} are right");
    }
    Ok(message)
}

fn behind_retention(bench: &mut Bench) -> Result<String> {
    let place = bench.no_topic("behind-retention")?;
    bench.one()?.create_topic(&place.topic, 1, 1, &[])?;
    let config = bench.one()?.internal_config();
    let numbers =
        |from: usize, to: usize| (from..to).map(|number| NewRecord::value(number.to_string())).collect::<Vec<_>>();
    records::produce(&config, &place.topic, &numbers(0, 100))?;
    let first = bench.consumer(&place).args(["--max-records", "10", "--timeout", "40s"]).run(ARRIVAL)?;
    verdict(first, 0, &[])?;
    bench.one()?.delete_records(&place.topic, 0, 50)?;
    let consumer = Watch::ready(bench.consumer(&place))?;
    consumer.wait_for_lines(50, ARRIVAL)?;
    consumer.wait_for_log("WARN", &["40", "behind-retention"], NOTICED)?;
    ensure!(skipped(&consumer)? == 40.0, "{} records count as skipped, 40 were", skipped(&consumer)?);
    // Markers of transactions are gaps in the offsets and no records.
    for number in 0..3 {
        let id = format!("{}-{number}", place.run);
        let outcome = if number == 1 { records::Outcome::Aborted } else { records::Outcome::Committed };
        transaction(&config, &id, &place.topic, &numbers(100, 105), outcome)?;
    }
    consumer.wait_for_lines(60, ARRIVAL)?;
    records::produce(&config, &place.topic, &numbers(105, 106))?;
    consumer.wait_for_lines(61, ARRIVAL)?;
    ensure!(skipped(&consumer)? == 40.0, "markers count as skipped: {}", skipped(&consumer)?);
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    // Who starts at the beginning has passed over nothing.
    let again = Place { run: format!("{}-again", place.run), ..place.clone() };
    let fresh = Watch::ready(bench.consumer(&again))?;
    fresh.wait_for_lines(61, ARRIVAL)?;
    let counted = skipped(&fresh)?;
    ensure!(counted == 0.0, "a member without a committed offset counts {counted} records as skipped");
    fresh.stop(Signal::TERM)?.expect_code(0)?;
    Ok("40 records deleted before they were read, counted and told; markers are not".to_owned())
}

fn reset_error(bench: &mut Bench) -> Result<String> {
    let place = bench.no_topic("reset-error")?;
    bench.one()?.create_topic(&place.topic, 1, 1, &[])?;
    let config = bench.one()?.internal_config();
    let records: Vec<_> = (0..100).map(|number| NewRecord::value(number.to_string())).collect();
    records::produce(&config, &place.topic, &records)?;
    let flags = ["-X", "auto.offset.reset=error"];
    // Nothing is committed.
    let message = last_words(bench.consumer(&place).args(flags).run(ARRIVAL)?, 4, &["auto.offset.reset"])?;
    let one_shot = bench.consumer(&place).args(flags).args(["--exit-at-end", "--timeout", "30s"]).run(ARRIVAL)?;
    verdict(one_shot, 4, &["auto.offset.reset"])?;
    // What is committed is gone.
    let ten = bench.consumer(&place).args(["--max-records", "10", "--timeout", "40s"]).run(ARRIVAL)?;
    verdict(ten, 0, &[])?;
    bench.one()?.delete_records(&place.topic, 0, 50)?;
    last_words(bench.consumer(&place).args(flags).run(ARRIVAL)?, 4, &["auto.offset.reset"])?;
    Ok(message)
}
