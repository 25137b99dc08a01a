//! The check of the check: a producer of the suite's own does one thing wrong at a time, and the audit names it and nothing else;
//! and it raises no alarm where nothing is wrong, however often a Job was killed and tried again.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use common::stamp::{HEADER, Writer};
use serde_json::Value;
use tempfile::TempDir;
use testbed::process::{Program, Signal};
use testbed::records::{self, NewRecord, transaction};

use super::Scenario;
use super::bench::{ARRIVAL, Bench, Place, RUN};

pub(super) const SCENARIOS: [Scenario; 6] = [
    Scenario {
        name: "audit-faults",
        claim: "what a producer drops, repeats, swaps, damages or leaves out is named right, and nothing else is",
        run: faults,
    },
    Scenario {
        name: "audit-attempts",
        claim: "a second attempt is no fault; its gap, which the first one covers, is found by its report",
        run: attempts,
    },
    Scenario {
        name: "audit-retried-job",
        claim: "no alarm after a Job that was killed three times, nor after three shares of which one was killed and retried",
        run: retried,
    },
    Scenario {
        name: "audit-transactions",
        claim: "records of aborted transactions do not count, and the report of one that was aborted promises nothing",
        run: transactions,
    },
    Scenario {
        name: "audit-starts",
        claim: "it starts by the report's time, from the beginning where that misleads, and proves nothing of a log that starts too late",
        run: starts,
    },
    Scenario {
        name: "audit-wait",
        claim: "--wait goes on beside a producer until the last message is there",
        run: wait,
    },
];

const PARTITIONS: i32 = 6;
const MESSAGES: u64 = 300;
/// Records may be as old as they say.
const FOR_EVER: [(&str, &str); 1] = [("retention.ms", "-1")];
/// The faults, as the verdict names them.
const FAULTS: [&str; 5] = ["missing", "lost", "written_twice", "reordered", "damaged"];

/// Messages of one attempt, as a producer stamps them, over the partitions in turn.
fn messages(run: &str, attempt: u32, numbers: impl Iterator<Item = u64>) -> Vec<NewRecord> {
    let mut stamp = Writer::new(run, attempt);
    let message = |seq: u64| {
        let (key, value) = (seq.to_string(), format!("message {seq}"));
        let header = stamp.write(seq, 1_795_432_527_123_456, Some(key.as_bytes()), Some(value.as_bytes())).to_vec();
        let partition = (seq % PARTITIONS as u64) as i32;
        NewRecord::value(value).key(key).partition(partition).header(HEADER, Some(&header))
    };
    numbers.map(message).collect()
}

fn audit(bench: &Bench, place: &Place) -> Program {
    Program::new(bench.consumer_path())
        .args(["audit", "--bootstrap-servers", &place.servers, "--topic", &place.topic, "--run", &place.run])
        .args(["--format", "json", "--log-format", "json", "--timeout", "60s"])
}

/// The verdict of an audit that ended with this code and found these faults: those of [`FAULTS`].
fn expect(program: Program, code: i32, faults: [u64; 5]) -> Result<Value> {
    let outcome = program.run(RUN)?.expect_code(code)?;
    let verdict = outcome.json()?;
    let found = FAULTS.map(|name| verdict.get(name).and_then(Value::as_u64).unwrap_or(u64::MAX));
    ensure!(found == faults, "{FAULTS:?} are {found:?} instead of {faults:?}: {verdict}");
    ensure!(verdict.get("exit_code") == Some(&code.into()), "another exit code than the process's: {verdict}");
    Ok(verdict)
}

fn number(verdict: &Value, name: &str) -> Result<u64> {
    verdict.get(name).and_then(Value::as_u64).with_context(|| format!("no {name}: {verdict}"))
}

