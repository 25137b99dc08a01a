//! A password that is another one for a while: the producer ends with an honest report, the group waits and comes back by itself.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testbed::process::Signal;
use testbed::records;

use super::audit::audit_of;
use super::bench::Bench;
use super::brokers;
use super::load::{BEFORE, Load, RATE, number};
use super::row::Row;
use super::seen::Seen;
use super::watched::of_members;

const SOON: Duration = Duration::from_secs(60);
/// Messages of the second run, with the password that fits again.
const MESSAGES: u64 = 20_000;
/// The exit code of who is refused, and that of an audit that finds something missing.
const REFUSED: i32 = 4;
const MISSING: i32 = 5;

/// Changes the password, and back after this time.
pub fn run(bench: &Bench, row: &Row, away: u64, seen: &mut Seen) -> Result<()> {
    let mut load = Load::start(bench, row)?;
    load.wait_for(RATE * BEFORE, SOON)?;
    let began = Instant::now();
    brokers::change_password(bench, Duration::from_secs(away))?;
    seen.fault = began.elapsed();
    let first = load.finish()?.expect_code(REFUSED)?;
    let report = first.json()?;
    let numbers = ["requested", "delivered", "failed", "unsent"].map(|name| number(&report, name));
    let [requested, delivered, failed, unsent] = numbers;
    let requested = requested?;
    ensure!(requested == delivered? + failed? + unsent?, "the report does not add up: {report}");
    let said = report.get("message").map(ToString::to_string).unwrap_or_default();
    ensure!(said.contains("authentication"), "the report does not say what was refused: {report}");

    let second = format!("{}-second", load.name);
    let program = bench.producer(&load.servers, &load.name, &second).args(["--messages", &MESSAGES.to_string()]);
    let report = program.args(["--rate", &format!("{RATE}/s")]).run(SOON)?.expect_code(0)?.stdout;
    let stored = u64::try_from(records::count(&bench.cluster().internal_config(), &load.name)?)?;
    load.wait_for_all(stored)?;
    seen.records = Some(stored);
    let looked = Instant::now();
    ensure!(load.members.iter().all(|member| member.is_ready()), "not all members were ready at the end");
    let members: Vec<_> = load.members.drain(..).collect();
    for member in &members {
        member.signal(Signal::TERM)?;
    }
    for member in members {
        load.ended.push(member.wait()?.expect_code(0)?);
    }
    of_members(&load.ended, began, looked, seen);
    ensure!(!seen.not_ready.is_zero(), "all members said that they were ready all the time");
    {
        let logged = load.logged.lock();
        (seen.logged, seen.repeated, seen.gap) = (logged.distinct(), logged.repeated(), Some(logged.gap()));
    }
    ensure!(seen.logged == stored, "{} of {stored} records were logged", seen.logged);
    ensure!(seen.repeated == 0, "{} records were logged again", seen.repeated);
    for (run, report, expected, code) in
        [(&load.name, &first.stdout, Some(requested), MISSING), (&second, &report, None, 0)]
    {
        let verdict = audit_of(bench, &load.servers, &load.name, run, &[report], expected)?;
        ensure!(
            verdict.code == code,
            "the audit of {run} ended with {} instead of {code}: {}",
            verdict.code,
            verdict.text
        );
        for fault in ["lost", "written_twice", "reordered", "damaged"] {
            ensure!(verdict.json.get(fault) == Some(&0.into()), "{fault} is not 0: {}", verdict.text);
        }
        seen.audit = Some(verdict.code);
    }
    seen.note =
        "the producer ended with 4 and an honest report, none of it lost; a second run brought the rest".to_owned();
    bench.cluster().delete_topic(&load.name)
}
