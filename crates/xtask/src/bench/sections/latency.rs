//! From sending to the line on stdout, at a thousand messages a second.

use std::io::{PipeReader, Read, pipe};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use super::super::invocation::Invocation;
use super::super::results::{Bar, Section, Spread};
use super::super::rivals::Rivals;
use super::super::setting::Setting;
use super::contest::Command;

const MESSAGES: u64 = 8_000;
/// Ahead of the measured ones, until the consumer's code is warm.
const WARM: u64 = 2_000;
/// Times of rounds, fewer than elsewhere: each row of each round is ten seconds.
const ROUNDS: usize = 3;
const START: Duration = Duration::from_secs(30);
/// Each value begins with the time that it was sent.
const MARK: &str = "sent=";
const QUANTILES: [f64; 3] = [0.5, 0.99, 0.999];

pub fn measure(setting: &Setting) -> Result<Section> {
    let columns = [("p50 ms", 2), ("p99 ms", 2), ("p99.9 ms", 2)];
    let mut section = Section::new("latency", "Latency from sending to the line on stdout, 1,000 messages/s", &columns)
        .about("kafka-producer sends 1,000 messages a second for ten seconds, and each consumer in turn logs them into a pipe; \
                the first two seconds do not count. A message is sent when its time is written into it, and has arrived when the \
                pipe's reader has its line. Of the median, up to 5 ms are the producer's linger: the row without linger \
                shows the rest, which is broker, fetch and the line.");
    section.chart = Some(1);
    let contestants = contestants(setting);
    // A broker that has just started is slow for its first: that must not be one of the rows.
    if let Some((_, linger, command)) = contestants.first() {
        let _ = one(setting, linger, command);
    }
    let mut found: Vec<Result<[Vec<f64>; 3], String>> = contestants.iter().map(|_| Ok(Default::default())).collect();
    section.rounds = setting.rounds.min(ROUNDS);
    for _ in 0..section.rounds {
        for ((_, linger, command), found) in contestants.iter().zip(&mut found) {
            let Ok(lists) = found else { continue };
            match one(setting, linger, command) {
                Ok(quantiles) => lists.iter_mut().zip(quantiles).for_each(|(list, value)| list.push(value)),
                Err(error) => *found = Err(format!("{error:#}").lines().next().unwrap_or_default().to_owned()),
            }
        }
    }
    for ((name, ..), found) in contestants.iter().zip(found) {
        match found {
            Err(why) => section.missing(*name, why),
            Ok(lists) => section.row(*name, lists.into_iter().map(Spread::of).collect()),
        }
    }
    let ours = section.median("kafka-consumer", 1);
    let others = section.rows.iter().filter(|row| !row.name.starts_with("kafka-consumer"));
    let best = others.filter_map(|row| Some(row.cells.get(1)?.as_ref()?.median)).min_by(f64::total_cmp);
    if let (Some(ours), Some(best)) = (ours, best) {
        section.bars.push(Bar::at_most("p99 latency of kafka-consumer in ms, against the best rival's", ours, best));
    }
    Ok(section)
}

/// In milliseconds.
fn one(setting: &Setting, linger: &str, command: &Command<'_>) -> Result<[f64; 3]> {
    let topic = setting.topic("latency", 6)?;
    let count = setting.count(MESSAGES) + WARM;
    let command = command(&topic, count + 1).map_err(anyhow::Error::msg)?;
    let (reader, writer) = pipe()?;
    let consumer = command.program(&setting.cluster).stdout(writer).spawn()?;
    let first = setting.producer(&topic, 1).args(["--compression", "none", "--value", "sent={{time_us}} "]);
    setting.run(&first)?;
    let (told, hear) = std::sync::mpsc::channel();
    let reading = thread::spawn(move || read(reader, &told));
    // The first line: it has joined its group.
    hear.recv_timeout(START).with_context(|| format!("no line came: {}", consumer.stderr()))?;
    // KafkaJS has no lz4.
    let producer = setting.producer(&topic, count).line("--rate 1000/s --compression none");
    setting.run(&producer.args(["--value", "sent={{time_us}} {{random:75}}"]).line(linger))?;
    let (mut latencies, deadline) = (Vec::new(), Instant::now() + START);
    while latencies.len() < usize::try_from(count)? {
        let left = deadline.saturating_duration_since(Instant::now());
        latencies.push(hear.recv_timeout(left).with_context(|| format!("{} of {count} lines came", latencies.len()))?);
    }
    drop(consumer);
    let _ = reading.join();
    setting.drop_topic(&topic)?;
    let mut counted = latencies.split_off(usize::try_from(WARM)?);
    ensure!(!counted.is_empty(), "nothing was counted");
    counted.sort_unstable();
    let at = |quantile: f64| counted[((counted.len() - 1) as f64 * quantile) as usize] as f64 / 1e3;
    Ok(QUANTILES.map(at))
}

