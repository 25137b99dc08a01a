//! A consumer that needs more memory than its limit.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Scenario;
use super::bench::{Bench, LONG, PROGRAMS, restarts};
use super::copies::Copy;
use super::kubectl::{Seen, list, number, text, until};
use super::logs::Logs;
use crate::consumer::{lock, wait_until};
use crate::e2e::bench::{expect_all, wait_for_messages};

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "out-of-memory",
    claim: "a consumer over its memory is killed and restarted; the others of its group go on, and no record is lost",
    run: out_of_memory,
}];

/// Topic and group.
const NAME: &str = "out-of-memory";
/// A second topic, which only one of the two consumers reads. In its only partition is one batch: some kilobytes on the wire, and
/// 60 MB for whoever unpacks it, whatever limits there are for what is fetched at a time.
const BALLAST: [(&str, &str); 6] = [
    ("KAFKA_TOPIC", "out-of-memory-ballast"),
    ("PRODUCER_MESSAGES", "6000"),
    ("PRODUCER_COMPRESSION", "zstd"),
    // Longer than the producer needs to hand over all of it.
    ("PRODUCER_LINGER", "10s"),
    ("PRODUCER_CREATE_TOPIC", "1:1"),
    (
        "KAFKA_PROPERTIES",
        "batch.size=67108864;batch.num.messages=10000;message.max.bytes=67108864;queue.buffering.max.kbytes=131072",
    ),
];
/// Of a value of the ballast, all bytes the same.
const VALUE: usize = 10 << 10;
/// Enough for a consumer, and not for that batch.
const LIMIT: &str = "32Mi";
const BOTH: (&str, &str) = ("KAFKA_TOPIC", "out-of-memory,out-of-memory-ballast");
/// The ballast would only fill the node's log files.
const NO_VALUES: (&str, &str) = ("CONSUMER_NO_VALUES", "true");
/// The steady load meanwhile: two minutes.
const MESSAGES: u64 = 24_000;
const RUN: &str = "out-of-memory-load";

fn out_of_memory(bench: &mut Bench) -> Result<String> {
    bench.installed()?;
    let value = "x".repeat(VALUE);
    let ballast = [&BALLAST[..], &[("PRODUCER_VALUE", value.as_str())]].concat();
    bench.job("out-of-memory-ballast", &ballast)?.delivered(6_000, LONG)?;
    let steady = Copy::new(bench, "e2e-steady", NAME)?;
    steady.apply()?;
    let logs = Logs::follow(&bench.kubectl, PROGRAMS, &Copy::selector(NAME), RUN)?;
    let messages = MESSAGES.to_string();
    let load = [
        ("KAFKA_TOPIC", NAME),
        ("PRODUCER_MESSAGES", messages.as_str()),
        ("PRODUCER_CREATE_TOPIC", "6:1"),
        ("PRODUCER_RATE", "200/s"),
        ("PRODUCER_RUN_ID", RUN),
    ];
    let load = bench.job(RUN, &load)?;
    wait_for_messages(logs.received(), 1_000)?;

    let mut greedy = Copy::new(bench, "e2e-greedy", NAME)?;
    greedy.variables(&[BOTH, NO_VALUES])?;
    greedy.memory(LIMIT)?;
    greedy.apply()?;
    let code = until(LONG, "a consumer killed for its memory and restarted", || {
        let pods = greedy.pods()?;
        let statuses: Vec<_> = pods.iter().flat_map(|pod| list(pod, "/status/containerStatuses")).collect();
        let killed = statuses.iter().find(|status| {
            let ends = ["/lastState/terminated/reason", "/state/terminated/reason"];
            ends.iter().any(|end| text(status, end) == "OOMKilled") && number(status, "/restartCount") > 0
        });
        let code = killed.map(|status| number(status, "/lastState/terminated/exitCode"));
        Ok(code.map_or_else(|| Seen::NotYet(format!("{statuses:?}")), Seen::Yes))
    })?;
    ensure!(code == 137, "killed by exit code {code} instead of 137");
    // The others go on, although the dead member's partitions wait for its session to be over.
    let then = lock(logs.received()).distinct();
    wait_until(logs.received(), Duration::from_secs(30), |received| received.distinct() >= then + 500)?;
    let restarted: u64 = greedy.pods()?.iter().map(restarts).sum();

    // The cure: as much memory as the manifests give.
    let mut cured = Copy::new(bench, "e2e-greedy", NAME)?;
    cured.variables(&[BOTH, NO_VALUES])?;
    cured.apply()?;
    cured.ready()?;
    load.delivered(MESSAGES, LONG)?;
    let repeated = expect_all(logs.received(), MESSAGES).with_context(|| logs.own())?;
    let [shortest, longest] = logs.pauses()?;
    Ok(format!(
        "OOMKilled (137) at {LIMIT} and restarted ({restarted}); {MESSAGES} logged, {repeated} repeated; the partitions of the \
         other member paused for {:.1} s at most, the dead one's for {:.0} s",
        shortest.as_secs_f64(),
        longest.as_secs_f64()
    ))
}
