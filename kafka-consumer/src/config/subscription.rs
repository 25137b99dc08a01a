//! Which topics are read, and whether a consumer group assigns their partitions.

use common::config::{Layers, Problems, Properties};
use common::kafka;
use consume::Subscription;

use crate::args::RunArgs;

/// The variable that names a group.
const GROUP: &str = "KAFKA_CONSUMER_GROUP";

/// The group that somebody has named, by flag, variable or as librdkafka's own property.
pub fn named_group(args: &RunArgs, properties: &Properties) -> Option<String> {
    let raw = || properties.get("group.id").filter(|_| properties.is_given("group.id"));
    args.group.as_deref().or_else(raw).map(|group| group.trim().to_owned())
}

/// Whether the group that may be named is joined. `--tail` and `--to` are for looking at a topic, which must never disturb a
/// service; a variable names the service's group to all that runs in its image.
pub fn may_join(args: &RunArgs, layers: &Layers, problems: &mut Problems) -> bool {
    let Some(flag) = args.tail.map(|_| "--tail").or(args.to.map(|_| "--to")) else { return true };
    let of_variable = layers.get(GROUP).map(|(group, _)| group.trim());
    if args.group.as_deref().is_some_and(|group| Some(group.trim()) != of_variable) {
        problems.add(format!("{flag} reads without a group: leave --group out, or start with --from"));
    }
    false
}

/// The topics to read, by the group if there is one.
pub fn of(args: &RunArgs, group: Option<&str>, problems: &mut Problems) -> Subscription {
    let topics: Vec<String> = args.topics.iter().flat_map(|flag| topics_of(flag)).collect();
    if topics.is_empty() {
        problems.add("--topic (KAFKA_TOPIC) is empty");
    }
    for topic in &topics {
        if !topic.starts_with('^') {
            problems.note(kafka::topic::check_name(topic).map_err(|error| format!("--topic: {error}")));
        } else if matches_a_comma(topic) {
            problems.add(format!(
                "--topic {topic}: no topic's name has a comma; give each topic a --topic of its own, and in KAFKA_TOPIC write \\, \
                 for a comma that separates nothing"
            ));
        }
    }
    match (&args.partitions, group) {
        (Some(list), _) => {
            if topics.len() != 1 || topics.iter().any(|topic| topic.starts_with('^')) {
                problems.add("--partitions needs exactly one topic, by its name");
            }
            Subscription::Partitions { topics, partitions: Some(list.0.clone()) }
        }
        (None, Some(group)) => Subscription::Group { topics, group: group.to_owned() },
        (None, None) => {
            if let Some(expression) = topics.iter().find(|topic| topic.starts_with('^')) {
                problems.add(format!(
                    "--topic {expression}: a regular expression needs a group, which finds the topics that match: name one with \
                     --group (KAFKA_CONSUMER_GROUP), or name the topics"
                ));
            }
            Subscription::Partitions { topics, partitions: None }
        }
    }
}

/// The topics of one `--topic`: names with commas between them, and at the end maybe a regular expression, which may have commas
/// of its own.
fn topics_of(flag: &str) -> Vec<String> {
    let mut topics = Vec::new();
    let mut rest = flag.trim();
    while !rest.is_empty() {
        let (topic, after) = match rest.split_once(',') {
            Some(parts) if !rest.starts_with('^') => parts,
            _ => (rest, ""),
        };
        topics.push(topic.trim().to_owned());
        rest = after.trim_start();
    }
    topics.retain(|topic| !topic.is_empty());
    topics
}

/// Whether a regular expression has a comma that stands for itself, and not in `{1,2}` or `[a,b]`.
fn matches_a_comma(expression: &str) -> bool {
    let mut within = false;
    let mut characters = expression.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '{' | '[' => within = true,
            '}' | ']' => within = false,
            ',' if !within => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{matches_a_comma, topics_of};

    #[test]
    fn a_regular_expression_takes_the_rest_of_its_flag() {
        let cases: [(&str, &[&str]); 7] = [
            ("a", &["a"]),
            ("a, b,", &["a", "b"]),
            (",", &[]),
            ("", &[]),
            ("^a{1,2}", &["^a{1,2}"]),
            ("a,b,^c{1,2}d[x,y]", &["a", "b", "^c{1,2}d[x,y]"]),
            ("^a,^b", &["^a,^b"]),
        ];
        for (flag, topics) in cases {
            assert_eq!(topics_of(flag), topics, "{flag}");
        }
    }

    #[test]
    fn a_comma_that_matches_no_name_is_found() {
        for fine in ["^a{1,2}", "^[a,b]x", r"^a\,b", "^a.*"] {
            assert!(!matches_a_comma(fine), "{fine}");
        }
        for wrong in ["^a,^b", "^a.*,b", "^a{1,2},b"] {
            assert!(matches_a_comma(wrong), "{wrong}");
        }
    }
}
