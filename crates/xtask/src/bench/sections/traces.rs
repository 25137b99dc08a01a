//! What traces cost: one message in a hundred and all of them, against none, and against a floor with the same headers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use anyhow::Result;

use super::super::invocation::Invocation;
use super::super::measure::Sink;
use super::super::results::Section;
use super::super::setting::{Setting, THROUGHPUT};
use super::contest::{Contestant, contest};

const MESSAGES: u64 = 2_000_000;
/// What each message of the floor carries.
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

pub fn measure(setting: &Setting) -> Result<Section> {
    let mut section = Section::new("traces", "Traces: one in a hundred, all, and none", &THROUGHPUT).about(
        "Spans go by OTLP over HTTP to a receiver that takes and forgets them; its own CPU is not counted. The producer writes a \
         traceparent into every message as soon as traces are on, so its floor sends one too. The consumer reads messages without one \
         and decides itself.",
    );
    section.chart = Some(0);
    let endpoint = receiver()?;
    let traced = |invocation: Invocation, ratio: &str| {
        let traced = invocation.env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
        traced.env("OTEL_TRACES_SAMPLER", "parentbased_traceidratio").env("OTEL_TRACES_SAMPLER_ARG", ratio)
    };
    let producer = |topic: &str, count: u64| setting.producer(topic, count).line("--size 100");
    let producers = [
        Contestant::ours("kafka-producer, no traces", MESSAGES, producer),
        Contestant::ours("kafka-producer, 1%", MESSAGES, |topic, count| traced(producer(topic, count), "0.01")),
        Contestant::ours("kafka-producer, 100%", MESSAGES, |topic, count| traced(producer(topic, count), "1")),
        Contestant::ours("floor with stamp and traceparent", MESSAGES, |topic, count| {
            setting.producer_floor(topic, count).line("--size 100").env("FLOOR_TRACEPARENT", TRACEPARENT)
        }),
    ];
    contest(setting, &mut section, &producers, |setting| Ok((setting.topic("traces", 6)?, true)), None)?;

    let messages = setting.count(MESSAGES);
    let topic = setting.filled("traces", 6, messages, "--size 100 --compression none")?;
    let consumers = [
        Contestant::ours("kafka-consumer, no traces", MESSAGES, |topic, count| setting.consumer(topic, count)),
        Contestant::ours("kafka-consumer, 1%", MESSAGES, |topic, count| traced(setting.consumer(topic, count), "0.01")),
        Contestant::ours("kafka-consumer, 100%", MESSAGES, |topic, count| traced(setting.consumer(topic, count), "1")),
    ];
    let mut sink = Sink::new()?;
    contest(setting, &mut section, &consumers, |_| Ok((topic.clone(), false)), Some(&mut sink))?;
    setting.drop_topic(&topic)?;
    section.ratio(0, "kafka-consumer, 1%", "kafka-consumer, no traces", 1.10);
    section.ratio(0, "kafka-producer, 1%", "floor with stamp and traceparent", 1.2);
    Ok(section)
}

/// Starts a receiver of OTLP that takes everything and keeps nothing. Returns its endpoint; it ends with the process.
fn receiver() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // An end in the middle of a request is the client's business.
            std::thread::spawn(move || drop(take(&stream)));
        }
    });
    Ok(endpoint)
}

fn take(stream: &TcpStream) -> std::io::Result<()> {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    let (mut line, mut size) = (String::new(), 0);
    while reader.read_line(&mut line)? > 0 {
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            size = length.trim().parse().unwrap_or(0);
        }
        if line == "\r\n" {
            std::io::copy(&mut reader.by_ref().take(size), &mut std::io::sink())?;
            writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
        }
        line.clear();
    }
    Ok(())
}
