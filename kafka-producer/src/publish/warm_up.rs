//! Before the first message: the topic is there, and connecting, metadata and the producer id are not timed as a delivery.

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::exit::Exit;
use common::kafka::context::SharedContext;
use common::kafka::topic::{self, Known};
use common::verdict::Verdict;
use rdkafka::producer::{BaseProducer, Producer};

use super::{NAP, Publisher, SILENCE};
use crate::config::Config;
use crate::context::Context;

/// How long the brokers may take to create a topic.
const CREATION: Duration = Duration::from_secs(30);

impl Publisher<'_> {
    /// Waits until the brokers know the topic, so that neither connecting nor metadata is timed as a delivery.
    pub(super) fn warm_up(&self, producer: &BaseProducer<Context>) -> Result<(), Verdict> {
        let Config { topic: name, create_topic, properties, connection, partition, .. } = self.config;
        let mut create = *create_topic;
        let began = Instant::now();
        let mut missing_since = None;
        loop {
            self.health.progress();
            let known = topic::ask(producer.client(), name);
            // What an error event said is closer to the cause than the failed question.
            if let Some(failure) = self.client.refused() {
                return Err(failure);
            }
            let now = Instant::now();
            match known {
                Known::Partitions(count) => {
                    self.client.reached();
                    return match partition {
                        Some(partition) if usize::try_from(*partition).is_ok_and(|partition| partition >= count) => {
                            Err(Verdict::new(
                                Exit::Refused,
                                format!(
                                    "topic {name} has {count} partitions, 0 to {}: there is no partition {partition}",
                                    count - 1
                                ),
                            ))
                        }
                        _ => {
                            // The first answer may come from a bootstrap connection that librdkafka then drops. An answer
                            // from a broker that stays makes it fetch its producer id at once; else it looks again
                            // after 500 ms, and the first messages wait for that.
                            topic::ask(producer.client(), name);
                            Ok(())
                        }
                    };
                }
                Known::Refused(failure) => return Err(failure),
                Known::Missing => {
                    self.client.reached();
                    if let Some(new) = create.take() {
                        let left =
                            self.stop.deadline.map_or(CREATION, |deadline| deadline.saturating_duration_since(now));
                        let context = SharedContext(Arc::clone(&self.client));
                        topic::create(properties, context, name, new, left.min(CREATION))
                            .map_err(|verdict| self.client.refused().unwrap_or(verdict))?;
                        tracing::info!(event = "topic_created", topic = name, "created the missing topic");
                        continue;
                    }
                    if now - *missing_since.get_or_insert(now) >= topic::GRACE {
                        return Err(topic::missing(name, &connection.bootstrap_servers));
                    }
                    std::thread::sleep(NAP);
                }
                Known::NoAnswer => {}
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
