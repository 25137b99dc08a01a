//! Runs rows: the load, the fault in it, a minute of looking afterwards, and the judgement.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use serde_json::Value;
use testbed::process::Signal;
use testbed::records;

use super::act::act;
use super::bench::{ALL, Bench};
use super::load::{BEFORE, Load, RATE, number};
use super::row::{Fault, Row};
use super::scene::Scene;
use super::seen::Seen;
use super::watched::{count_lines, growth, of_members};
use super::{audit, judge, password, planted, replaced, signals};
use crate::programs;

/// How long the first records may take.
const FIRST: Duration = Duration::from_secs(60);

/// Runs rows beside each other.
pub fn stage(bench: &Bench, rows: &[&Row], seed: u64) -> Vec<Seen> {
    thread::scope(|scope| {
        let running: Vec<_> = rows.iter().map(|row| (row, scope.spawn(|| one(bench, row, seed)))).collect();
        let ended = running.into_iter().map(|(row, thread)| {
            let panicked = || Seen {
                name: row.name,
                what: row.what,
                problems: vec!["panicked".to_owned()],
                unfinished: true,
                ..Seen::default()
            };
            thread.join().unwrap_or_else(|_| panicked())
        });
        ended.collect()
    })
}

fn one(bench: &Bench, row: &Row, seed: u64) -> Seen {
    let mut seen = Seen { name: row.name, what: row.what, ..Seen::default() };
    let mut hasher = DefaultHasher::new();
    (seed, row.name).hash(&mut hasher);
    let rng = Rng::with_seed(hasher.finish());
    let done = match row.fault {
        Fault::Planted => planted::run(bench, &mut seen),
        Fault::Password(away) => password::run(bench, row, away, &mut seen),
        Fault::TopicAgain => replaced::run(bench, row, &mut seen),
        Fault::SignalProducers(count) => signals::producers(bench, count, rng, &mut seen),
        Fault::SignalProcessOne => signals::process_one(bench, &mut seen),
        _ => under_load(bench, row, rng, &mut seen),
    };
    if let Err(error) = done {
        seen.problems.push(format!("{error:#}"));
        seen.unfinished = true;
    }
    seen
}

fn under_load(bench: &Bench, row: &Row, rng: Rng, seen: &mut Seen) -> Result<()> {
    let after = bench.settle;
    let mut load = Load::start(bench, row)?;
    let done = try_under_load(bench, row, rng, &mut load, after, seen);
    if done.is_ok() {
        seen.problems = judge::judge(row, seen);
    }
    if done.is_err() || !seen.problems.is_empty() {
        let folder = keep_logs(bench, row.name, &load)?;
        seen.problems.push(format!("the logs are in {folder}"));
    }
    if let Err(error) = bench.cluster().delete_topic(&load.name) {
        seen.problems.push(format!("the topic cannot be deleted: {error:#}"));
    }
    done
}

fn try_under_load(
    bench: &Bench,
    row: &Row,
    mut rng: Rng,
    load: &mut Load,
    after: Duration,
    seen: &mut Seen,
) -> Result<()> {
    load.wait_for(RATE * BEFORE, FIRST)?;
    // Where in a commit interval it hits is up to the seed.
    thread::sleep(Duration::from_millis(rng.u64(..1000)));
    let began = Instant::now();
    let mut scene = Scene { bench, load: &mut *load, rng };
    seen.note = act(&mut scene, row.fault)?;
    seen.fault = began.elapsed();
    ensure!(
        load.producer()?.is_running(),
        "the producer has ended before the fault was over:\n{}",
        load.producer()?.stderr()
    );
    let looked = Instant::now() + after;
    // The time itself is what is looked at: what memory is like when all has settled.
    thread::sleep(after);
    seen.ready_again = load.members.iter().all(|member| member.is_ready());

    let outcome = load.finish()?;
    let report = outcome.json()?;
    let numbers = ["requested", "delivered", "failed", "unsent"].map(|name| number(&report, name));
    let [requested, delivered, failed, unsent] = numbers;
    seen.report = Some([requested?, delivered?, failed?, unsent?]);
    let longest = report.pointer("/delivery_ms/max").and_then(Value::as_f64);
    seen.acknowledged = longest.map(|milliseconds| Duration::from_secs_f64(milliseconds / 1e3));
    load.producer_log = outcome.stderr.clone();
    count_lines(&outcome.stderr, &mut seen.lines);
    seen.ended += 1;

    let records = records::count(&bench.cluster().internal_config(), &load.name)?;
    seen.records = Some(records.try_into()?);
    load.wait_for_all(records.try_into()?)?;
    let members: Vec<_> = load.members.drain(..).collect();
    for member in &members {
        member.signal(Signal::TERM)?;
    }
    for member in members {
        let ended = member.wait()?;
        let code = ended.outcome.code();
        load.ended.push(ended);
        ensure!(code == Some(0), "a member that got SIGTERM at the end ended with {code:?}");
    }
    {
        let logged = load.logged.lock();
        ensure!(logged.broken().is_none(), "{}", logged.broken().unwrap_or_default());
        (seen.logged, seen.repeated, seen.gap) = (logged.distinct(), logged.repeated(), Some(logged.gap()));
    }
    of_members(&load.ended, began, looked, seen);
    seen.producer_growth = growth(&load.producer_samples(), began, looked);
    let verdict = audit::audit(bench, &load.servers, &load.name, &load.name, &[&outcome.stdout])?;
    (seen.audit, seen.audit_said) = (Some(verdict.code), verdict.text);
    Ok(())
}

/// Keeps what the programs said of a row that failed, for who looks into it.
fn keep_logs(bench: &Bench, row: &str, load: &Load) -> Result<String> {
    let folder = programs::target()?.join("faults").join(row);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let producer =
        load.producer.as_ref().map(|producer| producer.stderr()).unwrap_or_else(|| load.producer_log.clone());
    fs::write(folder.join("producer.log"), producer)?;
    for (number, ended) in load.ended.iter().enumerate() {
        fs::write(folder.join(format!("ended-{number}.log")), &ended.outcome.stderr)?;
    }
    for (number, member) in load.members.iter().enumerate() {
        fs::write(folder.join(format!("member-{number}.log")), member.process().stderr())?;
    }
    for broker in ALL {
        fs::write(folder.join(format!("broker-{broker}.log")), bench.cluster().log(broker)?)?;
    }
    Ok(format!("target/faults/{row}"))
}
