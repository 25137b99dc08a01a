//! The programs' own alerts: a loop that stands still, a run that failed.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::Scenario;
use super::stage::Stage;

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "stalled-consumer",
        claim: "a consumer whose stdout stands still is told within two minutes, its lag series are gone, and it recovers",
        run: stalled,
    },
    Scenario {
        name: "failed-run",
        claim: "a run of the producer that failed is told until a run succeeds",
        run: failed,
    },
];

/// A minute passes before a loop counts as stalled, whatever is shortened.
const FIRES: Duration = Duration::from_secs(120);
const ENDS: Duration = Duration::from_secs(60);

fn stalled(stage: &mut Stage) -> Result<String> {
    let message = stage.slack.wait_for("critical", "KafkaConsumerLoopStalled", FIRES)?;
    ensure!(message.text.contains("stalled"), "another pod: {message:?}");
    ensure!(!message.text.contains("working"), "the one that works, too: {message:?}");
    ensure!(stage.stalled.process.is_running(), "it has ended; {}", stage.stalled.log());
    ensure!(
        stage.consumer.metric("kafka_consumer_ready")? == Some(1.0),
        "the other one is not ready; {}",
        stage.consumer.log()
    );
    // Statistics are old: a lag that is shown would be a lie.
    let lag = stage.prometheus.query("kafka_consumer_lag_records{pod=\"stalled\"}")?;
    ensure!(lag.is_empty(), "a stalled consumer shows a lag: {lag:?}");
    let working = stage.prometheus.query("kafka_consumer_lag_records{pod=\"working\"}")?;
    ensure!(!working.is_empty(), "the consumer that works shows no lag");
    stage.unstall()?;
    stage.wait_for_end("KafkaConsumerLoopStalled", ENDS)?;
    stage.slack.wait_for("Resolved", "KafkaConsumerLoopStalled", ENDS)?;
    Ok("told, without a lag series, and resolved".into())
}

fn failed(stage: &mut Stage) -> Result<String> {
    // One message that the brokers find too large.
    let large = ["--messages", "1", "--size", "2000000", "-X", "message.max.bytes=3000000"];
    stage.produce(&large)?.expect_code(4)?;
    let message = stage.slack.wait_for("warning", "KafkaProducerRunFailed", FIRES)?;
    ensure!(message.text.contains("ended with exit code 4"), "the message has no exit code: {message:?}");
    stage.produce(&["--messages", "10"])?.expect_code(0)?;
    stage.wait_for_end("KafkaProducerRunFailed", ENDS)?;
    stage.slack.wait_for("Resolved", "KafkaProducerRunFailed", ENDS)?;
    Ok("exit code 4 in Slack, resolved by the next run".into())
}
