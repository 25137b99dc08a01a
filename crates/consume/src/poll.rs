//! The driver: fill a batch, flush it, tend the group, look at signals, readiness and limits. Driven by time, not by records.

use std::sync::Arc;
use std::time::Instant;

use common::exit::Exit;
use common::health::Health;
use common::kafka::ClientState;
use common::shutdown::{Shutdown, Signal};
use common::verdict::Verdict;

use crate::group::Group;
use crate::limits::Limits;
use crate::metrics::LoopMetrics;
use crate::settings::Settings;
use crate::sink::Sink;
use crate::tally::Tally;

/// What the loop needs beside its settings.
pub struct Deps {
    /// Connections and refusals.
    pub client: Arc<ClientState>,
    /// What it measures.
    pub metrics: LoopMetrics,
    /// Told of progress and readiness.
    pub health: Health,
    /// Signals.
    pub shutdown: Shutdown,
    /// What was read.
    pub tally: Arc<Tally>,
}

/// Why the loop ended.
pub(crate) enum End {
    /// All that was asked for was read.
    Done,
    /// A signal.
    Signal(Signal),
    /// A certificate or key was replaced: the next member reads it.
    Outdated,
    /// Nobody wants any more records.
    Closed,
    /// It cannot go on.
    Failed(Verdict),
}

/// The loop with all it holds.
pub struct Poller<'a, S> {
    pub(crate) settings: &'a Settings,
    pub(crate) group: Group<'a>,
    pub(crate) sink: S,
    pub(crate) deps: Deps,
    pub(crate) limits: Limits,
    /// Records and bytes taken since the start, those included that wait to be flushed.
    pub(crate) taken: (u64, u64),
    /// Until when the sink wants to be left alone, and why.
    pub(crate) held: Option<(Instant, String)>,
    pub(crate) was_ready: bool,
    /// Whether the sink takes nothing more, so that what it holds is not to be flushed.
    pub(crate) is_broken: bool,
}

impl<'a, S: Sink> Poller<'a, S> {
    /// Makes the client and joins the group. Asks no broker yet.
    ///
    /// # Errors
    /// When librdkafka refuses the configuration.
    pub fn new(settings: &'a Settings, sink: S, deps: Deps) -> Result<Self, Verdict> {
        let group = Group::new(settings, Arc::clone(&deps.client), deps.metrics.clone())?;
        let Settings { max_records, exit_at_end, timeout, .. } = *settings;
        let limits = Limits { max_records, exit_at_end, timeout };
        Ok(Self { settings, group, sink, deps, limits, taken: (0, 0), held: None, was_ready: false, is_broken: false })
    }

    /// Polls until there is a reason to end, then flushes, commits and leaves the group.
    pub fn run(&mut self) -> Verdict {
        let end = match self.consume() {
            Ok(end) | Err(end) => end,
        };
        let nothing_new = matches!(end, End::Done) && self.taken.0 == 0 && self.group.is_read_up();
        let end = self.finish(end);
        match end {
            End::Done if nothing_new => Verdict::new(
                Exit::Ok,
                "0 records: the group's committed offsets are at the end; `--from earliest` reads again",
            ),
            End::Done | End::Outdated | End::Closed => Verdict::ok(),
            End::Signal(signal) if self.limits.is_one_shot() => {
                let share = self.limits.share(&self.deps.tally.counts());
                Verdict::new(signal.exit(), format!("{}: {share}", signal.name()))
            }
            End::Signal(_) => Verdict::ok(),
            End::Failed(verdict) => verdict,
        }
    }

    /// What is done with the records.
    pub fn sink(&self) -> &S {
        &self.sink
    }

    /// Tells the sink of a commit that was answered.
    pub(crate) fn tell_commit(&mut self) {
        if let Some(commit) = self.group.take_commit() {
            self.sink.committed(&commit);
        }
    }

    /// Tells the sink what became of partitions.
    fn tell_news(&mut self) {
        for news in self.group.take_news() {
            self.sink.told(&news);
        }
    }

    fn consume(&mut self) -> Result<End, End> {
        loop {
            // Records that were all passed over are no reason for a write, which would tell that nobody reads any more.
            let is_dry = self.fill()? || self.sink.is_empty();
            if !self.was_ready {
                // Before the first write: that may take as long as the reader likes.
                self.group.establish();
                self.watch(Instant::now(), false)?;
            }
            self.flush()?;
            let now = Instant::now();
            self.group.tend(now).map_err(End::Failed)?;
            self.tell_commit();
            self.tell_news();
            self.watch(now, is_dry)?;
            if let Some(end) = self.limit(now) {
                return Ok(end);
            }
        }
    }
}
