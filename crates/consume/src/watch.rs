//! Between batches: signals, refusals, readiness, and the limits of a one-shot run.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use common::exit::Exit;
use common::sandbox::{self, State};
use common::verdict::Verdict;

use crate::limits::{Progress, Reached};
use crate::poll::{End, Poller};
use crate::sink::Sink;

impl<S: Sink> Poller<'_, S> {
    /// Looks at signals and refusals, and says how the loop is.
    pub(crate) fn watch(&mut self, now: Instant, is_dry: bool) -> Result<(), End> {
        self.deps.health.progress();
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.deps.metrics.last_poll.set(since_1970.as_secs_f64());
        if let Some(signal) = self.deps.shutdown.requested() {
            return Err(End::Signal(signal));
        }
        if let Some(verdict) = self.deps.client.refused() {
            return Err(End::Failed(verdict));
        }
        if self.deps.client.is_outdated(now) {
            return Err(End::Outdated);
        }
        // A write tells by itself.
        if is_dry && self.sink.is_closed() {
            return Err(End::Closed);
        }
        let readiness = self.readiness(now);
        if readiness.is_ok() != self.was_ready {
            self.was_ready = readiness.is_ok();
            match &readiness {
                Ok(()) => self.say_ready(),
                Err(reason) => tracing::warn!(event = "not_ready", "{reason}"),
            }
        }
        match readiness {
            Ok(()) => self.deps.health.ready(),
            Err(reason) => self.deps.health.not_ready(&reason),
        }
        Ok(())
    }

    fn say_ready(&self) {
        let sandbox = sandbox::state();
        tracing::info!(
            event = "ready",
            assigned = self.group.partitions.len(),
            sandbox.abi = sandbox.map(|state| state.abi),
            sandbox.files = sandbox.map(|state| state.files),
            sandbox.bind = sandbox.map(|state| state.bind),
            sandbox.missing = sandbox.map(State::missing),
            "consuming"
        );
    }

    fn readiness(&self, now: Instant) -> Result<(), String> {
        let client = &self.deps.client;
        let mut facts = self.group.facts(now);
        facts.unreachable =
            (!client.has_contact()).then(|| client.unreachable(&self.settings.servers).reason().to_owned());
        facts.held = self.held.as_ref().map(|(_, why)| why.clone());
        facts.readiness()
    }

    /// The reason why a one-shot run ends now.
    pub(crate) fn limit(&self, now: Instant) -> Option<End> {
        if !self.limits.is_one_shot() {
            return None;
        }
        let counts = self.deps.tally.counts();
        let progress = Progress {
            records: counts.shown(),
            passed: counts.passed,
            elapsed: self.deps.tally.elapsed(),
            at_end: self.sink.is_empty() && self.group.is_at_end(),
            assigned: self.group.has_joined(),
            contact: self.deps.client.has_contact(),
        };
        if let Some(reached) = self.limits.reached(&progress) {
            return Some(match reached {
                Reached::Done => End::Done,
                Reached::Short(verdict) => End::Failed(verdict),
                Reached::Unreachable => End::Failed(self.deps.client.unreachable(&self.settings.servers)),
                Reached::Overdue => {
                    let share = self.limits.share(&counts);
                    let why = self.readiness(now).err().or_else(|| self.group.unended());
                    let why = why.map_or(String::new(), |why| format!(": {why}"));
                    End::Failed(Verdict::new(Exit::Incomplete, format!("--timeout passed: {share}{why}")))
                }
            });
        }
        self.group.nothing_to_read(now).map(End::Failed)
    }
}