/// What a producer does wrong, and how many faults that is.
type Fault = (&'static str, fn(&mut Vec<NewRecord>), [u64; 5]);

const EACH: [Fault; 11] = [
    ("nothing", |_| {}, [0; 5]),
    ("drops", |records| drop(records.remove(100)), [1, 0, 0, 0, 0]),
    ("repeats at once", |records| records.insert(101, records[100].clone()), [0, 0, 1, 0, 0]),
    ("repeats later", |records| records.push(records[100].clone()), [0, 0, 1, 0, 0]),
    (
        "repeats elsewhere",
        |records| {
            let record = records[100].clone();
            let other = record.partition.map(|partition| (partition + 1) % PARTITIONS);
            records.push(NewRecord { partition: other, ..record });
        },
        [0, 0, 1, 0, 0],
    ),
    // Of the same partition.
    ("swaps", |records| records.swap(100, 100 + PARTITIONS as usize), [0, 0, 0, 1, 0]),
    ("damages a key", |records| records[100].key = Some(b"101".to_vec()), [0, 0, 0, 0, 1]),
    ("damages a value", |records| records[100].value = None, [0, 0, 0, 0, 1]),
    (
        "damages the checksum in a header",
        |records| {
            if let Some(last) = records[100].headers[0].1.as_mut().and_then(|header| header.last_mut()) {
                *last = if *last == b'0' { b'1' } else { b'0' };
            }
        },
        [0, 0, 0, 0, 1],
    ),
    // Nobody can say any more which message it was.
    (
        "cuts a header",
        |records| {
            if let Some(header) = &mut records[100].headers[0].1 {
                header.pop();
            }
        },
        [1, 0, 0, 0, 1],
    ),
    ("stops early", |records| records.truncate(250), [50, 0, 0, 0, 0]),
];

fn faults(bench: &mut Bench) -> Result<String> {
    let mut seen = Vec::new();
    for (number, (name, fault, expected)) in EACH.into_iter().enumerate() {
        let place = bench.topic(&format!("audit-faults-{number}"))?;
        let mut records = messages(&place.run, 1, 0..MESSAGES);
        fault(&mut records);
        records::produce(&bench.one()?.internal_config(), &place.topic, &records)?;
        let code = if expected == [0; 5] { 0 } else { 5 };
        expect(audit(bench, &place).args(["--expect", &MESSAGES.to_string()]), code, expected).context(name)?;
        seen.push(name);
    }
    Ok(format!("a producer that {}", seen.join(", ")))
}

/// Writes what producers said into a file.
fn report_file(folder: &TempDir, name: &str, text: &str) -> Result<PathBuf> {
    let path = folder.path().join(name);
    std::fs::write(&path, text)?;
    Ok(path)
}

/// What the producer of these messages would say.
fn report_of(place: &Place, attempt: u32) -> String {
    let Place { topic, run, .. } = place;
    format!(
        r#"{{"v":1,"event":"report","run_id":"{run}","topic":"{topic}","attempt":"{attempt:08x}","total":{MESSAGES},"requested":{MESSAGES},"delivered":{MESSAGES},"unacknowledged":[]}}"#
    )
}

fn attempts(bench: &mut Bench) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let place = bench.topic("audit-attempts")?;
    let config = bench.one()?.internal_config();
    // The first was killed after 200, the second sent all but one.
    records::produce(&config, &place.topic, &messages(&place.run, 1, 0..200))?;
    records::produce(&config, &place.topic, &messages(&place.run, 2, (0..MESSAGES).filter(|seq| *seq != 50)))?;
    let total = MESSAGES.to_string();
    let verdict = expect(audit(bench, &place).args(["--expect", &total]), 0, [0; 5])?;
    ensure!((number(&verdict, "resent")?, number(&verdict, "attempts")?) == (199, 2), "{verdict}");
    let report = report_file(&folder, "second", &report_of(&place, 2))?;
    let verdict = expect(audit(bench, &place).arg("--report").arg(&report), 5, [0, 1, 0, 0, 0])?;
    let lost = serde_json::json!([{"seq": 50, "attempt": "00000002"}]);
    ensure!(verdict.pointer("/places/lost") == Some(&lost), "{verdict}");
    let place = bench.topic("audit-attempts-whole")?;
    records::produce(&config, &place.topic, &messages(&place.run, 1, 0..200))?;
    records::produce(&config, &place.topic, &messages(&place.run, 2, 0..MESSAGES))?;
    let report = report_file(&folder, "whole", &report_of(&place, 2))?;
    expect(audit(bench, &place).arg("--report").arg(&report), 0, [0; 5])?;
    Ok("a gap of the second attempt is lost with its report, and covered without".to_owned())
}

