//! `--exit-at-end`: every record up to the end that was found at the start, whatever stands there and whoever goes on
//! writing, and no answer of "ok" with fewer.

use std::io::pipe;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testbed::process::{Outcome, Program, Signal, read_slowly};
use testbed::records::{self, NewRecord, Trickle, transaction};

use super::Scenario;
use super::bench::{ARRIVAL, Bench, Place, RUN, Report};
use super::watch::{values, verdict};
use crate::consumer::Consumer;

pub(super) const SCENARIOS: [Scenario; 9] = [
    Scenario {
        name: "ends-live-topic",
        claim: "--exit-at-end ends at the ends of its start beside a live producer; --timeout and SIGTERM hold",
        run: live,
    },
    Scenario {
        name: "ends-slow-reader",
        claim: "--exit-at-end hands all of 150,000 records over to a reader that is slower than the client",
        run: slow_reader,
    },
    Scenario { name: "ends-little-cpu", claim: "--exit-at-end logs all records on a tenth of a core", run: little_cpu },
    Scenario {
        name: "ends-150-partitions",
        claim: "--exit-at-end logs all records of 150 partitions, in seconds",
        run: many_partitions,
    },
    Scenario { name: "ends-empty", claim: "--exit-at-end of 20 empty partitions ends in under 3 s", run: empty },
    Scenario {
        name: "ends-markers",
        claim: "--exit-at-end ends where a marker, an aborted transaction or an open one is the last thing, in both isolations",
        run: markers,
    },
    Scenario {
        name: "ends-gaps",
        claim: "--exit-at-end ends where compaction or a deletion has left a gap at the end",
        run: gaps,
    },
    Scenario {
        name: "ends-several-topics",
        claim: "--exit-at-end ends for several topics at once, one of them live, one ending in a marker, one empty",
        run: several_topics,
    },
    Scenario {
        name: "ends-no-share",
        claim: "a one-shot run in a group whose only partition another member has ends with 1 and says so",
        run: no_share,
    },
];

/// A record comes this often: more often than the loop's longest wait.
pub(super) const LIVE: Duration = Duration::from_millis(2);
/// A run that has nothing to wait for.
const SECONDS: Duration = Duration::from_secs(8);

/// A one-shot run that must be done within this time.
fn in_time(program: Program, limit: Duration) -> Result<Outcome> {
    let began = Instant::now();
    let outcome = program.run(limit * 3)?;
    ensure!(began.elapsed() < limit, "it took {:?}\n{}", began.elapsed(), outcome.stderr);
    Ok(outcome)
}

/// How many lines a run has logged that says it is done, within some seconds.
fn lines(program: Program) -> Result<usize> {
    let outcome = in_time(program, SECONDS)?;
    let count = outcome.stdout.lines().count();
    verdict(outcome, 0, &[])?;
    Ok(count)
}

pub(super) fn numbered(count: usize, partitions: i32) -> Vec<NewRecord> {
    (0..count)
        .zip((0..partitions).cycle())
        .map(|(number, part)| NewRecord::value(number.to_string()).partition(part))
        .collect()
}

/// Outside of any group, all records.
pub(super) fn reader(bench: &Bench, place: &Place, partitions: &str) -> Program {
    let program = Consumer::program(bench.consumer_path(), &place.servers, &place.topic);
    program.args(["--partitions", partitions, "--from", "earliest", "--exit-at-end"])
}

fn live(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("ends-live-topic")?;
    let config = bench.one()?.internal_config();
    // Partitions 1 to 5 are empty.
    let trickle = Trickle::start(&config, &place.topic, &[0], LIVE)?;
    trickle.wait_for(100, ARRIVAL)?;
    for (number, from) in ["latest", "earliest", "latest"].into_iter().enumerate() {
        let before = trickle.acknowledged();
        let group = format!("{}-{number}", place.run);
        let program = Consumer::program(bench.consumer_path(), &place.servers, &place.topic);
        let program = program.args(["--group", &group, "--from", from, "--exit-at-end", "--timeout", "20s"]);
        let count = lines(program)? as u64;
        let after = trickle.acknowledged();
        // Some may come between the question for the start and that for the end.
        let right = if from == "latest" { count < 50 } else { (before..=after).contains(&count) };
        ensure!(right, "--from {from} showed {count} records of {before} to {after}");
    }
    let written = trickle.finish()?;
    Ok(format!("3 runs beside a producer that wrote {written} records"))
}

