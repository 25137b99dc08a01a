//! Pods taken away on purpose: the eviction API and a drained node, under the PodDisruptionBudget.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testbed::process::Outcome;

use super::Scenario;
use super::bench::{Bench, CONSUMERS, LONG, PROGRAMS, SOON, is_ready, name};
use super::kubectl::{Kubectl, Seen, list, number, text, until};
use super::leftovers;
use crate::e2e::bench::{expect_exactly_once, wait_for_messages};

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "eviction",
        claim: "the disruption budget lets one consumer be evicted and refuses a second until another is ready",
        run: eviction,
    },
    Scenario {
        name: "drain",
        claim: "draining a node under load takes one consumer at a time, never the last ready one; no record is lost or repeated",
        run: drain,
    },
];

fn eviction(bench: &mut Bench) -> Result<String> {
    bench.installed()?;
    budget_allows(bench, 1)?;
    let pods = bench.consumers()?;
    let [first, second] = &pods[..] else { anyhow::bail!("{} consumers instead of 2", pods.len()) };
    let evicted = evict(&bench.kubectl, name(first))?;
    ensure!(evicted.status.success(), "the first eviction was refused: {evicted}");
    let refused = evict(&bench.kubectl, name(second))?;
    ensure!(
        !refused.status.success() && refused.stderr.contains("disruption budget"),
        "the second eviction was not refused by the budget: {refused}"
    );
    bench.settled(2, LONG)?;
    budget_allows(bench, 1)?;
    let left = bench.consumers()?.iter().any(|pod| name(pod) == name(second));
    ensure!(left, "the second pod is gone, although its eviction was refused");
    Ok("first evicted, second refused by the budget, allowed again once two were ready".to_owned())
}

fn evict(kubectl: &Kubectl, pod: &str) -> Result<Outcome> {
    let path = format!("/api/v1/namespaces/{PROGRAMS}/pods/{pod}/eviction");
    let eviction =
        json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": PROGRAMS}});
    kubectl.send_outcome(&["create", "--raw", &path, "-f", "-"], &eviction)
}

fn budget_allows(bench: &Bench, wanted: u64) -> Result<()> {
    until(SOON, &format!("a budget that allows {wanted} disruption"), || {
        let budget = bench.kubectl.json(&["get", "poddisruptionbudget", "-n", PROGRAMS, "kafka-consumer"])?;
        let allowed = number(&budget, "/status/disruptionsAllowed");
        Ok(Seen::when(allowed == wanted, budget["status"].to_string()))
    })
}

fn drain(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 30_000;
    /// With one node the drain can never end; until then it has tried again and again, every 5 s.
    const IN_VAIN: Duration = Duration::from_secs(20);
    bench.installed()?;
    budget_allows(bench, 1)?;
    let node = node_to_drain(bench)?;
    let elsewhere = schedulable(bench)?.iter().any(|other| *other != node);
    let limit = if elsewhere { LONG } else { IN_VAIN };
    let load = bench.load("drain", MESSAGES, "500/s")?;
    let logs = bench.logs("drain")?;
    wait_for_messages(logs.received(), MESSAGES / 30)?;

    let cordoned = Cordoned::new(&bench.kubectl, &node)?;
    // Only our pods: the cluster may be somebody's.
    let (selector, timeout) = (format!("--pod-selector={CONSUMERS}"), format!("--timeout={}s", limit.as_secs()));
    let drained = bench.kubectl.outcome_within(limit + SOON, &["drain", &node, &selector, &timeout])?;
    let pods = bench.consumers()?;
    let here = pods.iter().filter(|pod| text(pod, "/spec/nodeName") == node).count();
    let ready = pods.iter().filter(|pod| is_ready(pod)).count();
    let seen = if elsewhere {
        ensure!(drained.status.success() && here == 0, "{here} consumers are still on {node}: {drained}");
        format!("{node} drained")
    } else {
        let refused = drained.stderr.contains("disruption budget");
        ensure!(!drained.status.success() && refused, "one node, and the budget did not stop its drain: {drained}");
        ensure!(
            (here, ready) == (1, 1),
            "{here} consumers on {node}, {ready} ready, instead of one that works: {drained}"
        );
        format!("the only node: one consumer evicted, the last one kept for {} s", IN_VAIN.as_secs())
    };
    drop(cordoned);
    bench.settled(2, LONG)?;
    load.delivered(MESSAGES, LONG)?;
    expect_exactly_once(logs.received(), MESSAGES).with_context(|| logs.own())?;
    let pause = logs.longest_pause()?;
    Ok(format!(
        "{seen}; {MESSAGES} delivered and logged once by {} pods, longest pause of a partition {:.2} s",
        logs.pods()?,
        pause.as_secs_f64()
    ))
}

/// One with a consumer; if there is a choice, not the broker's.
fn node_to_drain(bench: &Bench) -> Result<String> {
    let broker = bench.kubectl.json(&["get", "pod", "-n", super::bench::BROKER, "kafka-0"])?;
    let broker = text(&broker, "/spec/nodeName");
    let pods = bench.consumers()?;
    let nodes: Vec<&str> = pods.iter().map(|pod| text(pod, "/spec/nodeName")).collect();
    let node = nodes.iter().find(|node| **node != broker).or(nodes.first());
    Ok((*node.context("there is no consumer")?).to_owned())
}

/// Nodes that take pods.
fn schedulable(bench: &Bench) -> Result<Vec<String>> {
    let takes_pods = |node: &&Value| {
        let repels = |taint: &Value| text(taint, "/effect") != "PreferNoSchedule";
        node.pointer("/spec/unschedulable").is_none() && !list(node, "/spec/taints").iter().any(repels)
    };
    Ok(bench.kubectl.items(&["get", "nodes"])?.iter().filter(takes_pods).map(|node| name(node).to_owned()).collect())
}

/// A node that takes pods again when this is dropped.
struct Cordoned {
    kubectl: Kubectl,
    node: String,
}

impl Cordoned {
    fn new(kubectl: &Kubectl, node: &str) -> Result<Self> {
        leftovers::cordon(kubectl, node)?;
        Ok(Self { kubectl: kubectl.clone(), node: node.to_owned() })
    }
}

impl Drop for Cordoned {
    fn drop(&mut self) {
        if let Err(error) = leftovers::uncordon(&self.kubectl, &self.node) {
            eprintln!("kubectl uncordon {} has to be run by hand: {error:#}", self.node);
        }
    }
}
