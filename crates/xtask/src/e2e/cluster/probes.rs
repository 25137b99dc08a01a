//! The probes: what they answer, and that a broker that is away makes pods unready and restarts none.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Scenario;
use super::bench::{Bench, LONG, PROGRAMS, SOON, is_ready, name, restarts};
use super::forward::Forward;
use super::kubectl::{Seen, list, number, text, until};

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "probes",
        claim: "each consumer has passed its startup probe, and answers liveness, readiness and metrics",
        run: answer,
    },
    Scenario {
        name: "broker-away",
        claim: "without a broker the pods, one started meanwhile too, are unready, alive and not restarted; with it they are ready",
        run: broker_away,
    },
];

fn answer(bench: &mut Bench) -> Result<String> {
    bench.installed()?;
    let pods = bench.consumers()?;
    let mut restarted = 0;
    for pod in &pods {
        let started =
            list(pod, "/status/containerStatuses").iter().all(|status| status.get("started") == Some(&true.into()));
        ensure!(started && is_ready(pod), "{} has not passed its probes: {}", name(pod), pod["status"]);
        restarted += restarts(pod);
        let admin = Forward::open(&bench.kubectl, PROGRAMS, name(pod), 8080)?;
        for path in ["/livez", "/readyz", "/metrics", "/version"] {
            let answer = admin.get(path)?;
            ensure!(answer.status == 200, "{} answers {path} with {answer:?}", name(pod));
        }
        ensure!(admin.metrics()?.contains("kafka_consumer_build_info{"), "{} has no metrics of ours", name(pod));
    }
    Ok(format!("{} pods answer /livez, /readyz, /metrics and /version by 200; {restarted} restarts", pods.len()))
}

fn broker_away(bench: &mut Bench) -> Result<String> {
    bench.installed()?;
    let before = restarts_of(&bench.consumers()?);
    let patience = liveness_patience(&bench.deployment())?;
    bench.brokers(0)?;
    let began = Instant::now();
    let gone = bench.consumers()?.first().map(|pod| name(pod).to_owned()).context("there is no consumer")?;
    bench.kubectl.delete(&["pod", "-n", PROGRAMS, &gone], SOON)?;
    let pods = until(SOON, "two running consumers, both unready", || {
        let pods = bench.consumers()?;
        let running = pods.iter().filter(|pod| text(pod, "/status/phase") == "Running").count();
        let ready = pods.iter().filter(|pod| is_ready(pod)).count();
        let seen = format!("{} pods, {running} running, {ready} ready", pods.len());
        Ok(if (pods.len(), running, ready) == (2, 2, 0) { Seen::Yes(pods) } else { Seen::NotYet(seen) })
    })?;
    let unready = began.elapsed();
    let mut reason = String::new();
    for pod in &pods {
        let admin = Forward::open(&bench.kubectl, PROGRAMS, name(pod), 8080)?;
        let (live, ready) = (admin.get("/livez")?, admin.get("/readyz")?);
        ensure!((live.status, ready.status) == (200, 503), "{}: {live:?}, {ready:?}", name(pod));
        reason = ready.body.trim().to_owned();
    }
    // The time itself is what is tried: as long as the liveness probe would take to restart them.
    thread::sleep(patience);
    let restarted = restarts_of(&bench.consumers()?);
    bench.brokers(1)?;
    bench.settled(2, LONG)?;
    ensure!(restarted <= before, "a pod was restarted while the broker was away");
    Ok(format!(
        "both unready within {:.0} s ({reason:?}), alive, none restarted in {:.0} s; ready again with the broker",
        unready.as_secs_f64(),
        (unready + patience).as_secs_f64()
    ))
}

fn restarts_of(pods: &[Value]) -> u64 {
    pods.iter().map(restarts).sum()
}

/// How long liveness may fail before a restart, and one period more.
fn liveness_patience(deployment: &Value) -> Result<Duration> {
    let probe = deployment.pointer("/spec/template/spec/containers/0/livenessProbe").context("no liveness probe")?;
    let seconds = number(probe, "/periodSeconds") * (number(probe, "/failureThreshold") + 1);
    ensure!(seconds > 0, "the liveness probe says no times: {probe}");
    Ok(Duration::from_secs(seconds))
}
