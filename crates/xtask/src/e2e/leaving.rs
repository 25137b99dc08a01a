//! Leaving the group: "left" is true when the coordinator says so, and then the others and the next one go on at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use testbed::apache::Cluster;
use testbed::process::{Process, Program, Signal};
use testbed::records::{self, NewRecord, Trickle};

use super::Scenario;
use super::bench::{ARRIVAL, Bench, Place};
use super::watch::{Watch, verdict};

pub(super) const SCENARIOS: [Scenario; 6] = [
    Scenario {
        name: "leaving-cooperative",
        claim: "1, 2 and 3 members on 1, 2 and 6 partitions leave when they end: the coordinator says so, the next one reads",
        run: |bench| all_sizes(bench, "cooperative", &[], NEXT),
    },
    Scenario {
        name: "leaving-range",
        claim: "the same by the range assignor",
        run: |bench| all_sizes(bench, "range", &["-X", "partition.assignment.strategy=range"], NEXT),
    },
    Scenario {
        name: "leaving-kip848",
        claim: "the same by the brokers' protocol",
        run: |bench| all_sizes(bench, "kip848", &["--group-protocol", "consumer"], NEXT + HEARTBEAT),
    },
    Scenario {
        name: "leaving-early",
        claim: "a member that is stopped 0.3, 1 or 3 s after its start leaves too",
        run: early,
    },
    Scenario {
        name: "leaving-one-shot",
        claim: "a one-shot run in a running group holds the others up for seconds, not for a session",
        run: one_shot,
    },
    Scenario {
        name: "leaving-rollout",
        claim: "a rolling update stops no partition for more than 1.5 s, and no record is lost or repeated",
        run: rollout,
    },
];

/// How soon after a clean exit the coordinator has to know.
const GONE: Duration = Duration::from_secs(1);
/// How soon the next member has to read. With a member that never said goodbye it is the session timeout, 45 s.
const NEXT: Duration = Duration::from_secs(5);
/// A member of the brokers' protocol learns of its partitions by a heartbeat, which may be the second one.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// The longest pause of a partition in a rolling update.
const PAUSE: Duration = Duration::from_millis(1500);

/// Stops a member and expects that it is gone for the coordinator too.
fn leave(cluster: &Cluster, group: &str, member: Process, others: usize) -> Result<Duration> {
    let began = Instant::now();
    member.stop(Signal::TERM, ARRIVAL)?.expect_code(0)?;
    let ended = began.elapsed();
    cluster
        .wait_for_members(group, GONE, |members| members.len() == others)
        .with_context(|| format!("a member ended with 0 after {ended:?} and has not left"))
}

/// Starts the next member of a group that all others have left, and expects its first record soon.
fn next(member: Program, records: usize, limit: Duration) -> Result<Duration> {
    let began = Instant::now();
    let process = member.spawn()?;
    let mut seen = 0;
    let counted = process.wait_for_stdout(ARRIVAL, |_| {
        seen += 1;
        seen == records
    });
    counted.with_context(|| format!("the next member has not logged {records} records"))?;
    let took = began.elapsed();
    process.stop(Signal::TERM, ARRIVAL)?.expect_code(0)?;
    ensure!(took < limit, "the next member had its records after {took:?}");
    Ok(took)
}

fn all_sizes(bench: &mut Bench, name: &str, flags: &[&str], limit: Duration) -> Result<String> {
    let sizes = [1, 2, 6].into_iter().flat_map(|partitions| [1, 2, 3].map(|members| (partitions, members)));
    let mut places = Vec::new();
    for (partitions, members) in sizes {
        let place = bench.no_topic(&format!("leaving-{name}-{partitions}-{members}"))?;
        bench.one()?.create_topic(&place.topic, partitions, 1, &[])?;
        places.push((place, partitions, members));
    }
    let program = |bench: &Bench, place: &Place| bench.consumer(place).args(flags);
    let mut slowest = Duration::ZERO;
    let mut failures = Vec::new();
    // Three at a time, which differ in the number of members: most of it is waiting.
    for three in places.chunks(3) {
        let mut runs = Vec::new();
        for (place, partitions, members) in three {
            let programs: Vec<_> = (0..=*members).map(|_| program(bench, place)).collect();
            runs.push((place, *partitions, *members, programs));
        }
        let cluster: &Cluster = bench.one()?;
        let outcomes: Vec<_> = thread::scope(|scope| {
            let run = |(place, partitions, members, programs)| {
                let shown = format!("{members} members on {partitions} partitions");
                (scope.spawn(move || come_and_go(cluster, place, partitions, programs, limit)), shown)
            };
            let running: Vec<_> = runs.into_iter().map(run).collect();
            running.into_iter().map(|(thread, shown)| (thread.join(), shown)).collect()
        });
        for (outcome, shown) in outcomes {
            match outcome {
                Ok(Ok(took)) => slowest = slowest.max(took),
                Ok(Err(error)) => failures.push(format!("{shown}: {error:#}")),
                Err(_) => failures.push(format!("{shown}: panicked")),
            }
        }
    }
    ensure!(failures.is_empty(), "{} of 9 sizes failed\n{}", failures.len(), failures.join("\n"));
    Ok(format!("9 sizes; the slowest next member had its records after {:.1} s", slowest.as_secs_f64()))
}

