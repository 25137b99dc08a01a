//! Both programs in containers, confined as in the manifests, on real Apache Kafka.

use std::time::Duration;

use anyhow::{Result, ensure};
use testbed::http;
use testbed::process::Signal;

use super::container::{Container, Root};
use super::image::Image;
use super::{Bench, Scenario, confinement, free_address};
use crate::consumer::{Consumer, Shared, shared};
use crate::e2e::bench::{ARRIVAL, Place, Report, expect_exactly_once, on_broker, wait_for_messages};

pub(super) const SCENARIOS: [Scenario; 4] = [
    Scenario { name: "image-no-shell", claim: "nothing but the program can be started in an image", run: no_shell },
    Scenario {
        name: "image-run",
        claim: "confined as in the manifests, what the producer publishes is in the consumer's log, metrics and health are \
                served, SIGTERM ends with 0, and nothing was written to the container",
        run: confined,
    },
    Scenario {
        name: "image-sigterm",
        claim: "a confined producer stopped in mid-run ends with 143, and what it reports as delivered is on the broker",
        run: sigterm,
    },
    Scenario {
        name: "image-writes-nothing",
        claim: "on a root that can be written neither program writes a file",
        run: writes_nothing,
    },
];

const MESSAGES: u64 = 10_000;
/// At a fifth of a core.
pub(super) const RUN: Duration = Duration::from_secs(180);

/// What engines end with when there is no such program.
const NOT_FOUND: i32 = 127;

/// A consumer in a container, its records counted.
pub(super) struct Running<'a> {
    container: Container<'a>,
    pub(super) consumer: Consumer,
    pub(super) received: Shared,
    admin: std::net::SocketAddr,
}

impl<'a> Running<'a> {
    fn start(bench: &'a Bench, place: &Place, root: Root) -> Result<Self> {
        Self::start_in(bench.runtime.container("consumer"), bench.consumer(), place, root, &[])
    }

    /// In a container that was prepared, with more variables.
    pub(super) fn start_in(
        container: Container<'a>,
        image: &str,
        place: &Place,
        root: Root,
        more: &[(&str, &str)],
    ) -> Result<Self> {
        let admin = free_address()?;
        let address = admin.to_string();
        let variables = [("KAFKA_CONSUMER_GROUP", place.run.as_str()), ("ADMIN_LISTEN", &address)];
        let received = shared(Some(&place.run))?;
        let consumer = Consumer::start(container.program(image, root, place, &[&variables, more].concat()), &received)?;
        consumer.wait_until_ready()?;
        Ok(Self { container, consumer, received, admin })
    }
}