fn retried(bench: &mut Bench) -> Result<String> {
    const TOTAL: u64 = 20_000;
    let folder = tempfile::tempdir()?;
    let flags = ["--messages", &TOTAL.to_string(), "--rate", "10k/s"];
    // A Job whose first three pods were killed.
    let place = bench.topic("audit-retried")?;
    for pause in [300, 700, 1100] {
        let process = bench.producer(&place).args(flags).spawn()?;
        process.wait_for_stderr_event("publishing", ARRIVAL)?;
        std::thread::sleep(Duration::from_millis(pause));
        process.stop(Signal::KILL, ARRIVAL)?;
    }
    let last = bench.producer(&place).args(flags).run(RUN)?.expect_code(0)?;
    let report = report_file(&folder, "job", &last.stdout)?;
    let job = expect(audit(bench, &place).arg("--report").arg(&report), 0, [0; 5])?;
    // Three shares, one of them killed and tried again.
    let place = bench.topic("audit-shares")?;
    let share = |bench: &Bench, index: u64| {
        bench.producer(&place).args(flags).args(["--shards", "3", "--shard", &index.to_string()])
    };
    let killed = share(bench, 1).spawn()?;
    let others = [share(bench, 0).spawn()?, share(bench, 2).spawn()?];
    killed.wait_for_stderr_event("publishing", ARRIVAL)?;
    std::thread::sleep(Duration::from_millis(500));
    killed.stop(Signal::KILL, ARRIVAL)?;
    let mut reports = share(bench, 1).run(RUN)?.expect_code(0)?.stdout;
    for other in others {
        reports.push_str(&other.wait(RUN)?.expect_code(0)?.stdout);
    }
    let report = report_file(&folder, "shares", &reports)?;
    let shares = expect(audit(bench, &place).arg("--report").arg(&report), 0, [0; 5])?;
    Ok(format!(
        "{} attempts with {} messages resent, and {} attempts of three shares with {}",
        number(&job, "attempts")?,
        number(&job, "resent")?,
        number(&shares, "attempts")?,
        number(&shares, "resent")?
    ))
}

fn transactions(bench: &mut Bench) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let place = bench.topic("audit-transactions")?;
    let config = bench.one()?.internal_config();
    let all = |attempt: u32| messages(&place.run, attempt, 0..MESSAGES);
    transaction(&config, "audit-1", &place.topic, &all(1), records::Outcome::Aborted)?;
    transaction(&config, "audit-2", &place.topic, &all(2), records::Outcome::Committed)?;
    transaction(&config, "audit-3", &place.topic, &all(3), records::Outcome::Aborted)?;
    let total = MESSAGES.to_string();
    let verdict = expect(audit(bench, &place).args(["--expect", &total]), 0, [0; 5])?;
    ensure!((number(&verdict, "records")?, number(&verdict, "attempts")?) == (MESSAGES, 1), "{verdict}");
    // A producer that a signal ends in the middle of its transaction.
    let place = bench.topic("audit-aborted")?;
    let flags = ["--messages", "2000", "--rate", "1k/s", "--transactional-id", "audit-4"];
    let process = bench.producer(&place).args(flags).spawn()?;
    process.wait_for_stderr_event("publishing", ARRIVAL)?;
    std::thread::sleep(Duration::from_millis(500));
    let aborted = process.stop(Signal::TERM, ARRIVAL)?.expect_code(143)?;
    let said = aborted.json()?;
    ensure!(said.get("unacknowledged") == Some(&serde_json::json!([[0, 1999]])), "{said}");
    let report = report_file(&folder, "aborted", &aborted.stdout)?;
    let verdict = expect(audit(bench, &place).arg("--report").arg(&report), 5, [2000, 0, 0, 0, 0])?;
    ensure!(number(&verdict, "records")? == 0, "{verdict}");
    Ok("an aborted run is missing and not lost".to_owned())
}

