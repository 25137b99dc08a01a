//! What headers, metrics and statistics cost: all on against all off.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use testbed::{http, ports};

use super::super::measure::Sink;
use super::super::results::Section;
use super::super::setting::{Setting, THROUGHPUT};
use super::contest::{Contestant, contest};

const MESSAGES: u64 = 2_000_000;
/// As often as an eager Prometheus would come.
const SCRAPE: Duration = Duration::from_secs(1);

pub fn measure(setting: &Setting) -> Result<Section> {
    let mut section = Section::new("options", "Headers, metrics and statistics: all on and all off", &THROUGHPUT).about(
        "On: headers, statistics every second, and /metrics read every second. Off: no headers, statistics once an hour, no admin \
         server. The consumer's records have headers when on and none when off.",
    );
    section.chart = Some(0);
    let port = ports::free_port()?;
    let (on, off) =
        (format!("--statistics-interval 1s --listen 127.0.0.1:{port}"), "--statistics-interval 1h --listen off");
    let messages = setting.count(MESSAGES);
    let with = setting.filled("options", 6, messages, "--size 100 --compression none")?;
    let without = setting.filled("options", 6, messages, "--size 100 --compression none --no-headers")?;
    let consumer = |topic: &str, count: u64| {
        let base = crate::bench::invocation::Invocation::new(&setting.programs.consumer);
        base.args(["-b", &setting.cluster.bootstrap_servers(), "-t", topic, "-n", &count.to_string()]).args([
            "--group",
            &setting.name("group"),
            "--format",
            "json",
        ])
    };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // Nobody listens between the runs, and in those that are all off.
                let _ = http::get(format!("127.0.0.1:{port}").as_str(), "/metrics");
                std::thread::sleep(SCRAPE);
            }
        });
        let producers = [
            Contestant::ours("kafka-producer, all on", MESSAGES, |topic, count| {
                setting.producer(topic, count).line("--size 100").line(&on)
            }),
            Contestant::ours("kafka-producer, headers alone on", MESSAGES, |topic, count| {
                setting.producer(topic, count).line("--size 100").line(off)
            }),
            Contestant::ours("kafka-producer, all off", MESSAGES, |topic, count| {
                setting.producer(topic, count).line("--size 100 --no-headers").line(off)
            }),
        ];
        let measured =
            contest(setting, &mut section, &producers, |setting| Ok((setting.topic("options", 6)?, true)), None);
        let consumers = [
            Contestant::ours("kafka-consumer, all on", MESSAGES, |_, count| consumer(&with, count).line(&on)),
            Contestant::ours("kafka-consumer, headers alone on", MESSAGES, |_, count| consumer(&with, count).line(off)),
            Contestant::ours("kafka-consumer, all off", MESSAGES, |_, count| consumer(&without, count).line(off)),
        ];
        let mut sink = Sink::new()?;
        let measured = measured
            .and_then(|()| contest(setting, &mut section, &consumers, |_| Ok((with.clone(), false)), Some(&mut sink)));
        done.store(true, Ordering::Relaxed);
        measured
    })?;
    for program in ["kafka-producer", "kafka-consumer"] {
        for to in ["all off", "headers alone on"] {
            section.ratio(0, &format!("{program}, all on"), &format!("{program}, {to}"), 1.3);
        }
    }
    setting.drop_topic(&with)?;
    setting.drop_topic(&without)?;
    Ok(section)
}
