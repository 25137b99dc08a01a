//! Faults of brokers: killed, restarted, frozen, out of disk, with other passwords and quotas.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::bench::{ALL, Bench, ON_DISK, PASSWORD, USER};
use super::row::Which;

/// How long replicas may take to catch up.
const IN_SYNC: Duration = Duration::from_secs(90);
/// How long a broker may take to see that its disk is full.
const GIVES_UP: Duration = Duration::from_secs(30);

/// The brokers that are meant, for a topic.
pub fn which(bench: &Bench, topic: &str, which: Which) -> Result<Vec<i32>> {
    let cluster = bench.cluster();
    Ok(match which {
        Which::Leader => vec![cluster.leader_of(topic, 0)?],
        Which::Follower => vec![ALL[2]],
        Which::Controller => vec![cluster.controller()?],
        Which::Two => vec![ALL[1], ALL[2]],
        Which::All => ALL.to_vec(),
    })
}

/// Kills brokers, and starts them again some seconds later.
pub fn kill(bench: &Bench, brokers: &[i32], away: Duration) -> Result<()> {
    for broker in brokers {
        bench.cluster_mut().kill(*broker)?;
    }
    thread::sleep(away);
    for broker in brokers {
        bench.cluster_mut().begin_restart(*broker)?;
    }
    bench.cluster().wait_until_restarted(brokers)
}

/// Stops and starts one broker after the other, as an upgrade does.
pub fn roll(bench: &Bench) -> Result<()> {
    for broker in ALL {
        bench.cluster_mut().restart(broker)?;
        bench.cluster().wait_for_full_isr(IN_SYNC)?;
    }
    Ok(())
}

/// A broker stands still.
pub fn freeze(bench: &Bench, broker: i32, time: Duration) -> Result<()> {
    bench.cluster().pause(broker)?;
    thread::sleep(time);
    bench.cluster().resume(broker)
}

/// Fills a broker's disk until it ends, makes room and starts it again.
pub fn fill_disk(bench: &Bench) -> Result<()> {
    let disk = bench.disk.as_ref().context("a full disk needs the right to mount one: run as root")?;
    disk.fill()?;
    let ended = bench.cluster_mut().wait_for_end(ON_DISK, GIVES_UP);
    disk.make_room()?;
    ended?;
    bench.cluster_mut().begin_restart(ON_DISK)?;
    bench.cluster().wait_until_restarted(&[ON_DISK])
}

/// The user's password is another one for a while.
pub fn change_password(bench: &Bench, time: Duration) -> Result<()> {
    bench.cluster().set_password(USER, "another one")?;
    thread::sleep(time);
    bench.cluster().set_password(USER, PASSWORD)
}

/// Clients get few bytes a second for a while.
pub fn limit(bench: &Bench, bytes: u64, time: Duration) -> Result<()> {
    bench.cluster().set_quota(Some((bytes, bytes)))?;
    thread::sleep(time);
    bench.cluster().set_quota(None)
}