fn starts(bench: &mut Bench) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let total = MESSAGES.to_string();
    // By time: what is older than the run is not read.
    let place = bench.no_topic("audit-starts")?;
    bench.one()?.create_topic(&place.topic, PARTITIONS, 1, &FOR_EVER)?;
    let config = bench.one()?.internal_config();
    let old = |partition: i32| NewRecord::value("old").partition(partition).timestamp(1_700_000_000_000);
    records::produce(&config, &place.topic, &(0..PARTITIONS).map(old).collect::<Vec<_>>())?;
    let sent = bench.producer(&place).args(["--messages", &total]).run(RUN)?.expect_code(0)?;
    let report = report_file(&folder, "by-time", &sent.stdout)?;
    let by_report = || audit(bench, &place).arg("--report").arg(&report);
    let verdict = expect(by_report(), 0, [0; 5])?;
    ensure!(number(&verdict, "unchecked")? == 0, "older records were read: {verdict}");
    let verdict = expect(by_report().args(["--from", "earliest"]), 0, [0; 5])?;
    ensure!(number(&verdict, "unchecked")? == PARTITIONS as u64, "{verdict}");
    let verdict = expect(by_report().args(["--from", "time:2100-01-01T00:00:00Z"]), 1, [MESSAGES, MESSAGES, 0, 0, 0])?;
    ensure!(verdict["unproven"].to_string().contains("--from is later than the run's start"), "{verdict}");
    // Messages that bring old times of their own, which a start by time passes over.
    let place = bench.no_topic("audit-old-times")?;
    bench.one()?.create_topic(&place.topic, PARTITIONS, 1, &FOR_EVER)?;
    let lines: String = (0..MESSAGES).map(|n| format!("{{\"value\":{n},\"timestamp\":1700000000000}}\n")).collect();
    let input = report_file(&folder, "lines", &lines)?;
    let program = bench.producer(&place).args(["--input-format", "json"]).arg("--input").arg(&input);
    let report = report_file(&folder, "old-times", &program.run(RUN)?.expect_code(0)?.stdout)?;
    expect(audit(bench, &place).arg("--report").arg(&report), 0, [0; 5])?;
    // The broker's times: from the beginning.
    let place = bench.no_topic("audit-append-time")?;
    bench.one()?.create_topic(&place.topic, PARTITIONS, 1, &[("message.timestamp.type", "LogAppendTime")])?;
    let sent = bench.producer(&place).args(["--messages", &total]).run(RUN)?.expect_code(0)?;
    let report = report_file(&folder, "append-time", &sent.stdout)?;
    let outcome = audit(bench, &place).arg("--report").arg(&report).run(RUN)?.expect_code(0)?;
    let told = outcome.events().iter().any(|event| event["event"] == "audit_from_the_beginning");
    ensure!(told, "it was not read from the beginning\n{outcome}");
    // Retention has taken some: what is missing may have been there.
    bench.one()?.delete_records(&place.topic, 0, 5)?;
    let verdict = expect(audit(bench, &place).arg("--report").arg(&report), 1, [5, 5, 0, 0, 0])?;
    let reason = verdict["unproven"].to_string();
    ensure!(reason.contains("the log starts later than the run"), "{verdict}");
    Ok("by time, by times of the messages' own, by the broker's, and of a log that was cut".to_owned())
}

fn wait(bench: &mut Bench) -> Result<String> {
    const TOTAL: &str = "6000";
    let place = bench.topic("audit-wait")?;
    let process = bench.producer(&place).args(["--messages", TOTAL, "--rate", "2k/s"]).spawn()?;
    process.wait_for_stderr_event("publishing", ARRIVAL)?;
    let verdict = expect(audit(bench, &place).args(["--expect", TOTAL, "--wait"]), 0, [0; 5])?;
    process.wait(RUN)?.expect_code(0)?;
    Ok(format!("{} records beside their producer", number(&verdict, "records")?))
}
