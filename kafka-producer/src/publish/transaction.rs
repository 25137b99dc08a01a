//! All or nothing: the transaction around a run.

use std::sync::Arc;
use std::time::Instant;

use common::kafka::error::code;
use common::kafka::topic;
use common::shutdown::Deadline;
use common::verdict::Verdict;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};

use super::beside::beside;
use super::{End, Ended, Publisher, SILENCE};
use crate::context::Context;

impl Publisher<'_> {
    pub(super) fn begin_transaction(&self, producer: &Arc<BaseProducer<Context>>) -> Result<(), Verdict> {
        let began = Instant::now();
        loop {
            self.health.progress();
            let asking = Arc::clone(producer);
            let stopped = || self.stop.requested(Instant::now());
            match beside(stopped, move || asking.init_transactions(topic::SLICE)) {
                None if self.stop.overdue(Instant::now()) => {
                    return Err(self.client.unreachable(&self.config.connection.bootstrap_servers));
                }
                None => return Err(self.stopped_early()),
                Some(Ok(())) => break,
                Some(Err(error)) => {
                    if let Some(failure) = self.refused() {
                        return Err(failure);
                    }
                    let timed_out = code(&error) == Some(RDKafkaErrorCode::OperationTimedOut);
                    if !is_retriable(&error) && !timed_out {
                        return Err(self.transaction_failure("begin", &error));
                    }
                    if self.stop.shutdown.requested().is_some() {
                        return Err(self.stopped_early());
                    }
                    if self.stop.overdue(Instant::now()) || began.elapsed() >= SILENCE {
                        return Err(self.client.unreachable(&self.config.connection.bootstrap_servers));
                    }
                }
            }
        }
        producer.begin_transaction().map_err(|error| self.transaction_failure("begin", &error))?;
        self.tally.begin_transaction();
        Ok(())
    }

    /// Commits when every message was acknowledged, else aborts: then nothing counts as delivered. A signal that came when all
    /// was acknowledged does not undo the work.
    pub(super) fn end_transaction(&self, producer: &BaseProducer<Context>, ended: &mut Ended, all_sent: bool) {
        let counts = self.tally.counts();
        if !all_sent || counts.delivered < counts.requested {
            return self.abort(producer, ended.deadline);
        }
        match self.commit(producer) {
            Ok(()) => self.tally.commit(),
            Err(failure) if matches!(ended.end, End::Signal) => ended.why = Some(failure),
            Err(failure) => ended.end = End::Failed(failure),
        }
    }

    fn commit(&self, producer: &BaseProducer<Context>) -> Result<(), Verdict> {
        let silence = Instant::now() + SILENCE;
        loop {
            let left = match self.stop.shutdown.requested() {
                Some(_) => self.stop.drain().left(),
                None => self.stop.deadline.unwrap_or(silence).saturating_duration_since(Instant::now()),
            };
            self.health.progress();
            match producer.commit_transaction(left.min(topic::SLICE)) {
                Ok(()) => return Ok(()),
                Err(error) if !is_retriable(&error) || left.is_zero() || self.stop.shutdown.at_once() => {
                    return Err(self.transaction_failure("commit", &error));
                }
                Err(_) => {}
            }
        }
    }

    /// Aborts within what is left of the drain's time. Beyond it the broker does so, when the transaction times out.
    fn abort(&self, producer: &BaseProducer<Context>, deadline: Deadline) {
        loop {
            let left = deadline.left();
            self.health.progress();
            match producer.abort_transaction(left.min(topic::SLICE)) {
                Ok(()) => return,
                Err(error) if !is_retriable(&error) || left.is_zero() || self.stop.shutdown.at_once() => {
                    tracing::warn!(
                        event = "abort_failed",
                        "the broker will abort the transaction at its timeout: {error}"
                    );
                    return;
                }
                Err(_) => {}
            }
        }
    }

    fn transaction_failure(&self, step: &str, error: &KafkaError) -> Verdict {
        let id = self.config.properties.get("transactional.id").unwrap_or_default();
        let code = code(error).unwrap_or(RDKafkaErrorCode::Unknown);
        let exit = common::kafka::error::class(code).exit();
        let reason = format!("transaction {id}: cannot {step}: {code}");
        Verdict::new(exit, common::kafka::error::with_hint(&reason, code))
    }
}

fn is_retriable(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(error) if error.is_retriable())
}
