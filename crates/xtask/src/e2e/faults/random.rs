//! Faults of several kinds, one after another, chosen by the seed.

use std::time::{Duration, Instant};

use anyhow::Result;
use testbed::process::Signal;
use testbed::proxy::Way;

use super::row::{Fault, Which};
use super::scene::Scene;

/// Does one fault.
type Act = fn(&mut Scene<'_>, Fault) -> Result<String>;

/// One fault after another, each repaired before the next, until the time is over. Says which.
pub fn run(scene: &mut Scene<'_>, time: Duration, act: Act) -> Result<String> {
    let began = Instant::now();
    let mut done = Vec::new();
    while began.elapsed() < time {
        let seconds = scene.rng.u64(2..10);
        let (name, fault) = match scene.rng.u8(..9) {
            0 => ("kill leader", Fault::Kill(Which::Leader, seconds)),
            1 => ("kill two", Fault::Kill(Which::Two, seconds)),
            2 => ("kill all", Fault::Kill(Which::All, seconds)),
            3 => ("freeze broker", Fault::FreezeBroker(seconds)),
            4 => ("reset", Fault::Reset(1)),
            5 => ("delay", Fault::Delay(300, seconds)),
            6 => ("kill member", Fault::KillMember),
            7 => ("member comes and goes", Fault::ComeAndGo(Signal::TERM, 3)),
            _ => ("hold both ways", Fault::Cut(Way::Both, super::row::Reach::All, seconds)),
        };
        // By the proxies, as the load goes through them.
        if let Fault::Cut(way, _, _) = fault {
            super::cut::Cutting::Proxy.cut(
                &scene.bench.cluster(),
                &super::bench::ALL,
                way,
                Duration::from_secs(seconds),
            )?;
        } else {
            act(scene, fault)?;
        }
        done.push(name);
    }
    Ok(done.join(", "))
}
