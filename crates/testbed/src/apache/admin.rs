//! Topics and what the metadata says about them, by the brokers' listener without security.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication, TopicResult};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::metadata::{Metadata, MetadataPartition};

use super::cluster::Cluster;
use crate::records::client_config;

/// How long one request to the cluster may take.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct Admin {
    pub(super) client: AdminClient<DefaultClientContext>,
}

impl Admin {
    /// A client that finds brokers again quickly: some of them come and go.
    pub(super) fn new(ports: &[u16]) -> Result<Self> {
        let servers: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let mut config = client_config(&servers.join(","));
        config.set("reconnect.backoff.ms", "50").set("reconnect.backoff.max.ms", "500");
        config.set_log_level(RDKafkaLogLevel::Critical);
        Ok(Self { client: config.create()? })
    }

    pub(super) fn wait_for_brokers(&self, ids: &[i32], timeout: Duration) -> Result<()> {
        self.wait(timeout, &format!("brokers {ids:?} are in the metadata"), |metadata| {
            let known = |id: &i32| metadata.brokers().iter().any(|broker| broker.id() == *id);
            ids.iter().all(known).then_some(())
        })
    }

    pub(super) fn wait_for_full_isr(&self, timeout: Duration) -> Result<()> {
        self.wait(timeout, "all replicas are in sync", |metadata| {
            let mut partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
            partitions.all(|partition| partition.isr().len() == partition.replicas().len()).then_some(())
        })
    }

    /// Asks for the metadata until it gives a value.
    fn wait<T>(&self, timeout: Duration, what: &str, found: impl Fn(&Metadata) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + timeout;
        loop {
            // All topics: to ask for one by name could create it.
            let metadata = self.client.inner().fetch_metadata(None, Duration::from_secs(1));
            if let Some(value) = metadata.as_ref().ok().and_then(&found) {
                return Ok(value);
            }
            if Instant::now() > deadline {
                return match metadata {
                    Ok(_) => bail!("not within {timeout:?}: {what}"),
                    Err(error) => Err(error).with_context(|| format!("not within {timeout:?}: {what}")),
                };
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Cluster {
    /// Creates a topic, and waits until all its partitions have a leader.
    pub fn create_topic(&self, name: &str, partitions: i32, replication: i32, config: &[(&str, &str)]) -> Result<()> {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replication));
        let topic = config.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
        done(block_on(self.admin.client.create_topics(&[topic], &options())))?;
        self.wait_for_partitions(name, partitions)
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

/// Waits for the admin client's answer on this thread. A runtime only for that would refuse to start inside a test's own.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut TaskContext::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
