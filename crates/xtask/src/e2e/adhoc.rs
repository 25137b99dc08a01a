//! People look at a topic that a service reads: the service's group must not notice.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testbed::groups::{self, Group};
use testbed::process::{Outcome, Signal};
use testbed::records::{self, NewRecord};

use super::Scenario;
use super::bench::{ARRIVAL, Bench, Place};
use super::watch::Watch;
use crate::consumer::Consumer;

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "adhoc-beside-service",
        claim: "runs without a group show what they are asked for, and a service's group beside them keeps members, assignment and offsets",
        run: beside_a_service,
    },
    Scenario {
        name: "adhoc-times",
        claim: "--from and --to end a partition at its first record that is not older, by dates of UTC and in order or not",
        run: times,
    },
];

const PARTITIONS: i32 = 3;
/// Records in each partition; the nth one's time is second n of 1970, from 1 on: to the client 0 means now.
const EACH: i64 = 100;
/// The partitions of a service stay as they are for longer than a rebalance takes.
const AFTERWARDS: Duration = Duration::from_secs(4);
/// All rebalances of a service, whatever their kind.
const REBALANCES: &str = "kafka_consumer_rebalances_total{";

/// All that a service and its brokers say of its group.
#[derive(Debug, PartialEq)]
struct Seen {
    group: Group,
    committed: Vec<i64>,
    rebalances: Vec<String>,
    assigned: Option<f64>,
    groups: Vec<String>,
}

fn beside_a_service(bench: &mut Bench) -> Result<String> {
    let place = filled(bench, "adhoc", PARTITIONS)?;
    let service = Watch::ready(bench.consumer(&place).args(["--commit-interval", "100ms"]))?;
    let all = EACH * i64::from(PARTITIONS);
    service.wait_for_lines(usize::try_from(all)?, ARRIVAL)?;
    wait_until_committed(bench, &place, EACH)?;
    let before = seen(bench, &place, &service)?;
    ensure!(before.group.members.len() == 1, "the service is not alone in its group: {before:?}");

    // What people would type, some with the variable that the image sets.
    let service_group = [("KAFKA_CONSUMER_GROUP", place.run.as_str())];
    let path = bench.consumer_path().to_owned();
    let plain = || Consumer::program(&path, &place.servers, &place.topic);
    let runs: [(&[&str], usize); 9] = [
        (&["--exit-at-end"], usize::try_from(all)?),
        (&["-n", "7"], 7),
        (&["--from", "latest", "--exit-at-end"], 0),
        (&["--tail", "5", "--exit-at-end"], 15),
        (&["--from", "offset:90", "--to", "offset:95"], 15),
        (&["--from", "1970-01-01T00:01:31", "--to", "time:1970-01-01T00:01:36Z"], 15),
        (&["--match-value", "2/77", "--exit-at-end"], 1),
        (&["--match-key", "0-1", "--to", "latest"], 12),
        (&["--match-header", "second=99", "-n", "3"], 3),
    ];
    for (args, expected) in &runs {
        let found = lines(plain().args(*args).run(ARRIVAL)?, args)?.len();
        ensure!(found == *expected, "{args:?} showed {found} records instead of {expected}");
    }
    for args in [&["--tail", "2", "--exit-at-end"][..], &["--to", "offset:2"], &["-p", "0", "-n", "6"]] {
        let found = lines(plain().envs(service_group).args(args).run(ARRIVAL)?, args)?.len();
        ensure!(found == 6, "{args:?} showed {found} records instead of 6");
    }
    // One that follows while the service reads on: both get the same new records.
    let follower = plain().args(["--tail", "1"]).spawn()?;
    count_lines(&follower, 3)?;
    produce(bench, &place, PARTITIONS, EACH + 1..EACH + 11)?;
    count_lines(&follower, 33)?;
    follower.stop(Signal::TERM, ARRIVAL)?.expect_code(0)?;
    service.wait_for_lines(usize::try_from(all + 30)?, ARRIVAL)?;
    wait_until_committed(bench, &place, EACH + 10)?;

    std::thread::sleep(AFTERWARDS);
    let after = seen(bench, &place, &service)?;
    ensure!(
        Seen { committed: before.committed.clone(), ..after } == before,
        "the service's group has noticed: before {before:?}"
    );
    let outcome = service.stop(Signal::TERM)?.expect_code(0)?;
    let logged = outcome.stdout.lines().count();
    ensure!(logged == usize::try_from(all + 30)?, "the service has logged {logged} records");

    let nothing_new = bench.consumer(&place).arg("--exit-at-end").run(ARRIVAL)?;
    super::watch::verdict(nothing_new, 0, &["0 records", "committed offsets are at the end", "--from earliest"])?;
    Ok(format!("{} runs beside a service: the same member, assignment and rebalances, no other group", runs.len() + 4))
}

