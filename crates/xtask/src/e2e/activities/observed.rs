//! Activities whose results go elsewhere than to Kafka: spans to a receiver, figures to a Pushgateway.

use anyhow::{Result, ensure};
use testbed::otlp::Receiver;

use super::stage::{Run, Stage};
use super::{ANSWERED, Activity, Reading, Scene, deliver};
use crate::e2e::bench::{ARRIVAL, expect_exactly_once};
use crate::servers::Pushgateway;

pub(super) const ACTIVITIES: [Activity; 3] = [
    Activity { name: "otlp", short: false, run: spans },
    Activity { name: "otlp-mutual-tls", short: false, run: spans_by_tls },
    Activity { name: "pushgateway", short: false, run: pushed },
];

const MESSAGES: u64 = 50;

/// Each message has a span of the producer and one of the consumer.
fn traced(scene: &mut Scene, stage: &dyn Stage, receiver: &Receiver, more: impl Fn(Run) -> Run) -> Result<String> {
    let (run, topic) = scene.mock_run("127.0.0.1")?;
    let run = more(run).env("OTEL_TRACES_SAMPLER", "always_on").env("OTEL_BSP_SCHEDULE_DELAY", "200");
    let reading = Reading::start(stage, &run, &topic)?;
    deliver(stage, &run, &topic, MESSAGES)?;
    expect_exactly_once(&reading.received, MESSAGES)?;
    reading.stop()?;
    for start in ["send ", "process "] {
        let all = usize::try_from(MESSAGES)?;
        receiver.wait_for_named(ARRIVAL, &format!("{start}{topic}"), all)?;
    }
    Ok(format!("{MESSAGES} sends and as many processes received"))
}

fn spans(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    let receiver = Receiver::start()?;
    let endpoint = receiver.endpoint().replace("127.0.0.1", ANSWERED);
    traced(scene, stage, &receiver, |run| {
        run.env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint).env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    })
}

fn spans_by_tls(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    let pki = scene.login()?.pki()?.clone();
    let receiver = Receiver::with_tls(&pki, true)?;
    let (authority, certificate) = (std::fs::read(pki.ca_path())?, std::fs::read(pki.client_certificate())?);
    let files = [
        scene.file("otlp/ca.crt", authority)?,
        scene.file("otlp/tls.crt", certificate)?,
        scene.file("otlp/tls.key", std::fs::read(pki.client_key())?)?,
    ];
    let folder = files[0].with_file_name("");
    traced(scene, stage, &receiver, |run| {
        let run = run.file(&folder, "/etc/otlp").env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint());
        let run = run.env("OTEL_EXPORTER_OTLP_CERTIFICATE", "/etc/otlp/ca.crt");
        let run = run.env("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/etc/otlp/tls.crt");
        run.env("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/etc/otlp/tls.key")
    })
}

fn pushed(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    let gateway = Pushgateway::start()?;
    let (run, topic) = scene.mock_run("127.0.0.1")?;
    let run = run.env("PRODUCER_PUSHGATEWAY", gateway.url().replace("127.0.0.1", ANSWERED));
    deliver(stage, &run, &topic, MESSAGES)?;
    let series = gateway.series("kafka_producer_last_run_delivered_messages")?;
    ensure!(series.iter().any(|line| line.ends_with(&format!(" {MESSAGES}"))), "not pushed: {series:?}");
    Ok("the run's figures are there".to_owned())
}
