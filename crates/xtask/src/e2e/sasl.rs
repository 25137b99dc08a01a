//! Logins by password, and rights.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testbed::process::{Outcome, Program};

use super::Scenario;
use crate::consumer::Consumer;

use super::access::{with_password, with_protocol};
use super::bench::{ARRIVAL, Bench, PASSWORD, RUN, Report, STRANGER, USER};

pub(super) const SCENARIOS: [Scenario; 5] = [
    Scenario {
        name: "sasl-plain",
        claim: "PLAIN: the right password publishes and consumes, a wrong one ends both with 4 within seconds",
        run: |bench| passwords(bench, "PLAIN"),
    },
    Scenario {
        name: "sasl-scram",
        claim: "SCRAM-SHA-512: the right password publishes and consumes, a wrong one ends both with 4 within seconds",
        run: |bench| passwords(bench, "SCRAM-SHA-512"),
    },
    Scenario {
        name: "no-right-to-write",
        claim: "a producer without the right ends with 4 and names Write on the topic",
        run: no_write,
    },
    Scenario {
        name: "no-right-to-group",
        claim: "a consumer without the right ends with 4 and names Read on the group",
        run: no_group,
    },
    Scenario {
        name: "no-group-no-right",
        claim: "a consumer of given partitions, in no group, needs no right on one",
        run: without_group,
    },
];

/// A refusal is told at once; the rest is for a busy machine.
const SECONDS: Duration = Duration::from_secs(10);

fn passwords(bench: &mut Bench, mechanism: &str) -> Result<String> {
    let place = bench.login_place(mechanism)?;
    let consumer =
        |bench: &Bench| bench.consumer(&place).args(["--from", "latest", "--max-records", "1", "--timeout", "60s"]);
    for program in [bench.producer(&place), consumer(bench)] {
        let began = Instant::now();
        said(with_login(program, mechanism, USER, "wrong").run(RUN)?.expect_code(4)?, "password")?;
        ensure!(began.elapsed() < SECONDS, "the refusal took {:?}", began.elapsed());
    }
    let report = with_login(bench.producer(&place), mechanism, USER, PASSWORD).args(["--messages", "100"]).run(RUN)?;
    Report::of_all(report, 100)?;
    let consumer = bench.consumer(&place).args(["--from", "earliest", "--exit-at-end"]);
    let consumed = with_login(consumer, mechanism, USER, PASSWORD).run(ARRIVAL)?.expect_code(0)?;
    let lines = consumed.json_lines()?.len();
    ensure!(lines >= 100, "{lines} records were logged");
    Ok("wrong: 4 from both; right: 100 delivered and logged".to_owned())
}

fn no_write(bench: &mut Bench) -> Result<String> {
    let place = bench.login_place("no-right-to-write")?;
    let report = Report::of(with_login(bench.producer(&place), "PLAIN", STRANGER, PASSWORD).run(RUN)?, 4)?;
    ensure!(report.delivered == 0, "{report:?}");
    let named = report.message.contains("Write on the topic") && report.message.contains("topic guarded");
    ensure!(named, "the right or the topic is not named: {}", report.message);
    Ok(report.message)
}

fn no_group(bench: &mut Bench) -> Result<String> {
    let place = bench.login_place("no-right-to-group")?;
    let outcome = with_login(bench.consumer(&place), "PLAIN", STRANGER, PASSWORD).run(ARRIVAL)?.expect_code(4)?;
    said(outcome, "Read on the group")
}

fn without_group(bench: &mut Bench) -> Result<String> {
    let place = bench.login_place("no-group-no-right")?;
    let produced = with_login(bench.producer(&place), "PLAIN", USER, PASSWORD).args(["--messages", "10"]).run(RUN)?;
    Report::of_all(produced, 10)?;
    let consumer = Consumer::program(bench.consumer_path(), &place.servers, &place.topic);
    let partitions = ["--partitions", "0-5", "--from", "beginning", "--max-records", "10", "--timeout", "60s"];
    with_login(consumer.args(partitions), "PLAIN", STRANGER, PASSWORD).run(RUN)?.expect_code(0)?;
    Ok("10 logged".to_owned())
}

fn with_login(program: Program, mechanism: &str, user: &str, password: &str) -> Program {
    with_password(with_protocol(program, "SASL_PLAINTEXT"), mechanism, user, password)
}

/// What the program said of its end, which must hold this.
fn said(outcome: Outcome, wanted: &str) -> Result<String> {
    let failed = outcome.events().into_iter().find(|event| event.get("event").is_some_and(|name| name == "failed"));
    let message = failed.as_ref().and_then(|event| event.get("message")?.as_str()).unwrap_or_default();
    ensure!(message.contains(wanted), "{wanted:?} is not in its last words {message:?}\n{outcome}");
    ensure!(!outcome.stderr.contains(PASSWORD), "the password is in the log");
    Ok(message.to_owned())
}
