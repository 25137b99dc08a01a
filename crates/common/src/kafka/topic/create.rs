//! Creating a topic, when that was asked for.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{self, AdminClient, AdminOptions, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;

use crate::config::Properties;
use crate::exit::Exit;
use crate::kafka::context::SharedContext;
use crate::kafka::error::{class, hint, joined, name};
use crate::verdict::Verdict;

/// How a topic is to be created: `6:3` is six partitions of three replicas, `6` leaves the replicas to the broker.
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

/// Creates a topic, if it is not there yet. Blocks for `timeout` at most.
///
/// # Errors
/// What the broker said.
pub fn create(
    properties: &Properties,
    context: SharedContext,
    topic: &str,
    layout: NewTopic,
    timeout: Duration,
) -> Result<bool, Verdict> {
    let mut connection = Properties::new();
    let wanted = ["bootstrap.servers", "security.protocol", "client.id"];
    for (key, property) in properties.iter() {
        if wanted.contains(&key) || key.starts_with("sasl.") || key.starts_with("ssl.") {
            connection.fallback(key, &property.value);
        }
    }
    let client = Arc::clone(&context.client);
    let admin: AdminClient<SharedContext> = crate::kafka::create(&connection, context)?;
    // rdkafka serves the admin client's answers, and not its wish for a token.
    client.lend_token(admin.inner());
    let replication = TopicReplication::Fixed(layout.replication.unwrap_or(-1));
    let options = AdminOptions::new().request_timeout(Some(timeout)).operation_timeout(Some(timeout));
    let new_topic = [admin::NewTopic::new(topic, layout.partitions, replication)];
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
    let exit = if answered { class(code).exit() } else { Exit::Unreachable };
    let hint = match code {
        RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed => {
            "the user needs Create on the topic, or on the cluster"
        }
        code => hint(code),
    };
    let reason = format!("topic {topic} cannot be created: {code} ({})", name(code));
    Err(Verdict::new(exit, joined(&reason, hint)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts() {
        assert_eq!("6:3".parse(), Ok(NewTopic { partitions: 6, replication: Some(3) }));
        assert_eq!("6".parse(), Ok(NewTopic { partitions: 6, replication: None }));
        for bad in ["", "0", "-1:1", "6:", "6:3:1", "six"] {
            assert!(bad.parse::<NewTopic>().is_err(), "{bad}");
        }
    }
}
