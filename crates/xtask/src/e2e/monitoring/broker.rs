//! A broker that is killed: one page, a warning for its replicas, and both are taken back.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Scenario;
use super::stage::{Stage, TOPIC};

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "killed-broker",
    claim: "a killed broker reaches Slack as one page, with a warning for its replicas, and is resolved after its return",
    run: killed,
}];

const FIRES: Duration = Duration::from_secs(90);

fn killed(stage: &mut Stage) -> Result<String> {
    // A machine that is busy may have let a scrape fail: what follows has to come from the kill.
    for alert in ["KafkaBrokerDown", "KafkaUnderReplicatedPartitions"] {
        stage.wait_for_end(alert, FIRES)?;
        stage.slack.forget(alert);
    }
    let began = Instant::now();
    stage.cluster.kill(3)?;
    let page = stage.slack.wait_for("critical", "KafkaBrokerDown", FIRES)?;
    let paged = began.elapsed();
    for part in [
        "in kafka do not answer",
        "/d/kafka-cluster?var-namespace=kafka|Dashboard",
        "/#/silences/new?filter=",
        "|Silence>",
    ] {
        ensure!(page.text.contains(part), "{part:?} is not in the message: {page:?}");
    }
    stage.slack.wait_for("warning", "KafkaUnderReplicatedPartitions", FIRES)?;
    let warned = began.elapsed();

    // Now it costs writes as well: that is told, and the broker, which is why, is not told again.
    min_isr(stage, "3")?;
    stage.slack.wait_for("critical", "KafkaUnderMinIsrPartitions", FIRES)?;
    let muted = stage.wait_for_state("KafkaBrokerDown", "suppressed", FIRES)?;
    ensure!(!muted["status"]["inhibitedBy"].as_array().is_none_or(Vec::is_empty), "not by an alert: {muted}");
    ensure!(stage.slack.count("KafkaBrokerDown") == 1, "more than one page: {:?}", stage.slack.messages());
    min_isr(stage, "2")?;
    stage.slack.wait_for("Resolved", "KafkaUnderMinIsrPartitions", FIRES)?;
    stage.wait_for_state("KafkaBrokerDown", "active", FIRES)?;

    let began = Instant::now();
    stage.cluster.restart(3)?;
    stage.slack.wait_for("Resolved", "KafkaBrokerDown", FIRES)?;
    stage.slack.wait_for("Resolved", "KafkaUnderReplicatedPartitions", FIRES)?;
    let resolved = began.elapsed();
    ensure!(stage.slack.count("Watchdog") == 0, "the watchdog is for the dead man's switch alone");
    let seconds = |time: Duration| time.as_secs();
    Ok(format!(
        "Slack after {} s (broker) and {} s (replicas), resolved {} s after its start; inhibited while writes were refused",
        seconds(paged),
        seconds(warned),
        seconds(resolved)
    ))
}

/// How many replicas have to be in sync for a write.
fn min_isr(stage: &Stage, replicas: &str) -> Result<()> {
    let change = format!("min.insync.replicas={replicas}");
    let tool =
        stage.cluster.tool("kafka.admin.ConfigCommand").args(["--bootstrap-server", &stage.cluster.internal_servers()]);
    let tool = tool.args(["--alter", "--entity-type", "topics", "--entity-name", TOPIC, "--add-config", &change]);
    tool.run(Duration::from_secs(60))?.expect_code(0).map(drop)
}
