//! Faults of the programs: a member that dies or stands still, a producer that stands still.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use testbed::process::Signal;

use super::scene::Scene;

/// Kills a member and starts another one, as Kubernetes does with a pod that is gone.
pub fn kill(scene: &mut Scene<'_>) -> Result<()> {
    let member = scene.load.members.pop().context("there is no member")?;
    member.signal(Signal::KILL)?;
    scene.load.ended.push(member.wait()?);
    let next = scene.load.join(scene.bench)?;
    next.wait_until_ready()?;
    scene.load.members.push(next);
    Ok(())
}

/// A member stands still.
pub fn freeze(scene: &mut Scene<'_>, time: Duration) -> Result<()> {
    let member = scene.load.members.last().context("there is no member")?;
    member.freeze(true)?;
    thread::sleep(time);
    member.freeze(false)
}

/// The producer stands still.
pub fn freeze_producer(scene: &mut Scene<'_>, time: Duration) -> Result<()> {
    let producer = scene.load.producer()?;
    producer.signal(Signal::STOP)?;
    thread::sleep(time);
    producer.signal(Signal::CONT)
}