fn produce(bench: &Bench, place: &Place, root: Root, messages: u64) -> Result<Vec<String>> {
    let container = bench.runtime.container("producer");
    let variables = [("PRODUCER_MESSAGES", messages.to_string()), ("PRODUCER_RUN_ID", place.run.clone())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let outcome = container.program(bench.producer(), root, place, &variables).run(RUN)?;
    Report::of_all(outcome, messages)?;
    container.changes()
}

/// What the engine itself changes in any container: seen in one whose program is not there, so that none of ours runs.
fn unavoidable(bench: &Bench, image: &str, root: Root) -> Result<Vec<String>> {
    let container = bench.runtime.container("nothing");
    let (code, said) = container.run(image, root, Some("/nothing"), &[])?;
    ensure!(code == Some(NOT_FOUND), "a program that is not there ended with {code:?}: {said}");
    container.changes()
}

fn no_shell(bench: &mut Bench) -> Result<String> {
    for image in &bench.images {
        for program in ["/bin/sh", "/bin/bash", "/busybox/sh", "/usr/bin/dpkg", "/usr/bin/env"] {
            let container = bench.runtime.container("shell");
            let (code, said) = container.run(image, Root::ReadOnly, Some(program), &["--version"])?;
            ensure!(code == Some(NOT_FOUND), "{program} in {image} ended with {code:?}: {said}");
        }
    }
    Ok("no shell starts".to_owned())
}

fn confined(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("image-run")?;
    let bench = &*bench;
    let running = Running::start(bench, &place, Root::ReadOnly)?;
    let missing = confinement::missing(running.container.pid()?)?;
    ensure!(missing.is_empty(), "the consumer is not confined as in the manifests: {}", missing.join("; "));

    let changes = produce(bench, &place, Root::ReadOnly, MESSAGES)?;
    let unavoidable_changes = unavoidable(bench, bench.producer(), Root::ReadOnly)?;
    ensure!(changes == unavoidable_changes, "the producer's container was changed: {changes:?}");
    expect_exactly_once(&running.received, MESSAGES)?;
    let metrics = running.consumer.metrics()?;
    let counted = metrics.lines().filter(|line| line.starts_with("kafka_consumer_records_total{"));
    let counted: f64 = counted.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
    ensure!(counted == MESSAGES as f64, "/metrics counts {counted} records, and {MESSAGES} were logged:\n{metrics}");
    for path in ["/livez", "/readyz"] {
        let answer = http::get(running.admin, path)?;
        ensure!(answer.status == 200, "{path} answers {answer:?}");
    }
    health_check(bench, &running)?;

    let Running { container, consumer, .. } = running;
    let end = consumer.stop(Signal::TERM)?.expect_code(0)?;
    ensure!(end.events().iter().all(|event| event["level"] != "ERROR"), "it ended with errors:\n{end}");
    let changes = container.changes()?;
    let unavoidable_changes = unavoidable(bench, bench.consumer(), Root::ReadOnly)?;
    ensure!(changes == unavoidable_changes, "the consumer's container was changed: {changes:?}");
    Ok(format!("{MESSAGES} published, logged and counted; healthy; ended with 0"))
}

/// Runs the image's own health check, and one that must fail.
fn health_check(bench: &Bench, running: &Running<'_>) -> Result<()> {
    let image = Image::inspect(&bench.runtime, bench.consumer())?;
    let check = image.health_check();
    ensure!(check.first() == Some(&"CMD"), "the image has no health check that starts a program: {check:?}");
    let code = running.container.exec(&check[1..])?;
    ensure!(code == Some(0), "the health check of a running consumer ended with {code:?}");
    let nobody = free_address()?.to_string();
    let code = running.container.exec(&[&check[1..], &["--listen", &nobody]].concat())?;
    ensure!(code == Some(1), "a health check that nobody answers ended with {code:?}");
    Ok(())
}

fn sigterm(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("image-sigterm")?;
    let bench = &*bench;
    let running = Running::start(bench, &place, Root::ReadOnly)?;
    let container = bench.runtime.container("producer");
    let variables = [("PRODUCER_MESSAGES", "1000000"), ("PRODUCER_RATE", "1k/s"), ("PRODUCER_RUN_ID", &place.run)];
    let producer = container.program(bench.producer(), Root::ReadOnly, &place, &variables).spawn()?;
    wait_for_messages(&running.received, 1_000)?;
    let report = Report::of(producer.stop(Signal::TERM, ARRIVAL)?, 143)?;
    ensure!(report.delivered > 0 && report.failed == 0, "{report:?}");
    let stored = on_broker(bench.cluster()?, &place.topic)?;
    ensure!(stored == report.delivered, "{stored} records are on the broker, the report says {}", report.delivered);
    expect_exactly_once(&running.received, report.delivered)?;
    running.consumer.stop(Signal::TERM)?.expect_code(0)?;
    Ok(format!("{} delivered, on the broker and logged, {} unsent", report.delivered, report.unsent))
}

fn writes_nothing(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("image-writes-nothing")?;
    let bench = &*bench;
    let running = Running::start(bench, &place, Root::Writable)?;
    let produced = produce(bench, &place, Root::Writable, MESSAGES)?;
    expect_exactly_once(&running.received, MESSAGES)?;
    let Running { container, consumer, .. } = running;
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    for (changes, image) in [(produced, bench.producer()), (container.changes()?, bench.consumer())] {
        let unavoidable = unavoidable(bench, image, Root::Writable)?;
        ensure!(
            changes == unavoidable,
            "{image} has written: {changes:?}, where the engine alone makes {unavoidable:?}"
        );
    }
    Ok("the containers differ from the images by nothing".to_owned())
}