/// Members come, and go one after another, the last one first: with more members than partitions that one has none.
fn come_and_go(
    cluster: &Cluster,
    place: &Place,
    partitions: i32,
    mut programs: Vec<Program>,
    limit: Duration,
) -> Result<Duration> {
    let config = cluster.internal_config();
    let one_each: Vec<_> = (0..partitions).map(|partition| NewRecord::value("x").partition(partition)).collect();
    records::produce(&config, &place.topic, &one_each)?;
    let following = programs.pop().context("one more than there are members")?;
    let mut members = Vec::new();
    for program in programs {
        members.push(Watch::ready(program)?);
        let count = members.len();
        cluster.wait_for_members(&place.run, ARRIVAL, |members| members.len() == count)?;
    }
    // Until every partition has an owner, a rebalance may be under way.
    let owned = |members: &[testbed::apache::Member]| {
        let owned: usize = members.iter().map(|member| member.partitions.len()).sum();
        i32::try_from(owned) == Ok(partitions)
    };
    cluster.wait_for_members(&place.run, ARRIVAL, owned)?;
    while let Some(member) = members.pop() {
        leave(cluster, &place.run, member.process, members.len())?;
    }
    records::produce(&config, &place.topic, &one_each)?;
    next(following, one_each.len(), limit)
}

fn early(bench: &mut Bench) -> Result<String> {
    let mut slowest = Duration::ZERO;
    for (number, lifetime) in [0.3, 1.0, 3.0].into_iter().enumerate() {
        let lifetime = Duration::from_secs_f64(lifetime);
        for others in [0, 1] {
            let place = bench.no_topic(&format!("leaving-early-{number}-{others}"))?;
            bench.one()?.create_topic(&place.topic, 1, 1, &[])?;
            let config = bench.one()?.internal_config();
            let other = if others == 1 { Some(Watch::ready(bench.consumer(&place))?) } else { None };
            let short = Watch::start(bench.consumer(&place))?;
            // The time itself is what is tried here.
            thread::sleep(lifetime);
            let case = || format!("stopped {lifetime:?} after its start, {others} others");
            leave(bench.one()?, &place.run, short.process, others).with_context(case)?;
            if let Some(other) = other {
                leave(bench.one()?, &place.run, other.process, 0).with_context(case)?;
            }
            records::produce(&config, &place.topic, &[NewRecord::value("x")])?;
            slowest = slowest.max(next(bench.consumer(&place), 1, NEXT).with_context(case)?);
        }
    }
    Ok(format!("6 cases; the slowest next member had its record after {:.1} s", slowest.as_secs_f64()))
}

fn one_shot(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("leaving-one-shot")?;
    let members = [Watch::ready(bench.consumer(&place))?, Watch::ready(bench.consumer(&place))?];
    for member in &members {
        member.wait_for_metric("kafka_consumer_assigned_partitions", ARRIVAL, |count| count == 3.0)?;
    }
    let trickle = Trickle::start(&bench.one()?.internal_config(), &place.topic, &ALL, Duration::from_millis(5))?;
    members[0].wait_for_lines(100, ARRIVAL)?;
    let outcome = bench.consumer(&place).args(["--exit-at-end", "--timeout", "20s"]).run(ARRIVAL)?;
    // It was given some partitions and has read them to their ends, or none and says so.
    let code = outcome.code();
    ensure!(matches!(code, Some(0 | 1)), "{outcome}");
    verdict(outcome, code.unwrap_or_default(), &[])?;
    let after = trickle.acknowledged();
    let began = Instant::now();
    loop {
        let newest = newest(members.iter().map(|member| member.process.stdout()));
        let late: Vec<_> = ALL.iter().filter(|part| newest.get(*part).is_none_or(|newest| *newest < after)).collect();
        if late.is_empty() {
            break;
        }
        if began.elapsed() > NEXT {
            bail!("{:?} after a one-shot run partitions {late:?} stand still; {}", NEXT, members[0].log());
        }
        thread::sleep(Duration::from_millis(100));
    }
    let took = began.elapsed();
    drop(trickle);
    for member in members {
        member.stop(Signal::TERM)?.expect_code(0)?;
    }
    Ok(format!("ended with {}; all partitions went on within {:.1} s", code.unwrap_or_default(), took.as_secs_f64()))
}

