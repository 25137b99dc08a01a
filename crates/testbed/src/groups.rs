//! What the brokers say of consumer groups, asked by a client that joins none.

use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::Offset;

/// More than a broker takes to answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A group at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its state, such as `Stable`.
    pub state: String,
    /// Its members: the id that each was given when it joined, and its assignment as it was sent.
    pub members: Vec<(String, Vec<u8>)>,
}

/// The names of all groups.
pub fn names(config: &ClientConfig) -> Result<Vec<String>> {
    let client: BaseConsumer = config.create()?;
    let groups = client.fetch_group_list(None, TIMEOUT).context("no broker names its groups")?;
    let mut names: Vec<String> = groups.groups().iter().map(|group| group.name().to_owned()).collect();
    names.sort();
    Ok(names)
}

/// A classic group as its coordinator describes it.
pub fn describe(config: &ClientConfig, name: &str) -> Result<Group> {
    let client: BaseConsumer = config.create()?;
    let groups = client.fetch_group_list(Some(name), TIMEOUT).with_context(|| format!("no answer about {name}"))?;
    let group = groups.groups().first().with_context(|| format!("there is no group {name}"))?;
    let member = |member: &rdkafka::groups::GroupMemberInfo| {
        (member.id().to_owned(), member.assignment().unwrap_or_default().to_vec())
    };
    let mut members: Vec<_> = group.members().iter().map(member).collect();
    members.sort();
    Ok(Group { state: group.state().to_owned(), members })
}

/// What a group has committed of the first partitions of a topic; negative where it has nothing.
pub fn committed(config: &ClientConfig, name: &str, topic: &str, partitions: i32) -> Result<Vec<i64>> {
    let client: BaseConsumer = config.clone().set("group.id", name).create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, partitions - 1);
    let answer = client.committed_offsets(list, TIMEOUT).with_context(|| format!("no answer about {name}"))?;
    let offset = |partition: i32| match answer.find_partition(topic, partition).map(|found| found.offset()) {
        Some(Offset::Offset(offset)) => offset,
        _ => -1,
    };
    Ok((0..partitions).map(offset).collect())
}