fn times(bench: &mut Bench) -> Result<String> {
    let place = filled(bench, "adhoc-times", 2)?;
    // Behind second 100 come 50 and 200: out of order.
    let late = |second: i64| NewRecord::value(format!("late/{second}")).partition(0).timestamp(second * 1000);
    records::produce(&bench.one()?.internal_config(), &place.topic, &[late(50), late(200)])?;
    let path = bench.consumer_path().to_owned();
    let plain = || Consumer::program(&path, &place.servers, &place.topic);
    let cases: [(&[&str], usize); 8] = [
        (&["--to", "1970-01-01T00:00:11Z"], 20),
        (&["--from", "1970-01-01T00:01:31Z", "--to", "1970-01-01T00:01:41Z"], 21),
        (&["--from", "1970-01-01T00:01:41Z", "--exit-at-end"], 1),
        (&["--from", "1970-01-01T00:03:00", "--to", "latest"], 1),
        (&["--from", "1970-01-01", "--to", "1970-01-02"], 202),
        (&["--from", "1970-01-02", "--to", "latest"], 0),
        (&["--from", "-1h", "--to", "latest"], 0),
        (&["--to", "-1h"], 202),
    ];
    for (args, expected) in &cases {
        let outcome = plain().args(*args).run(ARRIVAL)?;
        let is_zoned = args.iter().all(|arg| arg.starts_with('-') || arg.ends_with('Z') || *arg == "latest");
        let said = outcome.stderr.matches("utc_assumed").count();
        ensure!(said == usize::from(!is_zoned), "{args:?} said {said} times that UTC is assumed\n{}", outcome.stderr);
        let found = lines(outcome, args)?.len();
        ensure!(found == *expected, "{args:?} showed {found} records instead of {expected}");
    }
    Ok(format!("{} ranges, each with the right number of records", cases.len()))
}

/// A topic with records of known times, keys and headers.
fn filled(bench: &mut Bench, name: &str, partitions: i32) -> Result<Place> {
    let place = bench.no_topic(name)?;
    // Times of 1970 are older than any retention.
    bench.one()?.create_topic(name, partitions, 1, &[("retention.ms", "-1")])?;
    produce(bench, &place, partitions, 1..EACH + 1)?;
    Ok(place)
}

fn produce(bench: &mut Bench, place: &Place, partitions: i32, seconds: Range<i64>) -> Result<()> {
    let record = |partition: i32, second: i64| {
        let text = second.to_string();
        let record = NewRecord::value(format!("{partition}/{second}")).key(format!("{partition}-{second}"));
        record.header("second", Some(text.as_bytes())).partition(partition).timestamp(second * 1000)
    };
    let records: Vec<_> =
        seconds.flat_map(|second| (0..partitions).map(move |partition| record(partition, second))).collect();
    records::produce(&bench.one()?.internal_config(), &place.topic, &records)
}

fn seen(bench: &mut Bench, place: &Place, service: &Watch) -> Result<Seen> {
    let config = bench.one()?.internal_config();
    let metrics = service.metrics()?;
    // Other scenarios have left groups on the same brokers.
    let groups = groups::names(&config)?;
    let groups = groups.into_iter().filter(|name| name.contains("adhoc") || name.contains("kafka-consumer")).collect();
    Ok(Seen {
        group: groups::describe(&config, &place.run)?,
        committed: groups::committed(&config, &place.run, &place.topic, PARTITIONS)?,
        rebalances: metrics.lines().filter(|line| line.starts_with(REBALANCES)).map(str::to_owned).collect(),
        assigned: service.metric("kafka_consumer_assigned_partitions")?,
        groups,
    })
}

/// Waits until the service has committed so many records of each partition.
fn wait_until_committed(bench: &mut Bench, place: &Place, each: i64) -> Result<()> {
    let config = bench.one()?.internal_config();
    let began = std::time::Instant::now();
    loop {
        let committed = groups::committed(&config, &place.run, &place.topic, PARTITIONS)?;
        if committed.iter().all(|offset| *offset == each) {
            return Ok(());
        }
        ensure!(began.elapsed() < ARRIVAL, "committed are {committed:?} instead of {each} each");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until a process has written so many lines in all.
fn count_lines(process: &testbed::process::Process, count: usize) -> Result<()> {
    let began = std::time::Instant::now();
    while process.stdout().lines().count() < count {
        ensure!(began.elapsed() < ARRIVAL, "{count} records were not logged\n{}", process.stderr());
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The record lines of a run without a group that ended well.
fn lines(outcome: Outcome, args: &[&str]) -> Result<Vec<Value>> {
    ensure!(outcome.stderr.contains("no_group"), "{args:?} does not say that it has no group\n{}", outcome.stderr);
    outcome.expect_code(0).with_context(|| format!("{args:?}"))?.json_lines()
}
