//! Where a consumer starts and ends, and what it sees of transactions.

use anyhow::{Result, ensure};
use testbed::process::{Outcome, Signal};
use testbed::records::{self, NewRecord};

use super::Scenario;
use super::bench::{ARRIVAL, Bench, Place, RUN, Report, expect_exactly_once};
use crate::consumer::{Consumer, lock, shared};

pub(super) const SCENARIOS: [Scenario; 3] = [
    Scenario {
        name: "start-positions",
        claim: "earliest, offset, time and given partitions each show exactly the records that they mean",
        run: starts,
    },
    Scenario { name: "start-latest", claim: "--from latest shows only what comes later", run: end },
    Scenario {
        name: "transactions",
        claim: "a committed transaction is seen whole, an aborted one only by read-uncommitted; markers at the end do not hold --exit-at-end",
        run: transactions,
    },
];

/// Records in each of two partitions; the nth one's time is second n of 1970, from 1 on: to the client 0 means now.
const EACH: i64 = 100;

fn starts(bench: &mut Bench) -> Result<String> {
    let place = filled(bench, "start-positions")?;
    let cases: [(&[&str], usize); 6] = [
        (&["--from", "earliest"], 200),
        (&["--from", "offset:60"], 80),
        (&["--from", "time:1970-01-01T00:01:31Z"], 20),
        (&["--from", "earliest", "--partitions", "1"], 100),
        (&["--from", "time:1970-01-01T00:01:31Z", "--partitions", "0-1"], 20),
        (&["--from", "earliest", "--max-records", "7"], 7),
    ];
    for (number, (args, expected)) in cases.iter().enumerate() {
        let group = format!("{}-{number}", place.topic);
        let program = Consumer::program(bench.consumer_path(), &place.servers, &place.topic).args(*args);
        // Partitions are read without a group.
        let program = if args.contains(&"--partitions") { program } else { program.args(["--group", &group]) };
        let program = if args.contains(&"--max-records") { program } else { program.arg("--exit-at-end") };
        let seen = lines(program.run(ARRIVAL)?)?;
        ensure!(seen == *expected, "{args:?} showed {seen} records instead of {expected}");
    }
    Ok(format!("{} ways, each with the right number of records", cases.len()))
}

fn end(bench: &mut Bench) -> Result<String> {
    let place = filled(bench, "start-latest")?;
    let received = shared(Some(&place.topic))?;
    let consumer = Consumer::start(bench.consumer(&place).args(["--from", "latest"]), &received)?;
    consumer.wait_until_ready()?;
    Report::of_all(bench.producer(&place).args(["--messages", "50"]).run(RUN)?, 50)?;
    expect_exactly_once(&received, 50)?;
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    let others = lock(&received).others();
    ensure!(others == 0, "{others} older records were logged");
    Ok(format!("50 later ones, none of the {} older ones", 2 * EACH))
}

fn transactions(bench: &mut Bench) -> Result<String> {
    const COMMITTED: usize = 100;
    let place = bench.topic("transactions")?;
    let transactional = |bench: &Bench, id: &str| bench.producer(&place).args(["--transactional-id", id]);
    let committed = transactional(bench, "committed").args(["--messages", &COMMITTED.to_string()]).run(RUN)?;
    Report::of_all(committed, COMMITTED as u64)?;

    let uncommitted = |bench: &Bench| {
        let program = Consumer::program(bench.consumer_path(), &place.servers, &place.topic);
        program.args(["--isolation", "read-uncommitted", "--partitions", "0-5", "--from", "earliest"])
    };
    let received = shared(None)?;
    let watcher = Consumer::start(uncommitted(bench), &received)?;
    let aborted = transactional(bench, "aborted").args(["--messages", "100000", "--rate", "200/s"]).spawn()?;
    // The same run id and numbers as those of the first: more lines than different messages are the second's.
    crate::consumer::wait_until(&received, ARRIVAL, |received| received.duplicated() >= 50)?;
    let report = Report::of(aborted.stop(Signal::TERM, ARRIVAL)?, 143)?;
    ensure!(report.delivered == 0, "an aborted transaction has delivered: {report:?}");
    watcher.stop(Signal::TERM)?.expect_code(0)?;

    let committed = Consumer::program(bench.consumer_path(), &place.servers, &place.topic);
    let seen = lines(committed.args(["--partitions", "0-5", "--from", "earliest", "--exit-at-end"]).run(ARRIVAL)?)?;
    ensure!(seen == COMMITTED, "read-committed showed {seen} records");
    let all = lines(uncommitted(bench).arg("--exit-at-end").run(ARRIVAL)?)?;
    ensure!(all >= COMMITTED + 50, "read-uncommitted showed {all} records");
    Ok(format!("{seen} committed; {} more by read-uncommitted; the aborted run reports 0 delivered", all - seen))
}

/// A topic of two partitions with records of known times.
fn filled(bench: &mut Bench, name: &str) -> Result<Place> {
    let place = bench.no_topic(name)?;
    let cluster = bench.one()?;
    // Times of 1970 are older than any retention.
    cluster.create_topic(name, 2, 1, &[("retention.ms", "-1")])?;
    let record = |partition, second: i64| {
        NewRecord::value(format!("{partition}/{second}")).partition(partition).timestamp(second * 1000)
    };
    let records: Vec<_> = (1..=EACH).flat_map(|second| [record(0, second), record(1, second)]).collect();
    records::produce(&cluster.internal_config(), name, &records)?;
    Ok(place)
}

/// The record lines of a one-shot run that has read all it was asked for.
fn lines(outcome: Outcome) -> Result<usize> {
    Ok(outcome.expect_code(0)?.json_lines()?.len())
}
