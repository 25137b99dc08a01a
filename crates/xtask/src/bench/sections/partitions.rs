//! One to a thousand partitions: both programs against the floor at the same count.

use anyhow::Result;

use super::super::measure::{Sample, Sink};
use super::super::results::{Bar, Section, Spread};
use super::super::setting::Setting;

const COUNTS: [i32; 4] = [1, 10, 100, 1000];
const MESSAGES: u64 = 500_000;
/// Fewer than elsewhere: twenty runs a round.
const ROUNDS: usize = 3;

pub fn measure(setting: &Setting) -> Result<Section> {
    let columns = [
        ("produce µs", 2),
        ("its floor µs", 2),
        ("ratio", 2),
        ("consume µs", 2),
        ("its floor µs", 2),
        ("ratio", 2),
        ("consumer peak MiB", 1),
    ];
    let mut section = Section::new("partitions", "Partitions", &columns).about(
        "CPU microseconds a message of 100 bytes with headers, from a run of half a million messages. More partitions mean \
         smaller batches, and those cost librdkafka, so each count is compared with the floor at the same count.",
    );
    let mut sink = Sink::new()?;
    let messages = setting.count(MESSAGES);
    for count in COUNTS {
        let filled = setting.topic("partitions", count)?;
        setting.run(&setting.producer(&filled, messages).line("--size 100"))?;
        let (_, bytes) = setting.run_into(&setting.consumer(&filled, messages), &mut sink, messages)?;
        let mut samples: [Vec<Sample>; 4] = Default::default();
        for round in 0..=setting.rounds.min(ROUNDS) {
            let commands = [
                setting.producer(&filled, messages).line("--size 100"),
                setting.producer_floor(&filled, messages).line("--size 100"),
                setting.consumer(&filled, messages),
                setting.consumer_floor(&filled, messages, bytes / messages),
            ];
            for (nth, command) in commands.iter().enumerate() {
                let sample = match nth {
                    0 | 1 => setting.run(command)?,
                    _ => setting.run_into(command, &mut sink, messages)?.0,
                };
                if round > 0 {
                    samples[nth].push(sample);
                } else if count == COUNTS[0] {
                    section.commands.push(command.shown(&setting.cluster));
                }
            }
        }
        setting.drop_topic(&filled)?;
        let spread = |nth: usize| Spread::of(samples[nth].iter().map(|sample| sample.cpu_per_million(messages)));
        let cells = [spread(0), spread(1), spread(2), spread(3)];
        let middle = |cell: Option<Spread>| cell.map_or(f64::NAN, |spread| spread.median);
        let (of_producer, of_consumer) = (middle(cells[0]) / middle(cells[1]), middle(cells[2]) / middle(cells[3]));
        let [a, b, c, d] = cells;
        let peak = Spread::of(samples[2].iter().map(Sample::peak_mib));
        section.row(count.to_string(), vec![a, b, Spread::of([of_producer]), c, d, Spread::of([of_consumer]), peak]);
        section.bars.push(Bar::at_most(
            format!("kafka-producer, of its floor at {count} partitions"),
            of_producer,
            1.15,
        ));
        section.bars.push(Bar::at_most(
            format!("kafka-consumer, of its floor at {count} partitions"),
            of_consumer,
            1.15,
        ));
    }
    Ok(section)
}
