//! Questions about a topic: does it exist, how many partitions has it, and what is wrong with them.

mod create;
mod lookup;
mod trouble;

use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;

use super::error::{Class, class, with_hint};
use crate::exit::Exit;
use crate::verdict::Verdict;

pub use create::{NewTopic, create};
pub use lookup::{Finding, Lookup};
pub use trouble::{PartitionState, explain, partitions};

/// One question to the brokers blocks for this long at most, so that error events and signals are seen meanwhile.
pub const SLICE: Duration = Duration::from_millis(500);
/// How long a topic may be unknown before it counts as missing: a new one is not known to every broker at once.
pub const GRACE: Duration = Duration::from_secs(3);

/// What the brokers say of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It exists and has this many partitions.
    Partitions(usize),
    /// The brokers say that there is no such topic; maybe not yet.
    Missing,
    /// The brokers refuse to say.
    Refused(Verdict),
    /// No broker answered in time.
    NoAnswer,
}

/// Asks for the partitions of a topic. Blocks for [`SLICE`] at most.
pub fn ask<C: ClientContext>(client: &Client<C>, topic: &str) -> Known {
    ask_within(client, topic, SLICE)
}

/// [`ask`] with another limit.
pub fn ask_within<C: ClientContext>(client: &Client<C>, topic: &str, limit: Duration) -> Known {
    let metadata = match client.fetch_metadata(Some(topic), limit) {
        Ok(metadata) => metadata,
        Err(error) => return error.rdkafka_error_code().map_or(Known::NoAnswer, |code| from_code(code, topic)),
    };
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Known::NoAnswer };
    match found.error() {
        Some(code) => from_code(code.into(), topic),
        None if found.partitions().is_empty() => Known::Missing,
        None => Known::Partitions(found.partitions().len()),
    }
}

fn from_code(code: RDKafkaErrorCode, topic: &str) -> Known {
    match code {
        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => Known::Missing,
        // Being elected or moved: comes back by itself.
        code if class(code) == Class::Refused => {
            let reason = format!("topic {topic}: {}", code);
            Known::Refused(Verdict::new(Exit::Refused, with_hint(&reason, code)))
        }
        _ => Known::NoAnswer,
    }
}

/// The failure of a topic that does not exist.
pub fn missing(topic: &str, servers: &str) -> Verdict {
    let reason = format!("topic {topic} does not exist on {servers}");
    Verdict::new(Exit::Refused, with_hint(&reason, RDKafkaErrorCode::UnknownTopic))
}

/// Checks that a topic with so many partitions has this one: only metadata can tell, as librdkafka's error for a partition
/// without a leader is the same.
///
/// # Errors
/// The refusal.
pub fn check_partition(topic: &str, count: usize, partition: i32) -> Result<(), Verdict> {
    if usize::try_from(partition).is_ok_and(|partition| partition < count) {
        return Ok(());
    }
    let last = count.saturating_sub(1);
    let reason = format!("topic {topic} has {count} partitions, 0 to {last}: there is no partition {partition}");
    Err(Verdict::new(Exit::Refused, reason))
}

/// Checks a topic's name by Kafka's own rules.
///
/// # Errors
/// Says what a name looks like.
pub fn check_name(topic: &str) -> Result<(), String> {
    let legal = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    if topic.is_empty() || topic.len() > 249 || topic == "." || topic == ".." || !topic.chars().all(legal) {
        return Err(format!(
            "{topic:?} is not a topic name: 1 to 249 letters, digits, dots, underscores or hyphens, not . or .."
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kafkas_rules() {
        assert!(check_name("orders.v1_eu-west").is_ok());
        for bad in ["", ".", "..", "a b", "a/b", "ü", &"a".repeat(250)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
