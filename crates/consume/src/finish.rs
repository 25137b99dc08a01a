//! The end: flush, commit, and leave the group so that its other members take over at once.

use std::time::Instant;

use common::exit::Exit;
use common::verdict::Verdict;

use crate::poll::{End, Poller};
use crate::sink::Sink;

impl<S: Sink> Poller<'_, S> {
    /// Flushes and commits what there is, and leaves the group within the drain deadline.
    pub(crate) fn finish(&mut self, mut end: End) -> End {
        let limit = self.settings.drain_timeout;
        let deadline = self.deps.shutdown.drain(limit);
        self.deps.health.drain();
        if !self.is_broken
            && let Err(broken) = self.flush()
        {
            end = broken;
        }
        // The other half is for leaving the group.
        let is_committed = self.group.commit_now(Instant::now() + deadline.left() / 2);
        self.tell_commit();
        let has_left = self.group.leave(deadline.instant(), || self.deps.health.progress());
        match end {
            End::Done | End::Signal(_) | End::Outdated if !is_committed => End::Failed(Verdict::new(
                Exit::Incomplete,
                "the last offsets could not be committed: their records will be read again",
            )),
            End::Done | End::Signal(_) | End::Outdated if !has_left => End::Failed(Verdict::new(
                Exit::Incomplete,
                "could not leave the group in time: its other members wait for the session timeout",
            )),
            end => end,
        }
    }
}
