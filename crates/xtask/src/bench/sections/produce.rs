//! Publishing 100-byte values: ours, the floor and the rivals.

use anyhow::Result;

use super::super::invocation::Invocation;
use super::super::results::{Bar, Section};
use super::super::rivals::Rivals;
use super::super::setting::{Setting, THROUGHPUT};
use super::contest::{Contestant, contest};

const SIZE: &str = "--size 100";
const FAST: u64 = 2_000_000;
const MIDDLE: u64 = 1_000_000;
const SLOW: u64 = 100_000;

pub fn measure(setting: &Setting) -> Result<Section> {
    let title = "Producers: publish values of 100 bytes, acks=all, idempotent";
    let mut section = Section::new("produce", title, &THROUGHPUT)
        .about("Each publishes random text to a topic of 6 partitions and waits for all acknowledgements. With headers, each \
                message carries a stamp (run, number, time, attempt, checksum); the rivals send none. The floor is librdkafka \
                alone with the settings of kafka-producer: it sends messages made beforehand, once with the same header. The \
                start of the process is part of its time.")
        .about("Ours compress by lz4 as they do by default; for the rivals none was the cheapest and is what they have here, so ours is there without, too. \
                VerifiableProducer sends its sequence numbers only, and prints a line for each.");
    section.chart = Some(0);
    let lines = setting.lines(setting.count(MIDDLE), 100, true)?;
    let payload = setting.lines(4096, 100, false)?;
    contest(
        setting,
        &mut section,
        &contestants(setting, &lines, &payload),
        |setting| Ok((setting.topic("produce", 6)?, true)),
        None,
    )?;

    section.ratio(0, "kafka-producer", "floor with headers", 1.2);
    section.ratio(0, "kafka-producer --no-headers", "floor", 1.15);
    section.ratio(0, "kafka-producer --no-headers", "Java ProducerPerformance", 0.4);
    section.ratio(0, "kafka-producer --no-headers", "kafka-python", 1.0 / 25.0);
    if let Some(peak) = section.median("kafka-producer", 2) {
        section.bars.push(Bar::at_most("peak MiB of kafka-producer at full speed", peak, 64.0));
    }
    Ok(section)
}

fn contestants<'a>(
    setting: &'a Setting,
    lines: &'a std::path::Path,
    payload: &'a std::path::Path,
) -> Vec<Contestant<'a>> {
    let servers = setting.cluster.bootstrap_servers();
    let python = |script: &'static str| {
        let servers = servers.clone();
        move |topic: &str, count: u64| {
            let python = Invocation::new(setting.rivals.python.as_ref().map_err(Clone::clone)?);
            let script = Rivals::python_script(script);
            Ok(python.args([script.to_string_lossy().as_ref(), &servers, topic, &count.to_string(), "100"]))
        }
    };
    let of = servers.clone();
    let java = move |topic: &str, count: u64| {
        let tool = Invocation::java("org.apache.kafka.tools.ProducerPerformance");
        let tool = tool.args(["--topic", topic, "--num-records", &count.to_string(), "--throughput", "-1"]);
        let tool = tool.args(["--payload-file", &payload.to_string_lossy(), "--producer-props"]);
        Ok(tool
            .args([format!("bootstrap.servers={of}")])
            .line("acks=all linger.ms=5 batch.size=262144 compression.type=none"))
    };
    let of = servers.clone();
    let verifiable = move |topic: &str, count: u64| {
        let tool = Invocation::java("org.apache.kafka.tools.VerifiableProducer");
        Ok(tool.args([
            "--bootstrap-server",
            &of,
            "--topic",
            topic,
            "--max-messages",
            &count.to_string(),
            "--acks",
            "-1",
        ]))
    };
    let of = servers.clone();
    let kcat = move |topic: &str, _: u64| {
        let kcat = Invocation::new(setting.rivals.kcat.as_ref().map_err(Clone::clone)?);
        let kcat = kcat.args(["-P", "-b", &of, "-t", topic, "-K:", "-l"]).args([lines.to_string_lossy()]);
        Ok(kcat.line("-X acks=all -X enable.idempotence=true -X linger.ms=5"))
    };
    let of = servers.clone();
    let franz_go = move |topic: &str, count: u64| {
        let program = Invocation::new(setting.rivals.franz_go.as_ref().map_err(Clone::clone)?);
        Ok(program.args(["produce", &of, topic, &count.to_string(), "100"]))
    };
    let of = servers.clone();
    let kafkajs = move |topic: &str, count: u64| {
        let folder = setting.rivals.kafkajs.as_ref().map_err(Clone::clone)?;
        let script = folder.join("produce.js");
        let node = Invocation::new(&Rivals::node());
        Ok(node.args([script.to_string_lossy().as_ref(), &of, topic, &count.to_string(), "100"]))
    };
    vec![
        Contestant::ours("kafka-producer", FAST, |topic, count| setting.producer(topic, count).line(SIZE)),
        Contestant::ours("floor with headers", FAST, |topic, count| setting.producer_floor(topic, count).line(SIZE)),
        Contestant::ours("kafka-producer --no-headers", FAST, |topic, count| {
            setting.producer(topic, count).line(SIZE).line("--no-headers")
        }),
        Contestant::ours("floor", FAST, |topic, count| {
            setting.producer_floor(topic, count).line(SIZE).line("--no-headers")
        }),
        Contestant::ours("kafka-producer --no-headers -z none", FAST, |topic, count| {
            setting.producer(topic, count).line(SIZE).line("--no-headers -z none")
        }),
        Contestant::rival("kcat", MIDDLE, kcat),
        Contestant::rival("franz-go", MIDDLE, franz_go),
        Contestant::rival("confluent-kafka (Python)", MIDDLE / 2, python("confluent_produce.py")),
        Contestant::rival("Java ProducerPerformance", MIDDLE, java),
        Contestant::rival("Java VerifiableProducer", SLOW * 2, verifiable),
        Contestant::rival("KafkaJS", SLOW * 2, kafkajs),
        Contestant::rival("aiokafka", SLOW, python("aiokafka_produce.py")),
        Contestant::rival("kafka-python", SLOW, python("kafka_python_produce.py")),
    ]
}
