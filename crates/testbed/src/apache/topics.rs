//! Topics of a cluster that runs: created, grown, deleted, and who leads them.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rdkafka::admin::{AdminOptions, NewPartitions, NewTopic, TopicReplication, TopicResult};
use rdkafka::metadata::{Metadata, MetadataPartition};

use super::admin::block_on;
use super::cluster::Cluster;

/// How long one request to the cluster may take.
const TIMEOUT: Duration = Duration::from_secs(30);

impl Cluster {
    /// Creates a topic, and waits until all its partitions have a leader.
    pub fn create_topic(&self, name: &str, partitions: i32, replication: i32, config: &[(&str, &str)]) -> Result<()> {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replication));
        let topic = config.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
        done(block_on(self.admin.client.create_topics(&[topic], &options())))?;
        self.wait_for_partitions(name, partitions)
    }

    /// Creates a topic whose partitions have these replicas, the first of each the preferred leader.
    pub fn create_topic_on(&self, name: &str, replicas: &[&[i32]], config: &[(&str, &str)]) -> Result<()> {
        let topic = NewTopic::new(name, i32::try_from(replicas.len())?, TopicReplication::Variable(replicas));
        let topic = config.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
        done(block_on(self.admin.client.create_topics(&[topic], &options())))?;
        self.wait_for_partitions(name, i32::try_from(replicas.len())?)
    }

    /// Gives a topic more partitions: `partitions` in all.
    pub fn grow_topic(&self, name: &str, partitions: i32) -> Result<()> {
        let wanted = NewPartitions::new(name, usize::try_from(partitions)?);
        done(block_on(self.admin.client.create_partitions(&[wanted], &options())))?;
        self.wait_for_partitions(name, partitions)
    }

    /// Deletes a topic.
    pub fn delete_topic(&self, name: &str) -> Result<()> {
        done(block_on(self.admin.client.delete_topics(&[name], &options())))
    }

    /// The broker that leads a partition now, waited for while there is none.
    pub fn leader_of(&self, topic: &str, partition: i32) -> Result<i32> {
        self.wait_for_leader(topic, partition, TIMEOUT, |_| true)
    }

    /// Waits until a broker that is `wanted` leads a partition: another one than before, say.
    pub fn wait_for_leader(
        &self,
        topic: &str,
        partition: i32,
        timeout: Duration,
        wanted: impl Fn(i32) -> bool,
    ) -> Result<i32> {
        self.admin.wait(timeout, &format!("{topic}[{partition}] has the leader that was waited for"), |metadata| {
            let partition = partitions(metadata, topic).find(|found| found.id() == partition)?;
            Some(partition.leader()).filter(|leader| *leader > 0 && wanted(*leader))
        })
    }

    fn wait_for_partitions(&self, topic: &str, count: i32) -> Result<()> {
        self.admin.wait(TIMEOUT, &format!("all {count} partitions of {topic} have leaders"), |metadata| {
            let led = partitions(metadata, topic).filter(|partition| partition.leader() > 0).count();
            (i32::try_from(led) == Ok(count)).then_some(())
        })
    }
}

fn partitions<'a>(metadata: &'a Metadata, topic: &str) -> impl Iterator<Item = &'a MetadataPartition> {
    metadata.topics().iter().find(|found| found.name() == topic).into_iter().flat_map(|found| found.partitions())
}

pub(super) fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT))
}

fn done(results: rdkafka::error::KafkaResult<Vec<TopicResult>>) -> Result<()> {
    for result in results.context("the admin request failed")? {
        if let Err((topic, code)) = result {
            bail!("{topic}: {code}");
        }
    }
    Ok(())
}