fn slow_reader(bench: &mut Bench) -> Result<String> {
    const RECORDS: usize = 150_000;
    const RUNS: usize = 4;
    let place = bench.no_topic("ends-slow-reader")?;
    bench.one()?.create_topic(&place.topic, 1, 1, &[])?;
    let flags = ["--messages", &RECORDS.to_string(), "--size", "100", "--no-headers"];
    Report::of_all(bench.producer(&place).args(flags).run(RUN)?, RECORDS as u64)?;
    for run in 1..=RUNS {
        let (from, to) = pipe()?;
        // Long queues: the client has all of them long before the reader.
        let queues = ["-X", "queued.min.messages=200000", "-X", "queued.max.messages.kbytes=100000"];
        let process = reader(bench, &place, "0").args(queues).stdout(to).spawn()?;
        let text = read_slowly(from, Duration::from_millis(2));
        let outcome = process.wait(ARRIVAL)?;
        let read = text.join().ok().context("the reader failed")?.lines().count();
        verdict(outcome, 0, &[])?;
        ensure!(read == RECORDS, "run {run} said ok and wrote {read} of {RECORDS} records");
    }
    Ok(format!("{RUNS} runs, {RECORDS} records each"))
}

fn little_cpu(bench: &mut Bench) -> Result<String> {
    const RECORDS: usize = 20_000;
    const RUNS: usize = 3;
    let place = bench.no_topic("ends-little-cpu")?;
    bench.one()?.create_topic(&place.topic, 12, 1, &[])?;
    Report::of_all(bench.producer(&place).args(["--messages", &RECORDS.to_string()]).run(RUN)?, RECORDS as u64)?;
    for run in 1..=RUNS {
        let group = format!("{}-{run}", place.run);
        let program = Consumer::program(bench.consumer_path(), &place.servers, &place.topic);
        let process = program.args(["--group", &group, "--exit-at-end"]).spawn()?;
        // Its threads run beside each other for this share of the time: on two cores it is twice as much.
        let throttle = process.throttle(0.05);
        let outcome = process.wait(ARRIVAL)?;
        drop(throttle);
        let read = outcome.stdout.lines().count();
        verdict(outcome, 0, &[])?;
        ensure!(read == RECORDS, "run {run} said ok and wrote {read} of {RECORDS} records");
    }
    Ok(format!("{RUNS} runs, {RECORDS} records each"))
}

fn many_partitions(bench: &mut Bench) -> Result<String> {
    const RECORDS: usize = 1000;
    let place = bench.no_topic("ends-150")?;
    bench.one()?.create_topic(&place.topic, 150, 1, &[])?;
    records::produce(&bench.one()?.internal_config(), &place.topic, &numbered(RECORDS, 150))?;
    let member = bench.consumer(&place).arg("--exit-at-end");
    for (kind, program) in [("given partitions", reader(bench, &place, "0-149")), ("a group", member)] {
        let read = lines(program)?;
        ensure!(read == RECORDS, "{kind}: said ok and wrote {read} of {RECORDS} records");
    }
    Ok(format!("{RECORDS} records, by given partitions and in a group"))
}

fn empty(bench: &mut Bench) -> Result<String> {
    let place = bench.no_topic("ends-empty")?;
    bench.one()?.create_topic(&place.topic, 20, 1, &[])?;
    let began = Instant::now();
    let outcome = in_time(reader(bench, &place, "0-19"), Duration::from_secs(3))?;
    verdict(outcome, 0, &[])?;
    Ok(format!("{:.1} s", began.elapsed().as_secs_f64()))
}

fn markers(bench: &mut Bench) -> Result<String> {
    use records::Outcome::{Aborted, Committed, Open};
    let place = bench.topic("ends-markers")?;
    let config = bench.one()?.internal_config();
    let of = |partition: i32, count: usize| {
        (0..count).map(|number| NewRecord::value(number.to_string()).partition(partition)).collect::<Vec<_>>()
    };
    // One partition each; 5 stays empty.
    let outcomes = [(0, Committed), (1, Aborted), (2, Open)];
    for (partition, outcome) in outcomes {
        records::produce(&config, &place.topic, &of(partition, 10))?;
        let id = format!("{}-{partition}", place.run);
        transaction(&config, &id, &place.topic, &of(partition, 5), outcome)?;
    }
    // Nothing but an aborted one, and several after another.
    transaction(&config, &format!("{}-3", place.run), &place.topic, &of(3, 5), Aborted)?;
    for number in 0..3 {
        let id = format!("{}-4-{number}", place.run);
        transaction(&config, &id, &place.topic, &of(4, 5), if number == 1 { Committed } else { Aborted })?;
    }
    // An open transaction's records are not there for who reads committed ones: its end is the last stable offset.
    let cases = [("read-committed", 15 + 10 + 10 + 5), ("read-uncommitted", 15 + 15 + 15 + 5 + 15)];
    for (isolation, expected) in cases {
        let seen = lines(reader(bench, &place, "0-5").args(["--isolation", isolation]))?;
        ensure!(seen == expected, "{isolation} showed {seen} records instead of {expected}");
        let group = format!("{}-{isolation}", place.run);
        let member = Consumer::program(bench.consumer_path(), &place.servers, &place.topic);
        let member = member.args(["--group", &group, "--exit-at-end", "--isolation", isolation]);
        let seen = lines(member)?;
        ensure!(seen == expected, "{isolation} in a group showed {seen} records instead of {expected}");
    }
    Ok("committed, aborted, open, only aborted, several: both isolations, with and without a group".to_owned())
}

