//! A round trip: one process that publishes and reads back, right or wrong for the reason that there is.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testbed::apache::Resource;
use testbed::ports::free_port;
use testbed::process::{Outcome, Program};
use testbed::records::{self, NewRecord};

use super::Scenario;
use super::access::{form_encoded, with_password, with_protocol, with_token};
use super::bench::{Bench, PASSWORD, Place, RUN, SERVICE, USER, on_broker};
use super::token_server::TokenServer;

pub(super) const SCENARIOS: [Scenario; 4] = [
    Scenario {
        name: "round-trip",
        claim: "what is published is read back exactly once, whole and in order, by one process that knows how long it took",
        run: well,
    },
    Scenario {
        name: "round-trip-fault",
        claim: "a record of the run that is not as it was sent ends it with 5",
        run: fault,
    },
    Scenario {
        name: "round-trip-rights",
        claim: "a login that may write and not read ends it with 4 before the first message; with both rights it needs no group",
        run: rights,
    },
    Scenario {
        name: "round-trip-broker-restart",
        claim: "a broker killed and started again under it costs time and nothing else",
        run: restart,
    },
];

/// Between two looks at the topic.
const LOOK: Duration = Duration::from_millis(50);
const SECRET: &str = "service-secret/1+2";

fn round_trip(bench: &Bench, place: &Place) -> Program {
    Program::new(bench.producer_path())
        .args(["round-trip", "--bootstrap-servers", &place.servers, "--topic", &place.topic, "--run-id", &place.run])
        .args(["--report", "json", "--log-format", "json"])
}

/// The report of a round trip that ended with this code.
fn report(outcome: Outcome, code: i32) -> Result<Value> {
    let report = outcome.expect_code(code)?.json()?;
    ensure!(report.get("event").and_then(Value::as_str) == Some("round_trip"), "another report: {report}");
    ensure!(report.get("exit_code") == Some(&code.into()), "another exit code than the process's: {report}");
    Ok(report)
}

fn number(report: &Value, pointer: &str) -> Result<u64> {
    report.pointer(pointer).and_then(Value::as_u64).with_context(|| format!("no {pointer}: {report}"))
}

/// Checks that so many messages were proven.
fn proven(outcome: Outcome, messages: u64) -> Result<Value> {
    let report = report(outcome, 0)?;
    for (pointer, expected) in [
        ("/delivered", messages),
        ("/audit/distinct", messages),
        ("/audit/missing", 0),
        ("/audit/lost", 0),
        ("/audit/written_twice", 0),
        ("/audit/reordered", 0),
        ("/audit/damaged", 0),
    ] {
        let found = number(&report, pointer)?;
        ensure!(found == expected, "{pointer} is {found}, not {expected}: {report}");
    }
    Ok(report)
}

fn well(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 100_000;
    let place = bench.topic("round-trip")?;
    let full = proven(round_trip(bench, &place).args(["--messages", &MESSAGES.to_string()]).run(RUN)?, MESSAGES)?;
    // A second run finds the topic full of the first one's.
    let place = Place { run: "round-trip-2".to_owned(), ..place };
    let steady = proven(round_trip(bench, &place).args(["-n", "1000", "--rate", "500/s"]).run(RUN)?, 1000)?;
    ensure!(number(&steady, "/audit/records")? == 1000, "more was read than the run has: {steady}");
    let place = Place { run: "round-trip-3".to_owned(), ..place };
    let transaction = ["-n", "1000", "--transactional-id", "round-trip"];
    proven(round_trip(bench, &place).args(transaction).run(RUN)?, 1000)?;
    let latency = |report: &Value| report.pointer("/end_to_end_ms/p99").and_then(Value::as_f64);
    let (Some(at_full), Some(at_rate)) = (latency(&full), latency(&steady)) else {
        anyhow::bail!("no end to end latency: {full} {steady}")
    };
    Ok(format!("{MESSAGES} proven, p99 {at_full} ms; 1000 at 500/s, p99 {at_rate} ms; 1000 in a transaction"))
}

fn fault(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("round-trip-fault")?;
    let process = round_trip(bench, &place).args(["-n", "1500", "--rate", "500/s"]).spawn()?;
    process.wait_for_stderr_event("publishing", RUN)?;
    // It names the run, and is none that its producer can have written.
    let stamp = format!("1;{};", place.run);
    let record = NewRecord::value("damaged").header("stamp", Some(stamp.as_bytes()));
    records::produce(&bench.one()?.internal_config(), &place.topic, &[record])?;
    let report = report(process.wait(RUN)?, 5)?;
    ensure!(number(&report, "/audit/damaged")? == 1, "{report}");
    ensure!(number(&report, "/audit/distinct")? == 1500, "{report}");
    Ok(report.get("message").map(ToString::to_string).unwrap_or_default())
}

fn rights(bench: &mut Bench) -> Result<String> {
    let place = Place { topic: "write-only".to_owned(), ..bench.login_place("round-trip-rights")? };
    let cluster = bench.login()?;
    cluster.create_topic(&place.topic, 3, 1, &[])?;
    cluster.allow(USER, &["Write", "Describe"], Resource::Topic(&place.topic))?;
    let log_in = |program| with_password(with_protocol(program, "SASL_PLAINTEXT"), "SCRAM-SHA-512", USER, PASSWORD);
    let refused = report(log_in(round_trip(bench, &place)).args(["-n", "10"]).run(RUN)?, 4)?;
    let message = refused.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
    ensure!(message.contains("Read"), "the right is not named: {message}");
    ensure!(number(&refused, "/unsent")? == 10, "something was sent: {refused}");
    bench.login()?.allow(USER, &["Read"], Resource::Topic(&place.topic))?;
    proven(log_in(round_trip(bench, &place)).args(["-n", "1000"]).run(RUN)?, 1000)?;

    let place = bench.login_place("round-trip-token")?;
    let port = free_port()?;
    let _server = TokenServer::start(port, SERVICE, &form_encoded(SECRET))?;
    let program = with_token(with_protocol(round_trip(bench, &place), "SASL_PLAINTEXT"), port, SERVICE, SECRET);
    proven(program.args(["-n", "1000"]).run(RUN)?, 1000)?;
    Ok(message)
}

fn restart(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 20_000;
    let place = bench.topic("round-trip-restart")?;
    let process = round_trip(bench, &place).args(["-n", &MESSAGES.to_string(), "--rate", "2k/s"]).spawn()?;
    process.wait_for_stderr_event("publishing", RUN)?;
    while on_broker(bench.one()?, &place.topic)? < MESSAGES / 10 {
        ensure!(process.is_running(), "it has ended: {}", process.stderr());
        std::thread::sleep(LOOK);
    }
    bench.one()?.kill(1)?;
    bench.one()?.restart(1)?;
    let report = proven(process.wait(RUN)?, MESSAGES)?;
    let latency = report.pointer("/end_to_end_ms/max").map(ToString::to_string).unwrap_or_default();
    Ok(format!("{MESSAGES} proven, the slowest took {latency} ms"))
}