/// Tells the microseconds of each line that comes.
fn read(mut pipe: PipeReader, told: &std::sync::mpsc::Sender<i64>) {
    let (mut chunk, mut rest) = (vec![0; 1024 * 1024], String::new());
    while let Ok(length @ 1..) = pipe.read(&mut chunk) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as i64;
        rest.push_str(&String::from_utf8_lossy(&chunk[..length]));
        let Some(end) = rest.rfind('\n') else { continue };
        for line in rest[..end].lines() {
            let Some((_, after)) = line.split_once(MARK) else { continue };
            let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
            if told.send(now - digits.parse().unwrap_or(now)).is_err() {
                return;
            }
        }
        rest.drain(..=end);
    }
}

fn contestants(setting: &Setting) -> Vec<(&'static str, &'static str, Command<'_>)> {
    let servers = setting.cluster.bootstrap_servers();
    let linger = "--linger 5ms";
    let python = |script: &'static str| -> Command<'_> {
        let servers = servers.clone();
        Box::new(move |topic, count| {
            let python = Invocation::new(setting.rivals.python.as_ref().map_err(Clone::clone)?);
            let (script, group) = (Rivals::python_script(script), setting.name("group"));
            // A pipe is buffered unless Python is told otherwise; logging writes each line by itself.
            Ok(python.args(["-u", script.to_string_lossy().as_ref(), &servers, topic, &count.to_string(), &group]))
        })
    };
    let of = servers.clone();
    let kcat: Command<'_> = Box::new(move |topic, count| {
        let kcat = Invocation::new(setting.rivals.kcat.as_ref().map_err(Clone::clone)?);
        Ok(kcat.args(["-C", "-J", "-q", "-u", "-b", &of, "-t", topic, "-o", "beginning", "-c", &count.to_string()]))
    });
    let of = servers.clone();
    let franz_go: Command<'_> = Box::new(move |topic, count| {
        let program = Invocation::new(setting.rivals.franz_go.as_ref().map_err(Clone::clone)?);
        Ok(program.args(["consume", &of, topic, &count.to_string(), &setting.name("group")]))
    });
    let of = servers.clone();
    let java: Command<'_> = Box::new(move |topic, count| {
        let tool = Invocation::java("org.apache.kafka.tools.consumer.ConsoleConsumer");
        let tool = tool.args(["--bootstrap-server", &of, "--topic", topic, "--group", &setting.name("group")]);
        Ok(tool.args(["--from-beginning", "--max-messages", &count.to_string()]))
    });
    let of = servers.clone();
    let kafkajs: Command<'_> = Box::new(move |topic, count| {
        let folder = setting.rivals.kafkajs.as_ref().map_err(Clone::clone)?;
        let (script, group) = (folder.join("consume.js"), setting.name("group"));
        let node = Invocation::new(&Rivals::node());
        Ok(node.args([script.to_string_lossy().as_ref(), &of, topic, &count.to_string(), &group]))
    });
    vec![
        ("kafka-consumer", linger, Box::new(|topic, count| Ok(setting.consumer(topic, count)))),
        ("kafka-consumer, linger 0", "--linger 0ms", Box::new(|topic, count| Ok(setting.consumer(topic, count)))),
        ("kcat -J -u", linger, kcat),
        ("franz-go", linger, franz_go),
        ("Java ConsoleConsumer", linger, java),
        ("confluent-kafka (Python)", linger, python("confluent_consume.py")),
        ("KafkaJS", linger, kafkajs),
        ("aiokafka", linger, python("aiokafka_consume.py")),
        ("kafka-python", linger, python("kafka_python_consume.py")),
    ]
}
