//! Commits of what was flushed: at an interval, before a revocation and at the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::BaseConsumer;
use rdkafka::error::RDKafkaErrorCode;

use common::kafka::native;

use super::context::Context;
use super::partitions::Partitions;
use crate::metrics::LoopMetrics;
use crate::sink::Commit;

/// When commits are due, and how they went.
pub(crate) struct Commits {
    native: native::Commits<Context>,
    metrics: LoopMetrics,
    interval: Duration,
    last: Instant,
    /// Since when no commit has succeeded that was tried, and how the last one failed.
    failing: Option<(Instant, String)>,
    /// Answered, and not yet taken by [`Commits::take_answered`].
    answered: Option<Commit>,
}

impl Commits {
    pub fn new(consumer: Arc<BaseConsumer<Context>>, metrics: LoopMetrics, interval: Duration) -> Self {
        Self {
            native: native::Commits::new(consumer),
            metrics,
            interval,
            last: Instant::now(),
            failing: None,
            answered: None,
        }
    }

    /// Since when every commit has failed, and how the last one did.
    pub fn failing(&self, now: Instant) -> Option<(Duration, String)> {
        self.failing.as_ref().map(|(since, how)| (now.saturating_duration_since(*since), how.clone()))
    }

    /// The last commit that was answered, once.
    pub fn take_answered(&mut self) -> Option<Commit> {
        self.answered.take()
    }

    /// Commits when it is time to, and takes the answers that are there.
    pub fn tend(&mut self, partitions: &mut Partitions, now: Instant) {
        self.answers(partitions, now);
        if now.saturating_duration_since(self.last) >= self.interval {
            self.send(partitions, now);
        }
    }

    /// Commits what was written and waits for the answer. `false` when it was not committed by the deadline.
    pub fn commit_now(&mut self, partitions: &mut Partitions, deadline: Instant) -> bool {
        // One that is on its way first, as it may fail.
        self.answers(partitions, deadline);
        self.send(partitions, Instant::now());
        self.answers(partitions, deadline);
        !self.native.is_waiting() && !partitions.has_uncommitted()
    }

    fn send(&mut self, partitions: &mut Partitions, now: Instant) {
        self.last = now;
        if self.native.is_waiting() {
            return;
        }
        let sent = match partitions.take_uncommitted() {
            Ok(None) => return,
            Ok(Some(offsets)) => self.native.send(&offsets),
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
            self.count(Duration::ZERO, Err(code), partitions);
        }
    }

    fn answers(&mut self, partitions: &mut Partitions, deadline: Instant) {
        while let Some((took, result)) = self.native.answer(deadline) {
            self.note(took, result);
            self.count(took, result, partitions);
        }
    }

    fn note(&mut self, took: Duration, result: Result<(), RDKafkaErrorCode>) {
        let answered = Instant::now();
        let sent = answered.checked_sub(took).unwrap_or(answered);
        self.answered = Some(Commit { sent, answered, result });
    }

    fn count(&mut self, took: Duration, result: Result<(), RDKafkaErrorCode>, partitions: &mut Partitions) {
        self.metrics.commit_seconds.observe(took.as_secs_f64());
        match result {
            // Nothing was to be committed: no failure.
            Ok(()) | Err(RDKafkaErrorCode::NoOffset) => {
                self.metrics.commits.with_label_values(&["ok"]).inc();
                if self.failing.take().is_some() {
                    tracing::info!(event = "commits_succeed", "commits succeed again");
                }
            }
            Err(code) => {
                partitions.mark_uncommitted();
                self.metrics.commits.with_label_values(&["error"]).inc();
                let error = common::kafka::error::name(code);
                tracing::warn!(event = "commit_failed", error, "{}", consequence(code));
                let since = self.failing.as_ref().map_or_else(Instant::now, |(since, _)| *since);
                self.failing = Some((since, code.to_string()));
            }
        }
    }
}

/// What a failed commit means for the records. A member that keeps partitions over a rebalance commits them with its next
/// generation; one that has lost them commits them no more.
fn consequence(code: RDKafkaErrorCode) -> String {
    use RDKafkaErrorCode as Code;
    match code {
        Code::IllegalGeneration => format!(
            "offsets are not committed, as the group is rebalancing: the next commit includes those of the partitions that stay here, \
             the next member reads the records of the others again: {code}"
        ),
        Code::AssignmentLost | Code::UnknownMemberId | Code::FencedMemberEpoch => format!(
            "offsets are not committed, as the group has revoked the partitions: their records will be read again: {code}"
        ),
        _ => format!("offsets are not committed yet, the next commit includes them: {code}"),
    }
}
