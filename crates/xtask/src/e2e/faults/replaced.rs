//! A topic that is deleted and created again under load: the producer says what is gone, and the group logs all of the new one.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testbed::process::Signal;

use super::audit::audit;
use super::bench::{Bench, PARTITIONS, TOPIC};
use super::load::{BEFORE, Load, RATE, number};
use super::row::Row;
use super::seen::Seen;

const SOON: Duration = Duration::from_secs(60);
/// Messages of the second run, into the new topic.
const MESSAGES: u64 = 20_000;

/// Replaces the topic, waits for the first producer's honest end, and audits a second run.
pub fn run(bench: &Bench, row: &Row, seen: &mut Seen) -> Result<()> {
    let mut load = Load::start(bench, row)?;
    load.wait_for(RATE * BEFORE, SOON)?;
    let began = Instant::now();
    bench.cluster().delete_topic(&load.name)?;
    // Deleted is what the controller says; the brokers follow.
    while let Err(error) = bench.cluster().create_topic(&load.name, PARTITIONS, 3, &TOPIC) {
        ensure!(began.elapsed() < SOON, "the topic cannot be created again: {error:#}");
    }
    seen.fault = began.elapsed();
    let second = format!("{}-second", load.name);
    load.logged.lock().follow(&second);
    let first = load.finish()?.expect_code(1)?;
    let report = first.json()?;
    let numbers = ["requested", "delivered", "failed", "unsent"].map(|name| number(&report, name));
    let [requested, delivered, failed, unsent] = numbers;
    ensure!(requested? == delivered? + failed? + unsent?, "the report does not add up: {report}");
    let said = report.get("message").map(ToString::to_string).unwrap_or_default();
    ensure!(said.contains("was deleted and created again"), "the report does not say so: {report}");

    let program = bench.producer(&load.servers, &load.name, &second).args(["--messages", &MESSAGES.to_string()]);
    let report = program.args(["--rate", &format!("{RATE}/s")]).run(SOON)?.expect_code(0)?.stdout;
    load.wait_for_all(MESSAGES)?;
    seen.records = Some(MESSAGES);
    let members: Vec<_> = load.members.drain(..).collect();
    for member in &members {
        member.signal(Signal::TERM)?;
    }
    for member in members {
        let ended = member.wait()?;
        let log = &ended.outcome.stderr;
        ensure!(ended.outcome.code() == Some(0), "a member ended with {}\n{log}", ended.outcome.status);
        ensure!(log.contains("topic_replaced"), "a member does not say that the topic was replaced\n{log}");
        seen.ended += 1;
    }
    {
        let logged = load.logged.lock();
        (seen.logged, seen.repeated, seen.gap) = (logged.distinct(), logged.repeated(), Some(logged.gap()));
    }
    let verdict = audit(bench, &load.servers, &load.name, &second, &[&report])?;
    ensure!(verdict.code == 0, "the audit of the second run: {}", verdict.text);
    seen.audit = Some(verdict.code);
    seen.note =
        "audited is a second run, into the new topic; the first one ended with 1 and said what is gone".to_owned();
    bench.cluster().delete_topic(&load.name)
}
