//! Members that come and go: every three seconds for a minute, or a hundred at random moments of their first seconds.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testbed::process::Signal;

use super::member::{Ended, Member};
use super::scene::Scene;

/// Between two members.
const EVERY: Duration = Duration::from_secs(3);
/// A member that is stopped at a random moment lives at most so long.
const LIFE_MS: u64 = 2000;
/// So many members come and go beside each other.
const LANES: u32 = 4;

/// Every three seconds a member joins, and the oldest one goes.
pub fn every_three_seconds(scene: &mut Scene<'_>, signal: Signal, time: Duration) -> Result<String> {
    let began = Instant::now();
    let mut going: Vec<Member> = Vec::new();
    let mut count: u32 = 0;
    while began.elapsed() < time {
        let joined = scene.load.join(scene.bench)?;
        scene.load.members.push(joined);
        let oldest = scene.load.members.remove(0);
        oldest.signal(signal)?;
        going.push(oldest);
        count += 1;
        thread::sleep((began + EVERY * count).saturating_duration_since(Instant::now()));
    }
    for member in going {
        let ended = member.wait()?;
        if signal == Signal::TERM {
            expect_stopped(&ended)?;
        }
        scene.load.ended.push(ended);
    }
    for member in &scene.load.members {
        member.wait_until_ready()?;
    }
    Ok(format!("{count} came and went"))
}

/// Members come and are stopped at a random moment, the first milliseconds included, while the group of three stays.
pub fn at_random(scene: &mut Scene<'_>, count: u32) -> Result<String> {
    let mut codes = [0, 0, 0];
    for _ in 0..count / LANES {
        let mut lives: Vec<_> = (0..LANES).map(|_| Duration::from_millis(life(scene))).collect();
        lives.sort_unstable();
        let began = Instant::now();
        let mut members = Vec::new();
        for _ in &lives {
            members.push((Instant::now(), scene.load.join(scene.bench)?));
        }
        for ((started, member), life) in members.iter().zip(lives) {
            thread::sleep((*started + life).saturating_duration_since(Instant::now()));
            member.signal(Signal::TERM)?;
        }
        for (_, member) in members {
            let ended = member.wait()?;
            expect_stopped(&ended)?;
            codes[match ended.outcome.code() {
                Some(0) => 0,
                Some(_) => 1,
                None => 2,
            }] += 1;
            scene.load.ended.push(ended);
        }
        ensure!(began.elapsed() < Duration::from_secs(30), "four members took {:?} to end", began.elapsed());
    }
    Ok(format!("{} ended with 0, {} with 143, {} before their first instruction", codes[0], codes[1], codes[2]))
}

/// Half of them in the first tenth of a second.
fn life(scene: &mut Scene<'_>) -> u64 {
    if scene.rng.bool() { scene.rng.u64(..100) } else { scene.rng.u64(..LIFE_MS) }
}

/// 0 where it ran, 143 where it had not begun to; the signal itself where not even the program was loaded.
fn expect_stopped(ended: &Ended) -> Result<()> {
    let outcome = &ended.outcome;
    let loaded = outcome.stderr.is_empty();
    let right = matches!(outcome.code(), Some(0 | 143)) || (outcome.signal() == Some(Signal::TERM.as_raw()) && loaded);
    ensure!(right, "a member that got SIGTERM ended with {}\n{}", outcome.status, outcome.stderr);
    Ok(())
}