fn gaps(bench: &mut Bench) -> Result<String> {
    const SAME_KEY: usize = 40;
    let place = bench.no_topic("ends-gaps")?;
    let cluster = bench.one()?;
    let config = cluster.internal_config();
    // Deleting records is for topics that are not compacted only.
    let cleaning = [("cleanup.policy", "compact,delete"), ("retention.ms", "-1"), ("segment.ms", "100")];
    let at_once = [("min.cleanable.dirty.ratio", "0.01"), ("min.compaction.lag.ms", "0"), ("delete.retention.ms", "0")];
    cluster.create_topic(&place.topic, 3, 1, &[cleaning, at_once].concat())?;
    let record = |partition: i32, value: &str| NewRecord::value(value).key("same").partition(partition);
    // Partition 0: one key again and again, and an aborted transaction at the end.
    for number in 0..SAME_KEY {
        records::produce(&config, &place.topic, &[record(0, &number.to_string())])?;
    }
    let outcome = records::Outcome::Aborted;
    transaction(&config, &place.run, &place.topic, &[record(0, "aborted")], outcome)?;
    // Partition 1: all is deleted; partition 2: all but the last.
    let ten: Vec<_> = (0..10).flat_map(|_| [record(1, "x"), record(2, "y")]).collect();
    records::produce(&config, &place.topic, &ten)?;
    cluster.delete_records(&place.topic, 1, 10)?;
    cluster.delete_records(&place.topic, 2, 9)?;
    let deadline = Instant::now() + ARRIVAL;
    while records::read_all(&config, &place.topic)?.iter().filter(|record| record.partition == 0).count() >= SAME_KEY {
        ensure!(Instant::now() < deadline, "nothing was compacted within {ARRIVAL:?}");
        thread::sleep(Duration::from_millis(100));
    }
    let outcome = in_time(reader(bench, &place, "0-2"), SECONDS)?;
    let seen = values(&outcome.stdout);
    verdict(outcome, 0, &[])?;
    let count = |wanted: &str| seen.iter().filter(|value| *value == wanted).count();
    let last = (SAME_KEY - 1).to_string();
    ensure!(
        [count(&last), count("aborted"), count("x"), count("y")] == [1, 0, 0, 1],
        "not the right records: {seen:?}"
    );
    lines(reader(bench, &place, "0-2").args(["--isolation", "read-uncommitted"]))?;
    Ok(format!("{} of the {} records are left, the last one among them", seen.len(), SAME_KEY + 20))
}

fn several_topics(bench: &mut Bench) -> Result<String> {
    let names = ["ends-several-live", "ends-several-marker", "ends-several-empty"];
    let cluster = bench.one()?;
    let config = cluster.internal_config();
    for name in names {
        cluster.create_topic(name, 3, 1, &[])?;
    }
    transaction(&config, "ends-several", names[1], &numbered(30, 3), records::Outcome::Committed)?;
    let trickle = Trickle::start(&config, names[0], &[0], LIVE)?;
    trickle.wait_for(100, ARRIVAL)?;
    let before = trickle.acknowledged() as usize;
    let place = Place::new(bench.one()?, &names.join(","), "ends-several");
    let seen = lines(bench.consumer(&place).arg("--exit-at-end"))?;
    let after = trickle.finish()? as usize;
    ensure!((before + 30..=after + 30).contains(&seen), "{seen} records of {before} to {after} and 30");
    Ok(format!("{seen} records of three topics, one of them live"))
}

fn no_share(bench: &mut Bench) -> Result<String> {
    let mut seen = Vec::new();
    for protocol in ["classic", "consumer"] {
        let place = bench.no_topic(&format!("ends-no-share-{protocol}"))?;
        bench.one()?.create_topic(&place.topic, 1, 1, &[])?;
        records::produce(&bench.one()?.internal_config(), &place.topic, &numbered(10, 1))?;
        let member = |bench: &Bench| bench.consumer(&place).args(["--group-protocol", protocol]);
        let holder = super::watch::Watch::ready(member(bench))?;
        holder.wait_for_lines(10, ARRIVAL)?;
        let one_shot = member(bench).args(["--from", "earliest", "--exit-at-end", "--timeout", "15s"]);
        let outcome = one_shot.run(ARRIVAL)?;
        // It may have been given the partition: then all of it was logged.
        let taken = outcome.stdout.lines().count();
        if taken == 0 {
            seen.push(verdict(outcome, 1, &["partition"])?);
        } else {
            verdict(outcome, 0, &[])?;
            ensure!(taken == 10, "{protocol}: said ok and wrote {taken} of 10 records");
            seen.push(format!("{protocol}: was given the partition"));
        }
        holder.stop(Signal::TERM)?.expect_code(0)?;
    }
    Ok(seen.join("; "))
}
