//! All or nothing: the transaction around a run.

use std::time::Instant;

use common::kafka::error::code;
use common::kafka::topic;
use common::verdict::Verdict;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer};

use super::{End, Publisher, SILENCE};
use crate::context::Context;

impl Publisher<'_> {
    pub(super) fn begin_transaction(&self, producer: &BaseProducer<Context>) -> Result<(), Verdict> {
        loop {
            match producer.init_transactions(topic::SLICE) {
                Ok(()) => break,
                Err(error) => {
                    self.health.progress();
                    if let Some(failure) = self.refused() {
                        return Err(failure);
                    }
                    let retriable =
                        matches!(&error, rdkafka::error::KafkaError::Transaction(error) if error.is_retriable());
                    let timed_out = code(&error) == Some(RDKafkaErrorCode::OperationTimedOut);
                    if !retriable && !timed_out {
                        return Err(self.transaction_failure("begin", &error));
                    }
                    if let Some(signal) = self.stop.shutdown.requested() {
                        return Err(Verdict::new(signal.exit(), format!("{} before the first message", signal.name())));
                    }
                    if self.stop.overdue(Instant::now()) {
                        return Err(self.client.unreachable(&self.config.connection.bootstrap_servers));
                    }
                }
            }
        }
        producer.begin_transaction().map_err(|error| self.transaction_failure("begin", &error))
    }

    /// Commits when every message was acknowledged, else aborts: then nothing counts as delivered.
    pub(super) fn end_transaction(&self, producer: &BaseProducer<Context>, end: End) -> End {
        let counts = self.tally.counts();
        let all = matches!(end, End::Done) && counts.failed + counts.unsent == 0;
        let limit = self.stop.deadline.map_or(SILENCE, |deadline| deadline.saturating_duration_since(Instant::now()));
        let began = Instant::now();
        if all {
            loop {
                match producer.commit_transaction(topic::SLICE) {
                    Ok(()) => return end,
                    Err(error) => {
                        let retriable =
                            matches!(&error, rdkafka::error::KafkaError::Transaction(error) if error.is_retriable());
                        if !retriable || began.elapsed() >= limit || self.stop.shutdown.at_once() {
                            self.tally.take_back();
                            return End::Failed(self.transaction_failure("commit", &error));
                        }
                    }
                }
            }
        }
        self.tally.take_back();
        if let Err(error) = producer.abort_transaction(self.config.drain_timeout) {
            tracing::warn!(event = "abort_failed", "the transaction is left to the broker's timeout: {error}");
        }
        end
    }

    fn transaction_failure(&self, step: &str, error: &rdkafka::error::KafkaError) -> Verdict {
        let id = self.config.properties.get("transactional.id").unwrap_or_default();
        let code = code(error).unwrap_or(RDKafkaErrorCode::Unknown);
        let exit = common::kafka::error::class(code).exit();
        let reason = format!("transaction {id}: cannot {step}: {code}");
        Verdict::new(exit, common::kafka::error::with_hint(&reason, code))
    }
}
