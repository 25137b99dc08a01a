//! Logging every record of 100 bytes as a JSON line: ours, the floor and the rivals.

use anyhow::Result;

use super::super::invocation::Invocation;
use super::super::measure::Sink;
use super::super::results::{Bar, Section};
use super::super::rivals::Rivals;
use super::super::setting::{Setting, THROUGHPUT};
use super::contest::{Contestant, contest};

const FAST: u64 = 2_000_000;
const MIDDLE: u64 = 1_000_000;
const SLOW: u64 = 100_000;

pub fn measure(setting: &Setting) -> Result<Section> {
    let title = "Consumers: log every record as a JSON line";
    let mut section = Section::new("consume", title, &THROUGHPUT)
        .about("All read the same topic from its beginning: 6 partitions, uncompressed, values of 100 bytes and the stamp as header. \
                Lines go to a file in memory, whose lines are counted afterwards. The floor is librdkafka alone with the settings \
                of kafka-consumer: once it drops the records, once it asks for their headers and writes constant lines of the \
                same length to the same file. \
                The start of the process and the joining of its group are part of its time.")
        .about("ConsoleConsumer writes text, with all fields switched on. kcat reads without a group; tuned, it has \
                queued.min.messages raised, since its librdkafka has no fetch.queue.backoff.ms.");
    section.chart = Some(0);
    let most = setting.count(FAST);
    let topic = setting.filled("consume", 6, most, "--size 100 --compression none")?;
    let mut sink = Sink::new()?;
    let (_, bytes) = setting.run_into(&setting.consumer(&topic, most), &mut sink, most)?;
    let line_bytes = bytes / most;

    let contestants = contestants(setting, line_bytes);
    contest(setting, &mut section, &contestants, |_| Ok((topic.clone(), false)), Some(&mut sink))?;
    let bare = setting.filled("consume", 6, most, "--size 100 --compression none --no-headers")?;
    let (_, bytes) = setting.run_into(&setting.consumer(&bare, most), &mut sink, most)?;
    let line_bytes = bytes / most;
    let kcat = |topic: &str, count: u64| {
        let kcat = Invocation::new(setting.rivals.kcat.as_ref().map_err(Clone::clone)?);
        let (servers, count) = (setting.cluster.bootstrap_servers(), count.to_string());
        Ok(kcat.args(["-C", "-J", "-q", "-b", &servers, "-t", topic, "-o", "beginning", "-c", &count]))
    };
    let without = [
        Contestant::ours("kafka-consumer, no headers", FAST, |topic, count| setting.consumer(topic, count)),
        Contestant::ours("floor, no headers", FAST, |topic, count| setting.consumer_floor(topic, count, line_bytes)),
        Contestant::rival("kcat -J, no headers", MIDDLE, kcat),
    ];
    contest(setting, &mut section, &without, |_| Ok((bare.clone(), false)), Some(&mut sink))?;
    // Drops its records, so nothing to count: the same rounds, but for it alone.
    let drop =
        [Contestant::ours("floor, records dropped", FAST, |topic, count| setting.consumer_floor(topic, count, 0))];
    contest(setting, &mut section, &drop, |_| Ok((topic.clone(), false)), None)?;
    setting.drop_topic(&bare)?;
    setting.drop_topic(&topic)?;

    section.ratio(0, "kafka-consumer", "floor", 1.4);
    section.ratio(0, "kafka-consumer", "kcat -J", 0.5);
    section.ratio(0, "kafka-consumer, no headers", "floor, no headers", 1.4);
    section.ratio(0, "kafka-consumer, no headers", "kcat -J, no headers", 0.5);
    section.ratio(0, "kafka-consumer", "confluent-kafka (Python)", 1.0 / 5.0);
    section.ratio(0, "kafka-consumer", "kafka-python", 1.0 / 35.0);
    section.ratio(0, "kafka-consumer", "Java ConsoleConsumer", 1.0);
    if let (Some(ours), Some(kcat)) = (section.median("kafka-consumer", 1), section.median("kcat -J", 1)) {
        section.bars.push(Bar::at_least(
            "records/s of kafka-consumer, of kcat -J, both with defaults",
            ours / kcat,
            3.0,
        ));
    }
    if let Some(peak) = section.median("kafka-consumer", 2) {
        section.bars.push(Bar::at_most("peak MiB of kafka-consumer at full speed", peak, 64.0));
    }
    Ok(section)
}

