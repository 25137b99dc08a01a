//! Several programs that do the same work in turns: round after round, so that a change of the machine meets all of them.

use anyhow::Result;

use super::super::invocation::Invocation;
use super::super::measure::{Sample, Sink};
use super::super::results::Section;
use super::super::setting::{Setting, add_throughput};

/// Makes the command for a topic and a number of messages, or says why there is none.
pub type Command<'a> = Box<dyn Fn(&str, u64) -> Result<Invocation, String> + 'a>;

/// One program in the contest.
pub struct Contestant<'a> {
    /// As in the table.
    pub name: &'static str,
    /// Messages in a run: fewer for the slow.
    pub messages: u64,
    /// What it runs.
    pub command: Command<'a>,
    /// Whether a failure of it is a failure of the benchmark, rather than a line in the table.
    pub ours: bool,
}

impl<'a> Contestant<'a> {
    /// One of ours, or a floor.
    pub fn ours(name: &'static str, messages: u64, command: impl Fn(&str, u64) -> Invocation + 'a) -> Self {
        Self { name, messages, command: Box::new(move |topic, count| Ok(command(topic, count))), ours: true }
    }

    /// A rival.
    pub fn rival(
        name: &'static str,
        messages: u64,
        command: impl Fn(&str, u64) -> Result<Invocation, String> + 'a,
    ) -> Self {
        Self { name, messages, command: Box::new(command), ours: false }
    }
}

/// Runs them in turns, after a round that is not counted, and adds their rows. `topic` gives each round its topic; with a sink
/// the records go there and are counted.
pub fn contest(
    setting: &Setting,
    section: &mut Section,
    contestants: &[Contestant<'_>],
    mut topic: impl FnMut(&Setting) -> Result<(String, bool)>,
    mut sink: Option<&mut Sink>,
) -> Result<()> {
    let mut samples: Vec<Result<Vec<Sample>, String>> = contestants.iter().map(|_| Ok(Vec::new())).collect();
    for round in 0..=setting.rounds {
        let (topic, once) = topic(setting)?;
        for (contestant, samples) in contestants.iter().zip(&mut samples) {
            let Ok(measured) = samples else { continue };
            let messages = setting.count(contestant.messages);
            let done = (contestant.command)(&topic, messages).and_then(|command| {
                if round == 0 {
                    section.commands.push(command.shown(&setting.cluster));
                }
                let done = match &mut sink {
                    Some(sink) => setting.run_into(&command, sink, messages).map(|(sample, _)| sample),
                    None => setting.run(&command),
                };
                done.map_err(|error| format!("failed: {}", first_line(&error)))
            });
            match done {
                // The first round warms the broker, the caches and the rivals' compiled files.
                Ok(_) if round == 0 => {}
                Ok(sample) => measured.push(sample),
                Err(why) if contestant.ours => anyhow::bail!("{}: {why}", contestant.name),
                Err(why) => *samples = Err(why),
            }
        }
        if once {
            setting.drop_topic(&topic)?;
        }
    }
    for (contestant, samples) in contestants.iter().zip(samples) {
        match samples {
            Ok(samples) => add_throughput(section, contestant.name, &samples, setting.count(contestant.messages)),
            Err(why) => section.missing(contestant.name, why),
        }
    }
    Ok(())
}

/// The cause, without the command that the section shows anyway.
fn first_line(error: &anyhow::Error) -> String {
    let text = error.root_cause().to_string();
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}