fn rollout(bench: &mut Bench) -> Result<String> {
    let program = bench.consumer_path().to_owned();
    replace(bench, "leaving-rollout", &program)
}

/// Replaces two members of another build by two of this one, in one group, one after the other.
pub(super) fn replace(bench: &mut Bench, topic: &str, previous: &Path) -> Result<String> {
    let place = bench.topic(topic)?;
    let old = || Watch::ready(bench.consumer_of(previous, &place));
    let old = [old()?, old()?];
    for member in &old {
        member.wait_for_metric("kafka_consumer_assigned_partitions", ARRIVAL, |count| count == 3.0)?;
    }
    let trickle = Trickle::start(&bench.one()?.internal_config(), &place.topic, &ALL, Duration::from_millis(5))?;
    old[0].wait_for_lines(100, ARRIVAL)?;
    let mut outputs = Vec::new();
    let mut new = Vec::new();
    for member in old {
        new.push(Watch::ready(bench.consumer(&place))?);
        outputs.push(member.stop(Signal::TERM)?.expect_code(0)?.stdout);
    }
    let written = trickle.finish()?;
    let all = |new: &[Watch]| {
        let new: usize = new.iter().map(|member| member.process.stdout().lines().count()).sum();
        new + outputs.iter().map(|text| text.lines().count()).sum::<usize>()
    };
    let deadline = Instant::now() + NEXT;
    while all(&new) < usize::try_from(written)? {
        ensure!(Instant::now() < deadline, "{} of {written} records were logged {NEXT:?} later", all(&new));
        thread::sleep(Duration::from_millis(50));
    }
    for member in new {
        outputs.push(member.stop(Signal::TERM)?.expect_code(0)?.stdout);
    }
    let (mut times, mut numbers) = (BTreeMap::<i32, Vec<f64>>::new(), Vec::new());
    for (partition, number, seconds) in outputs.iter().flat_map(|text| text.lines()).filter_map(line) {
        times.entry(partition).or_default().push(seconds);
        numbers.push(number);
    }
    numbers.sort_unstable();
    let logged = numbers.len();
    numbers.dedup();
    ensure!(numbers.len() as u64 == written, "{} of {written} records were logged", numbers.len());
    ensure!(logged == numbers.len(), "{} records were logged again", logged - numbers.len());
    let longest = times.values_mut().map(|times| {
        times.sort_by(f64::total_cmp);
        times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
    });
    let longest = longest.fold(0.0, f64::max);
    ensure!(longest <= PAUSE.as_secs_f64(), "a partition stood still for {longest:.1} s");
    Ok(format!("{written} records once each; the longest pause of a partition was {longest:.1} s"))
}

const ALL: [i32; 6] = [0, 1, 2, 3, 4, 5];

/// Of each partition, the highest number that was logged.
fn newest(outputs: impl Iterator<Item = String>) -> BTreeMap<i32, u64> {
    let mut newest = BTreeMap::new();
    for output in outputs {
        for (partition, number, _) in output.lines().filter_map(line) {
            let highest = newest.entry(partition).or_insert(number);
            *highest = number.max(*highest);
        }
    }
    newest
}

/// Partition, number and time (in seconds since midnight) of a record line.
fn line(text: &str) -> Option<(i32, u64, f64)> {
    let line: Value = serde_json::from_str(text).ok()?;
    let time = line.get("timestamp")?.as_str()?.split_once('T')?.1.trim_end_matches('Z');
    let seconds = time.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))?;
    let partition = line.get("partition")?.as_i64()?;
    Some((i32::try_from(partition).ok()?, line.get("value")?.as_str()?.parse().ok()?, seconds))
}
