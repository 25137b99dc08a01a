//! A topic: whether it exists, how many partitions it has, and its creation where that was asked for.

use std::str::FromStr;
use std::time::Duration;

use rdkafka::admin::{self, AdminClient, AdminOptions, TopicReplication};
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;

use super::client_config;
use super::context::SharedContext;
use super::error::{Class, class, name, with_hint};
use crate::config::Properties;
use crate::exit::Exit;
use crate::verdict::Verdict;

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

/// A topic to create: `6:3` is six partitions of three replicas, `6` leaves the replicas to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewTopic {
    partitions: i32,
    replication: Option<i32>,
}

impl FromStr for NewTopic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| text.parse::<i32>().ok().filter(|number| (1..=100_000).contains(number));
        let parsed = match text.split_once(':') {
            None => number(text).map(|partitions| Self { partitions, replication: None }),
            Some((partitions, replication)) => number(partitions)
                .zip(number(replication))
                .map(|(partitions, replication)| Self { partitions, replication: Some(replication) }),
        };
        parsed.ok_or_else(|| "expected PARTITIONS or PARTITIONS:REPLICATION, such as 6:3".to_owned())
    }
}

/// Creates a topic unless it exists; `false` when it did. Blocks for `timeout` at most.
///
/// # Errors
/// What the broker said.
pub fn create(
    properties: &Properties,
    context: SharedContext,
    topic: &str,
    new: NewTopic,
    timeout: Duration,
) -> Result<bool, Verdict> {
    let mut connection = Properties::new();
    let wanted = ["bootstrap.servers", "security.protocol", "client.id"];
    for (key, property) in properties.iter() {
        if wanted.contains(&key) || key.starts_with("sasl.") || key.starts_with("ssl.") {
            connection.fallback(key, &property.value);
        }
    }
    let admin: AdminClient<SharedContext> =
        client_config(&connection).create_with_context(context).map_err(|error| super::error::creation(&error))?;
    let replication = TopicReplication::Fixed(new.replication.unwrap_or(-1));
    let options = AdminOptions::new().request_timeout(Some(timeout)).operation_timeout(Some(timeout));
    let new_topic = [admin::NewTopic::new(topic, new.partitions, replication)];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| Verdict::new(Exit::Incomplete, format!("no runtime for creating the topic: {error}")))?;
    let results = runtime.block_on(admin.create_topics(&new_topic, &options));
    // An error of the request as a whole, whatever its code, means that no broker has answered it.
    let (code, answered) = match results {
        Ok(results) => match results.into_iter().next() {
            Some(Err((_, code))) => (code, true),
            _ => return Ok(true),
        },
        Err(error) => (error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::OperationTimedOut), false),
    };
    if code == RDKafkaErrorCode::TopicAlreadyExists {
        return Ok(false);
    }
    let exit = if answered && class(code) != Class::Unreachable { Exit::Refused } else { Exit::Unreachable };
    let reason = format!("topic {topic} cannot be created: {code} ({})", name(code));
    Err(Verdict::new(exit, with_hint(&reason, code)))
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

    #[test]
    fn new_topics() {
        assert_eq!("6:3".parse(), Ok(NewTopic { partitions: 6, replication: Some(3) }));
        assert_eq!("6".parse(), Ok(NewTopic { partitions: 6, replication: None }));
        for bad in ["", "0", "-1:1", "6:", "6:3:1", "six"] {
            assert!(bad.parse::<NewTopic>().is_err(), "{bad}");
        }
    }
}
