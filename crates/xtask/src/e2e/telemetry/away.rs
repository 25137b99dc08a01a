//! A receiver that is down, silent or overloaded changes neither a verdict nor a run's time, and each span is counted.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testbed::otlp::{Mood, Receiver};
use testbed::ports::free_port;
use testbed::process::Signal;

use super::super::Scenario;
use super::super::bench::{ARRIVAL, Bench, RUN, Report};
use super::super::watch::Watch;
use super::exporting;

pub(super) const SCENARIOS: [Scenario; 3] = [
    Scenario { name: "receiver-down", claim: CLAIM, run: down },
    Scenario { name: "receiver-silent", claim: CLAIM, run: silent },
    Scenario { name: "receiver-503", claim: CLAIM, run: unavailable },
];

const CLAIM: &str = "both programs end as without traces, at most 2 s later, and their span counts add up";
/// More than the queue of spans holds.
const MESSAGES: u64 = 10_000;
/// What the last flush may cost, and what a busy machine may add.
const LATER: Duration = Duration::from_millis(2_500);
/// When the spans that fit into the queue have failed: an attempt may take this long.
const ATTEMPT: &str = "500";

fn down(bench: &mut Bench) -> Result<String> {
    let endpoint = format!("http://127.0.0.1:{}", free_port()?);
    check(bench, "receiver-down", &endpoint)
}

fn silent(bench: &mut Bench) -> Result<String> {
    let receiver = Receiver::in_mood(Mood::Silent)?;
    let seen = check(bench, "receiver-silent", &receiver.endpoint())?;
    ensure!(!receiver.requests()?.is_empty(), "nobody asked the receiver");
    Ok(seen)
}

fn unavailable(bench: &mut Bench) -> Result<String> {
    let receiver = Receiver::in_mood(Mood::Answers(503))?;
    let seen = check(bench, "receiver-503", &receiver.endpoint())?;
    ensure!(!receiver.requests()?.is_empty(), "nobody asked the receiver");
    Ok(seen)
}

fn check(bench: &mut Bench, name: &str, endpoint: &str) -> Result<String> {
    let place = bench.topic(name)?;
    let messages = MESSAGES.to_string();
    let producer = || bench_producer(bench, &place, &messages);
    let (plain, traced) = {
        let began = Instant::now();
        Report::of_all(producer().run(RUN)?, MESSAGES)?;
        let plain = began.elapsed();
        let began = Instant::now();
        let outcome = exporting(producer(), endpoint).env("OTEL_EXPORTER_OTLP_TIMEOUT", ATTEMPT).run(RUN)?;
        Report::of_all(outcome, MESSAGES)?;
        (plain, began.elapsed())
    };
    ensure!(traced <= plain + LATER, "the producer took {traced:?}, and {plain:?} without traces");

    let consumer = exporting(bench.consumer(&place), endpoint).env("OTEL_EXPORTER_OTLP_TIMEOUT", ATTEMPT);
    let consumer = Watch::ready(consumer)?;
    consumer.wait_for_lines(usize::try_from(2 * MESSAGES)?, ARRIVAL)?;
    // A span for each record that was sampled or has no context: all of the second run, all of the first.
    let counted = |result| {
        let series = format!("kafka_consumer_spans_total{{result=\"{result}\"}}");
        Ok::<_, anyhow::Error>(consumer.metric(&series)?.unwrap_or_default())
    };
    let deadline = Instant::now() + ARRIVAL;
    let process_spans = 2.0 * f64::from(u32::try_from(MESSAGES)?);
    let (failed, dropped) = loop {
        let (exported, failed, dropped) = (counted("exported")?, counted("failed")?, counted("dropped")?);
        ensure!(exported == 0.0, "{exported} spans were exported to nobody");
        // The loop's own spans (poll, commit) come on top.
        if failed + dropped >= process_spans {
            break (failed, dropped);
        }
        ensure!(
            Instant::now() < deadline,
            "{failed} failed and {dropped} dropped of {process_spans} and more; {}",
            consumer.log()
        );
        std::thread::sleep(Duration::from_millis(50));
    };
    let began = Instant::now();
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    let end = began.elapsed();
    ensure!(end <= Duration::from_secs(1) + LATER, "the consumer took {end:?} to end");
    let later = traced.saturating_sub(plain).as_secs_f64();
    Ok(format!(
        "producer {later:.1} s later; consumer ends in {:.1} s; {failed} failed, {dropped} dropped",
        end.as_secs_f64()
    ))
}

fn bench_producer(bench: &Bench, place: &super::super::bench::Place, messages: &str) -> testbed::process::Program {
    bench.producer(place).args(["--messages", messages])
}
