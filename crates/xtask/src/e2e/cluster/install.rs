//! The installation itself: applied to an empty cluster, everything works.

use anyhow::{Result, ensure};
use serde_json::json;

use super::Scenario;
use super::bench::{BROKER, Bench, PROGRAMS, SOON, name};
use super::jobs;
use super::kubectl::{number, text};
use crate::received::Received;

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "install",
        claim: "the manifests, applied once to an empty cluster, become ready; the Job's report and the Deployment's logs agree",
        run: install,
    },
    Scenario {
        name: "pod-security",
        claim: "both namespaces refuse a pod that breaks the level restricted, and none of ours is warned of",
        run: pod_security,
    },
];

fn install(bench: &mut Bench) -> Result<String> {
    bench.installed()?;
    // The report of the Job is its pod's termination message.
    let ended = jobs::ended(&bench.kubectl, "kafka-producer", SOON)?;
    ensure!(ended.complete && ended.pods.len() == 1, "the Job needed more than one pod: {ended:?}");
    let report = ended.pods[0].report()?;
    let (run, requested) = (text(&report, "/run_id"), number(&report, "/requested"));
    ensure!(requested > 0 && requested == number(&report, "/delivered"), "not all delivered: {report}");
    let uid = bench.kubectl.run(&["get", "job", "-n", PROGRAMS, "kafka-producer", "-o", "jsonpath={.metadata.uid}"])?;
    ensure!(run == uid, "the run is called {run}, the Job's uid is {uid}");
    // Every record is in the log of one of the consumers, once.
    let mut received = Received::new(Some(run))?;
    let (pods, mut logging) = (bench.consumers()?, 0);
    for pod in &pods {
        let log = bench.kubectl.run(&["logs", "-n", PROGRAMS, name(pod)])?;
        let before = received.distinct();
        log.lines().filter(|line| line.contains(r#""event":"record""#)).for_each(|line| received.line(line));
        logging += usize::from(received.distinct() > before);
    }
    let counts = (received.distinct(), received.duplicated(), received.missing(requested));
    ensure!(counts == (requested, 0, 0), "(different, repeated, missing) of {requested}: {counts:?}");
    ensure!(received.broken().is_none(), "{}", received.broken().unwrap_or_default());
    Ok(format!(
        "{requested} requested, delivered, and logged once by {logging} of {} pods; no warning; report of {} bytes",
        pods.len(),
        ended.pods[0].message.len()
    ))
}

fn pod_security(bench: &mut Bench) -> Result<String> {
    // What is applied without a warning breaks nothing: an apply that warns has failed.
    bench.installed()?;
    let mut broken = 0;
    for namespace in [PROGRAMS, BROKER] {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "pod-security", "namespace": namespace},
            "spec": {"containers": [{"name": "any", "image": "any", "securityContext": {"privileged": true}}]},
        });
        let refused = bench.kubectl.send_outcome(&["create", "--dry-run=server", "-f", "-"], &pod)?;
        let said = refused.stderr.contains("violates PodSecurity \"restricted");
        ensure!(!refused.status.success() && said, "{namespace} takes a privileged pod: {refused}");
        broken += refused.stderr.matches("must").count();
    }
    Ok(format!(
        "a privileged pod refused by {PROGRAMS} and {BROKER} ({broken} rules named); ours applied without a warning"
    ))
}
