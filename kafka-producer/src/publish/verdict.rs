//! The verdict on a run: which of the reasons applies, and what explains it.

use std::time::Duration;

use common::exit::Exit;
use common::kafka::topic::{self, Known};
use common::shutdown::Signal;
use common::verdict::Verdict;
use rdkafka::producer::{BaseProducer, Producer};

use super::{End, Ended, Publisher, SILENCE};
use crate::context::Context;

/// How long the brokers may take to say what is wrong with the partitions.
const ANSWER: Duration = Duration::from_secs(1);

impl Publisher<'_> {
    /// The first that applies: wrong input, interrupted, refused, unreachable, incomplete. All acknowledged is well in any case.
    pub(super) fn verdict(&self, ended: Ended) -> Verdict {
        let Some(undone) = self.tally.close().undone() else { return Verdict::ok() };
        let Ended { end, why, .. } = ended;
        let refused = || self.refused().or_else(|| self.tally.refused_message());
        match end {
            End::Failed(failure) if failure.exit == Exit::Usage => failure,
            End::Signal => self.signalled(&with_why(undone, why.as_ref())),
            end => refused().unwrap_or_else(|| match end {
                End::Failed(failure) => failure,
                End::Silence => {
                    let silence = format!("{undone}, and none within the last {} s", SILENCE.as_secs());
                    Verdict::new(Exit::Unreachable, with_why(silence, why.as_ref()))
                }
                End::Deadline => {
                    let exit = why.as_ref().map_or(Exit::Incomplete, |why| why.exit);
                    Verdict::new(exit, with_why(format!("--timeout: {undone}"), why.as_ref()))
                }
                End::Done | End::Signal => Verdict::new(Exit::Incomplete, undone),
            }),
        }
    }

    /// The verdict on a run that nobody wants to begin any more.
    pub fn stopped_early(&self) -> Verdict {
        let undone = self.tally.close().undone().unwrap_or_default();
        match self.stop.shutdown.requested() {
            Some(_) => self.signalled(&undone),
            None => Verdict::new(Exit::Incomplete, format!("--timeout: {undone}")),
        }
    }

    pub(super) fn signalled(&self, undone: &str) -> Verdict {
        let signal = self.stop.shutdown.requested();
        let name = signal.map_or("a signal", Signal::name);
        Verdict::new(signal.map_or(Exit::Incomplete, Signal::exit), format!("{name}: {undone}"))
    }

    /// Why nothing is acknowledged, by the brokers' metadata: no broker can be reached, or a partition has no leader or too few
    /// replicas. Blocks for twice [`ANSWER`] at most.
    pub(super) fn why_not_acknowledged(&self, producer: &BaseProducer<Context>) -> Verdict {
        let (name, client) = (self.config.topic.as_str(), producer.client());
        let reason = match topic::ask_within(client, name, ANSWER) {
            Known::NoAnswer => return self.client.unreachable(&self.config.connection.bootstrap_servers),
            Known::Refused(failure) => return failure,
            Known::Missing => Some(format!("topic {name} does not exist any more")),
            Known::Partitions(_) => {
                topic::partitions(client, name, ANSWER).and_then(|partitions| topic::explain(name, &partitions))
            }
        };
        let reason = reason.unwrap_or_else(|| "the brokers answer, but did not acknowledge in time".to_owned());
        Verdict::new(Exit::Incomplete, reason)
    }
}

fn with_why(what: String, why: Option<&Verdict>) -> String {
    match why {
        Some(why) => format!("{what}; {}", why.reason()),
        None => what,
    }
}
