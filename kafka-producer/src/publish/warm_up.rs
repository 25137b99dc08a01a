//! Before the first message: the topic is there, and connecting, metadata and the producer id are not timed as a delivery.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::kafka::context::SharedContext;
use common::kafka::topic::{self, Finding, Lookup};
use common::verdict::Verdict;
use rdkafka::producer::{BaseProducer, Producer};

use super::beside::beside;
use super::{NAP, Publisher, SILENCE};
use crate::config::Config;
use crate::context::Context;

/// How long the brokers may take to create a topic.
const CREATION: Duration = Duration::from_secs(30);

impl Publisher<'_> {
    /// Waits until the brokers know the topic, so that neither connecting nor metadata is timed as a delivery. The ends of its
    /// partitions, as far as their leaders have told them.
    pub(super) fn warm_up(&self, producer: &Arc<BaseProducer<Context>>) -> Result<BTreeMap<i32, i64>, Verdict> {
        let Config { topic: name, create_topic, properties, connection, partition, .. } = self.config;
        let mut create = *create_topic;
        let began = Instant::now();
        let mut lookup = Lookup::new([name.clone()]);
        let stopped = || self.stop.requested(Instant::now());
        loop {
            self.health.progress();
            let (asking, mut asked) = (Arc::clone(producer), lookup);
            let looked = beside(stopped, move || {
                let finding = asked.look(asking.client(), Duration::ZERO, topic::SLICE);
                (asked, finding)
            });
            let (again, finding) = looked.unwrap_or_else(|| (Lookup::new([name.clone()]), Finding::Nothing));
            lookup = again;
            // What an error event said is closer to the cause than the failed question.
            if let Some(failure) = self.client.refused() {
                return Err(failure);
            }
            let now = Instant::now();
            match finding {
                Finding::Found { partitions, .. } => {
                    self.client.reached();
                    if let Some(partition) = partition {
                        topic::check_partition(name, partitions, *partition)?;
                    }
                    // The first answer may come from a bootstrap connection that librdkafka then drops. An answer from a broker
                    // that stays makes it fetch its producer id at once; else it looks again after 500 ms, and the first
                    // messages wait for that.
                    let (asking, name) = (Arc::clone(producer), name.clone());
                    let _ = beside(stopped, move || topic::ask(asking.client(), &name));
                    return Ok(self.await_leaders(producer, partitions));
                }
                Finding::Refused(failure) => return Err(failure),
                Finding::Unknown(_) | Finding::Missing(_) if create.is_some() => {
                    self.client.reached();
                    let Some(layout) = create.take() else { continue };
                    let left = self.stop.deadline.map_or(CREATION, |deadline| deadline.saturating_duration_since(now));
                    let context = SharedContext::new(Arc::clone(&self.client), ());
                    let (properties, wanted) = (properties.clone(), name.clone());
                    let created = beside(stopped, move || {
                        topic::create(&properties, context, &wanted, layout, left.min(CREATION))
                    });
                    if let Some(created) = created {
                        created.map_err(|verdict| self.client.refused().unwrap_or(verdict))?;
                        tracing::info!(event = "topic_created", topic = name, "created the missing topic");
                        lookup = Lookup::new([name.clone()]);
                        continue;
                    }
                }
                Finding::Missing(_) => return Err(topic::missing(name, &connection.bootstrap_servers)),
                Finding::Unknown(_) => {
                    self.client.reached();
                    std::thread::sleep(NAP);
                }
                Finding::Nothing => {}
            }
            if self.stop.shutdown.requested().is_some() {
                return Err(self.stopped_early());
            }
            if self.stop.overdue(now) || now - began >= SILENCE {
                return Err(self.client.unreachable(&connection.bootstrap_servers));
            }
        }
    }
}
