//! New versions and settings of the consumer, and the way back, under load.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Scenario;
use super::bench::{Bench, LONG, PROGRAMS, is_ready};
use super::kubectl::{Seen, list, text, until};
use crate::e2e::bench::{expect_exactly_once, wait_for_messages};

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "rolling-update",
        claim: "a rolling update under load loses no record, repeats none, and holds no partition up for more than 1.5 s",
        run: rolling_update,
    },
    Scenario {
        name: "rollback",
        claim: "an update to an image that does not exist leaves the old pods at work under load, and is undone by one command",
        run: rollback,
    },
];

const DEPLOYMENT: &str = "deployment/kafka-consumer";
/// Longer would be a stop.
const PAUSE: Duration = Duration::from_millis(1500);

fn rolling_update(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 36_000;
    bench.installed()?;
    let load = bench.load("rolling-update", MESSAGES, "600/s")?;
    let logs = bench.logs("rolling-update")?;
    wait_for_messages(logs.received(), MESSAGES / 36)?;
    bench.kubectl.run(&["rollout", "restart", "-n", PROGRAMS, DEPLOYMENT])?;
    bench.kubectl.rolled_out(PROGRAMS, DEPLOYMENT, LONG)?;
    bench.settled(2, LONG)?;
    ensure!(load.pods()?.is_empty(), "the load was over before the update was");
    load.delivered(MESSAGES, LONG)?;
    expect_exactly_once(logs.received(), MESSAGES).with_context(|| logs.own())?;
    let (pods, pause) = (logs.pods()?, logs.longest_pause()?);
    ensure!(pods >= 4, "only {pods} pods have logged: the update was not under load");
    ensure!(pause <= PAUSE, "a partition stood still for {pause:?}\n{}", logs.own());
    Ok(format!(
        "{MESSAGES} delivered at 600/s, logged once by {pods} pods, longest pause of a partition {:.2} s",
        pause.as_secs_f64()
    ))
}

fn rollback(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 20_000;
    bench.installed()?;
    let load = bench.load("rollback", MESSAGES, "500/s")?;
    let logs = bench.logs("rollback")?;
    wait_for_messages(logs.received(), MESSAGES / 20)?;
    let image = "kafka-consumer=localhost:5000/kafka-consumer:no-such-version";
    bench.kubectl.run(&["set", "image", "-n", PROGRAMS, DEPLOYMENT, image])?;
    let reason = until(LONG, "a pod that waits for its image", || {
        let pods = bench.consumers()?;
        let ready = pods.iter().filter(|pod| is_ready(pod)).count();
        ensure!(ready == 2, "{ready} old consumers are left");
        let waiting = pods.iter().flat_map(|pod| list(pod, "/status/containerStatuses"));
        let reasons: Vec<&str> = waiting.map(|status| text(status, "/state/waiting/reason")).collect();
        let image = reasons.iter().find(|reason| reason.starts_with("Err") || reason.contains("ImagePull"));
        Ok(image.map_or_else(|| Seen::NotYet(format!("{reasons:?}")), |reason| Seen::Yes((*reason).to_owned())))
    })?;
    bench.kubectl.run(&["rollout", "undo", "-n", PROGRAMS, DEPLOYMENT])?;
    bench.kubectl.rolled_out(PROGRAMS, DEPLOYMENT, LONG)?;
    bench.settled(2, LONG)?;
    load.delivered(MESSAGES, LONG)?;
    expect_exactly_once(logs.received(), MESSAGES).with_context(|| logs.own())?;
    let pods = logs.pods()?;
    Ok(format!(
        "the new pod stuck in {reason}, {MESSAGES} logged once by the {pods} old ones, undone by `kubectl rollout undo`"
    ))
}
