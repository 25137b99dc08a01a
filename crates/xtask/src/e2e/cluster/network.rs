//! What the NetworkPolicies let through and what they refuse, tried by small pods.

use anyhow::{Result, ensure};
use serde_json::json;

use super::Scenario;
use super::bench::{Bench, MONITORING, PROGRAMS, WORK};
use super::toolbox::Try::{Connect, Get, Resolve};

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "network-policies",
    claim: "the programs' pods reach DNS and Kafka and nothing else; only monitoring reaches their metrics, and nothing else of them",
    run: traffic,
}];

const KAFKA: &str = "kafka.kafka.svc.cluster.local";
const CONSUMER: &str = "kafka-consumer.kafka-clients.svc.cluster.local";
const API: &str = "kubernetes.default.svc.cluster.local";
/// Where a toolbox listens.
const LISTENS: u16 = 8081;

fn traffic(bench: &mut Bench) -> Result<String> {
    bench.installed()?;
    bench.namespace(MONITORING)?;
    let labels = json!({"app.kubernetes.io/name": "toolbox"});
    let ours = json!({"app.kubernetes.io/name": "toolbox", "app.kubernetes.io/part-of": "kafka-clients"});
    let inside = bench.toolbox(PROGRAMS, "toolbox", &ours)?;
    let monitoring = bench.toolbox(MONITORING, "kafka-clients-e2e", &labels)?;
    let stranger = bench.toolbox(WORK, "stranger", &labels)?;
    let (inside_ip, stranger_ip) = (inside.ip()?, stranger.ip()?);
    let metrics = format!("http://{CONSUMER}:8080/metrics");
    ensure!(inside_ip != stranger_ip, "two pods have one address");

    let allowed = [
        (&inside, Resolve(KAFKA)),
        (&inside, Connect(KAFKA, 9092)),
        (&monitoring, Get(&metrics)),
        // What is refused below is there, and refused by nobody else.
        (&stranger, Resolve(CONSUMER)),
        (&stranger, Connect(KAFKA, 9092)),
        (&stranger, Connect(API, 443)),
        (&monitoring, Connect(&stranger_ip, LISTENS)),
    ];
    for (from, what) in allowed {
        from.reaches(what)?;
    }
    let refused = [
        (&inside, Connect(&stranger_ip, LISTENS)),
        (&inside, Connect(API, 443)),
        (&inside, Get(&metrics)),
        (&stranger, Get(&metrics)),
        (&stranger, Connect(&inside_ip, LISTENS)),
        (&monitoring, Connect(&inside_ip, LISTENS)),
    ];
    for (from, what) in refused {
        from.is_refused(what)?;
    }
    Ok(format!(
        "let through: DNS, Kafka on 9092, metrics to {MONITORING}; refused: {} other ways in and out, of which each target was \
         reached from elsewhere",
        refused.len()
    ))
}
