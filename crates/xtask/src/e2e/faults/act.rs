//! Does what a row says, and returns when it is over and repaired.

use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};

use super::bench::{ALL, PARTITIONS};
use super::row::{Fault, Reach, Which};
use super::scene::Scene;
use super::{brokers, come_and_go, members, random, streams};

/// Does it, and says what is worth saying.
pub fn act(scene: &mut Scene<'_>, fault: Fault) -> Result<String> {
    let bench = scene.bench;
    let seconds = Duration::from_secs;
    let topic = scene.load.name.clone();
    let named =
        |brokers: &[i32]| format!("broker {}", brokers.iter().map(i32::to_string).collect::<Vec<_>>().join(", "));
    match fault {
        Fault::Kill(which, away) => {
            let brokers = brokers::which(bench, &topic, which)?;
            brokers::kill(bench, &brokers, seconds(away))?;
            return Ok(named(&brokers));
        }
        Fault::Rolling => brokers::roll(bench)?,
        Fault::FreezeBroker(time) => {
            let brokers = brokers::which(bench, &topic, Which::Leader)?;
            brokers::freeze(bench, brokers[0], seconds(time))?;
            return Ok(named(&brokers));
        }
        Fault::Cut(way, reach, time) => {
            let brokers = match reach {
                Reach::One => brokers::which(bench, &topic, Which::Leader)?,
                Reach::All => ALL.to_vec(),
            };
            bench.cutting.cut(&bench.cluster(), &brokers, way, seconds(time))?;
            return Ok(named(&brokers));
        }
        Fault::Reset(times) => {
            for _ in 0..times {
                ALL.iter().try_for_each(|broker| bench.cluster().proxy(*broker).map(|proxy| proxy.reset()))?;
                thread::sleep(seconds(2));
            }
        }
        Fault::Loss(percent, time) => bench.cutting.lose(&bench.cluster(), &ALL, percent, seconds(time))?,
        Fault::Delay(milliseconds, time) => {
            let set = |delay: Duration| {
                ALL.iter().try_for_each(|broker| bench.cluster().proxy(*broker).map(|proxy| proxy.delay(delay)))
            };
            set(Duration::from_millis(milliseconds))?;
            thread::sleep(seconds(time));
            set(Duration::ZERO)?;
        }
        Fault::Quota(bytes, time) => brokers::limit(bench, bytes, seconds(time))?,
        Fault::DiskFull => {
            brokers::fill_disk(bench)?;
            return Ok(bench.disk.as_ref().map(|disk| disk.kind.to_owned()).unwrap_or_default());
        }
        Fault::KillMember => members::kill(scene)?,
        Fault::FreezeMember(time) => members::freeze(scene, seconds(time))?,
        Fault::ComeAndGo(signal, time) => return come_and_go::every_three_seconds(scene, signal, seconds(time)),
        Fault::SignalConsumers(count) => return come_and_go::at_random(scene, count),
        Fault::FreezeProducer(time) => members::freeze_producer(scene, seconds(time))?,
        Fault::Partitions => bench.cluster().grow_topic(&topic, 2 * PARTITIONS)?,
        Fault::Stall(output, time) => streams::stall(scene, output, seconds(time))?,
        Fault::Close(output) => streams::close(scene, output)?,
        Fault::Full(output) => streams::full(scene, output)?,
        Fault::Random(time) => return random::run(scene, seconds(time), act),
        Fault::Password(_)
        | Fault::TopicAgain
        | Fault::SignalProducers(_)
        | Fault::SignalProcessOne
        | Fault::Planted => {
            bail!("{fault:?} has a load of its own")
        }
    }
    Ok(String::new())
}
