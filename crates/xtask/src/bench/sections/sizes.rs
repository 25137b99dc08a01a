//! Larger values, JSON values and compressed topics: both programs against the floor.

use anyhow::Result;
use serde::de::IgnoredAny;

use super::super::measure::{Sample, Sink};
use super::super::results::{Bar, Section, Spread};
use super::super::setting::Setting;

struct Variant {
    name: &'static str,
    /// Messages, and flags of the producer that say what they are.
    messages: u64,
    size: usize,
    json: bool,
    codec: &'static str,
    /// Whether lines are cut, as they are by default.
    cut: bool,
}

const VARIANTS: [Variant; 9] = [
    Variant { name: "1 KB text", messages: 500_000, size: 1000, json: false, codec: "none", cut: false },
    Variant { name: "1 KB JSON", messages: 500_000, size: 1000, json: true, codec: "none", cut: false },
    Variant { name: "100 KB text", messages: 8_000, size: 100_000, json: false, codec: "none", cut: false },
    Variant { name: "100 KB JSON", messages: 8_000, size: 100_000, json: true, codec: "none", cut: false },
    Variant { name: "1 MB text", messages: 800, size: 1_000_000, json: false, codec: "none", cut: false },
    Variant { name: "1 MB JSON", messages: 800, size: 1_000_000, json: true, codec: "none", cut: false },
    Variant { name: "1 MB JSON, cut", messages: 800, size: 1_000_000, json: true, codec: "none", cut: true },
    Variant { name: "1 KB words, lz4", messages: 500_000, size: 1000, json: false, codec: "lz4", cut: false },
    Variant { name: "1 KB words, zstd", messages: 500_000, size: 1000, json: false, codec: "zstd", cut: false },
];
/// What a broker and its memory allow; the values above are made from text like this.
const JSON_FRAME: usize = 40;

pub fn measure(setting: &Setting) -> Result<Section> {
    let title = "Larger values, JSON values, compressed topics";
    let columns = [
        ("produce µs", 2),
        ("its floor µs", 2),
        ("ratio", 2),
        ("consume µs", 2),
        ("its floor µs", 2),
        ("serde_json alone µs", 2),
        ("ratio", 2),
    ];
    let mut section = Section::new("sizes", title, &columns).about(
        "CPU microseconds a message, with headers; the floor of the consumer writes as many bytes to the same file. Lines are \
         uncut, but for the row that says so. kafka-producer makes each JSON value from a template, the floor has a few of them \
         ready. JSON values are embedded in an uncut line, for which each has to be checked: serde_json alone, skipping \
         over the value, is added to the floor.",
    );
    let mut sink = Sink::new()?;
    for variant in &VARIANTS {
        one(setting, &mut section, variant, &mut sink)?;
    }
    Ok(section)
}

fn one(setting: &Setting, section: &mut Section, variant: &Variant, sink: &mut Sink) -> Result<()> {
    let messages = setting.count(variant.messages).max(20);
    let filled = setting.topic("sizes", 6)?;
    let flags = |to: super::super::invocation::Invocation| {
        let to = to.args(["--compression", variant.codec]);
        match (variant.json, variant.codec) {
            (true, _) => to.args(["--value".to_owned(), template(variant.size)]),
            (false, "none") => to.args(["--size", &variant.size.to_string()]),
            (false, _) => to.args(["--payload", "compressible", "--size", &variant.size.to_string()]),
        }
    };
    setting.run(&flags(setting.producer(&filled, messages)))?;
    let ours = |topic: &str| setting.consumer(topic, messages).line(if variant.cut { "" } else { "--uncut" });
    let (_, bytes) = setting.run_into(&ours(&filled), sink, messages)?;
    let (mut produce, mut produce_floor, mut consume, mut consume_floor) = (vec![], vec![], vec![], vec![]);
    for round in 0..=setting.rounds {
        let topic = setting.topic("sizes", 6)?;
        let commands = [flags(setting.producer(&topic, messages)), flags(setting.producer_floor(&topic, messages))];
        let (a, b) = (setting.run(&commands[0])?, setting.run(&commands[1])?);
        setting.drop_topic(&topic)?;
        let reading = [ours(&filled), setting.consumer_floor(&filled, messages, bytes / messages)];
        let (c, _) = setting.run_into(&reading[0], sink, messages)?;
        let (d, _) = setting.run_into(&reading[1], sink, messages)?;
        if round == 0 {
            let shown = commands.iter().chain(&reading).map(|command| command.shown(&setting.cluster));
            section.commands.extend(shown);
            continue;
        }
        produce.push(a);
        produce_floor.push(b);
        consume.push(c);
        consume_floor.push(d);
    }
    setting.drop_topic(&filled)?;
    let spread = |samples: &[Sample]| Spread::of(samples.iter().map(|sample| sample.cpu_per_million(messages)));
    let checked = if variant.json && !variant.cut { Some(serde_json_alone(variant.size)?) } else { None };
    let cells = [spread(&produce), spread(&produce_floor), spread(&consume), spread(&consume_floor)];
    let middle = |cell: Option<Spread>| cell.map_or(f64::NAN, |spread| spread.median);
    let of_producer = middle(cells[0]) / middle(cells[1]);
    let of_consumer = middle(cells[2]) / (middle(cells[3]) + checked.unwrap_or(0.0));
    let [a, b, c, d] = cells;
    let checked = checked.and_then(|value| Spread::of([value]));
    section.row(variant.name, vec![a, b, Spread::of([of_producer]), c, d, checked, Spread::of([of_consumer])]);
    section.bars.push(Bar::at_most(format!("kafka-producer, of its floor: {}", variant.name), of_producer, 1.5));
    section.bars.push(Bar::at_most(format!("kafka-consumer, of its floor: {}", variant.name), of_consumer, 1.5));
    Ok(())
}

/// An object with numbers, texts and an array, of about this size.
fn template(size: usize) -> String {
    let item = r#"{"id":{{random_int:1:99999}},"name":"{{random:40}}","tags":["a","b"],"ok":true}"#;
    let item_size = 90;
    let items = vec![item; ((size - JSON_FRAME) / item_size).clamp(1, 200)].join(",");
    let rest = size.saturating_sub(JSON_FRAME + items.matches("\"id\"").count() * item_size);
    format!(r#"{{"seq":{{{{seq}}}},"items":[{items}],"rest":"{{{{random:{}}}}}"}}"#, rest.max(1))
}

/// Microseconds to skip over such a value.
fn serde_json_alone(size: usize) -> Result<f64> {
    let text = template(size).replace("{{seq}}", "17").replace("{{random_int:1:99999}}", "12345");
    let text = text.replace("{{random:40}}", &"x".repeat(40));
    let (head, rest) = text.split_once("{{random:").unwrap_or((&text, "0}}"));
    let (length, tail) = rest.split_once("}}").unwrap_or(("0", ""));
    let text = format!("{head}{}{tail}", "x".repeat(length.parse()?));
    let rounds = (200_000_000 / text.len()).max(1);
    let began = std::time::Instant::now();
    for _ in 0..rounds {
        serde_json::from_str::<IgnoredAny>(std::hint::black_box(&text))?;
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / rounds as f64)
}