fn contestants<'a>(setting: &'a Setting, line_bytes: u64) -> Vec<Contestant<'a>> {
    let servers = setting.cluster.bootstrap_servers();
    let python = |script: &'static str| {
        let servers = servers.clone();
        move |topic: &str, count: u64| {
            let python = Invocation::new(setting.rivals.python.as_ref().map_err(Clone::clone)?);
            let (script, group) = (Rivals::python_script(script), setting.name("group"));
            Ok(python.args([script.to_string_lossy().as_ref(), &servers, topic, &count.to_string(), &group]))
        }
    };
    let kcat = |flags: &'static str| {
        let servers = servers.clone();
        move |topic: &str, count: u64| {
            let kcat = Invocation::new(setting.rivals.kcat.as_ref().map_err(Clone::clone)?);
            Ok(kcat
                .args(["-C", "-J", "-q", "-b", &servers, "-t", topic, "-o", "beginning", "-c", &count.to_string()])
                .line(flags))
        }
    };
    let of = servers.clone();
    let console = move |topic: &str, count: u64| {
        let tool = Invocation::java("org.apache.kafka.tools.consumer.ConsoleConsumer");
        let tool = tool.args(["--bootstrap-server", &of, "--topic", topic, "--group", &setting.name("group")]);
        let tool = tool.args(["--from-beginning", "--max-messages", &count.to_string()]);
        let fields = ["timestamp", "partition", "offset", "headers", "key", "value"];
        Ok(tool
            .args(fields.iter().flat_map(|field| ["--formatter-property".to_owned(), format!("print.{field}=true")])))
    };
    let of = servers.clone();
    let verifiable = move |topic: &str, count: u64| {
        let tool = Invocation::java("org.apache.kafka.tools.VerifiableConsumer");
        let tool = tool.args(["--bootstrap-server", &of, "--topic", topic, "--group-id", &setting.name("group")]);
        Ok(tool.args(["--max-messages", &count.to_string(), "--verbose", "--reset-policy", "earliest"]))
    };
    let of = servers.clone();
    let franz_go = move |topic: &str, count: u64| {
        let program = Invocation::new(setting.rivals.franz_go.as_ref().map_err(Clone::clone)?);
        Ok(program.args(["consume", &of, topic, &count.to_string(), &setting.name("group")]))
    };
    let of = servers.clone();
    let kafkajs = move |topic: &str, count: u64| {
        let folder = setting.rivals.kafkajs.as_ref().map_err(Clone::clone)?;
        let (script, group) = (folder.join("consume.js"), setting.name("group"));
        let node = Invocation::new(&Rivals::node());
        Ok(node.args([script.to_string_lossy().as_ref(), &of, topic, &count.to_string(), &group]))
    };
    vec![
        Contestant::ours("kafka-consumer", FAST, |topic, count| setting.consumer(topic, count)),
        Contestant::ours("floor", FAST, move |topic, count| setting.consumer_floor(topic, count, line_bytes)),
        Contestant::rival("kcat -J", MIDDLE, kcat("")),
        Contestant::rival("kcat -J, tuned", FAST, kcat("-X queued.min.messages=1000000")),
        Contestant::rival("franz-go", MIDDLE, franz_go),
        Contestant::rival("Java ConsoleConsumer", MIDDLE, console),
        Contestant::rival("Java VerifiableConsumer", SLOW * 2, verifiable),
        Contestant::rival("confluent-kafka (Python)", SLOW * 3, python("confluent_consume.py")),
        Contestant::rival("KafkaJS", SLOW * 3, kafkajs),
        Contestant::rival("aiokafka", SLOW, python("aiokafka_consume.py")),
        Contestant::rival("kafka-python", SLOW, python("kafka_python_consume.py")),
    ]
}
