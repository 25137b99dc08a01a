//! Activities with names: answered, too long for UDP, denied.

use anyhow::{Result, ensure};

use super::stage::Stage;
use super::{ANSWERED, Activity, DENIED, OVER_TCP, RUN, Scene, deliver, produce, read};
use crate::e2e::bench::Report;

pub(super) const ACTIVITIES: [Activity; 3] = [
    Activity { name: "dns-answered", short: true, run: answered },
    Activity { name: "dns-over-tcp", short: true, run: over_tcp },
    Activity { name: "dns-denied", short: true, run: denied },
];

const MESSAGES: u64 = 100;

fn answered(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    by_name(scene, stage, ANSWERED)?;
    Ok(format!("{MESSAGES} by a name, over UDP"))
}

fn over_tcp(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    by_name(scene, stage, OVER_TCP)?;
    let asked = scene.names.questions().iter().any(|question| question.tcp && question.name == OVER_TCP);
    ensure!(asked, "nobody asked over TCP");
    Ok(format!("{MESSAGES} by a name, whose answer is too long for UDP"))
}

fn by_name(scene: &mut Scene, stage: &dyn Stage, name: &str) -> Result<()> {
    let (run, topic) = scene.mock_run(name)?;
    deliver(stage, &run, &topic, MESSAGES)?;
    read(stage, run.env("KAFKA_CONSUMER_GROUP", &topic), MESSAGES)?;
    let asked = scene.names.questions().iter().any(|question| question.name == name);
    ensure!(asked, "nobody asked for {name}: the broker was found in another way");
    Ok(())
}

/// Both programs say that there is no such name, and end with 3.
fn denied(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    let (run, _) = scene.mock_run(DENIED)?;
    let producer = run.clone().env("PRODUCER_TIMEOUT", "3s").env("PRODUCER_MESSAGES", "1");
    let report = Report::of(produce(stage, producer)?, 3)?;
    let run = run.env("CONSUMER_TIMEOUT", "3s").env("CONSUMER_MAX_RECORDS", "1").env("ADMIN_LISTEN", "off");
    let (consumer, _actor) = stage.consumer(run)?;
    consumer.run(RUN)?.expect_code(3)?;
    let asked = scene.names.questions().iter().any(|question| question.name == DENIED);
    ensure!(asked, "nobody asked for {DENIED}");
    Ok(report.message)
}
