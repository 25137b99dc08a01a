//! The driver: fill a batch, flush it, tend the group, look at signals, readiness and limits. Driven by time, not by records.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::exit::Exit;
use common::health::Health;
use common::kafka::ClientState;
use common::kafka::native::{Polled, TopicPartition};
use common::shutdown::{Shutdown, Signal};
use common::verdict::Verdict;

use crate::group::{Event, Group};
use crate::ledger::Ledger;
use crate::limits::{Limits, Progress, Reached};
use crate::metrics::LoopMetrics;
use crate::settings::Settings;
use crate::sink::{Fault, Record, Sink, Stop};

/// The longest time between two looks at signals and clocks.
const SLICE: Duration = Duration::from_millis(100);
/// Records between two looks at the clock while a batch is filled.
const CLOCK_EVERY: u32 = 64;

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
    pub ledger: Arc<Ledger>,
}

/// Why the loop ended.
pub(crate) enum End {
    /// All that was asked for was read.
    Done,
    /// A signal.
    Signal(Signal),
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
    limits: Limits,
    /// Records and bytes taken since the start, those included that wait to be flushed.
    taken: (u64, u64),
    /// Until when the sink wants to be left alone, and why.
    held: Option<(Instant, String)>,
    was_ready: bool,
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
        let end = self.finish(end);
        match end {
            End::Done | End::Closed => Verdict::ok(),
            End::Signal(signal) if self.limits.is_one_shot() => {
                let share = self.limits.share(self.deps.ledger.counts().records);
                Verdict::new(signal.exit(), format!("{}: {share}", signal.name()))
            }
            End::Signal(_) => Verdict::ok(),
            End::Failed(verdict) => verdict,
        }
    }

    fn consume(&mut self) -> Result<End, End> {
        loop {
            let is_dry = self.fill()?;
            if !self.was_ready {
                // Before the first write: that may take as long as the reader likes.
                self.group.establish();
                self.watch(Instant::now(), false)?;
            }
            self.flush()?;
            let now = Instant::now();
            self.group.tend(now).map_err(End::Failed)?;
            self.watch(now, is_dry)?;
            if let Some(end) = self.limit(now) {
                return Ok(end);
            }
        }
    }

    /// Takes records until the sink is full, the queue is dry, a limit is reached or the slice of time is over. `true` when
    /// nothing came.
    fn fill(&mut self) -> Result<bool, End> {
        let began = Instant::now();
        let limit = self.limits.max_records.unwrap_or(u64::MAX);
        let (mut looks, mut is_dry) = (0_u32, true);
        self.release_hold(began);
        while !self.group.has_changes() && !self.sink.is_full() && self.taken.0 < limit {
            // With records in the sink only what is already here is taken: a record of a trickle is flushed at once.
            let waits = self.sink.is_empty() || self.held.is_some();
            let wait = if waits { SLICE.saturating_sub(began.elapsed()) } else { Duration::ZERO };
            let event = match self.group.queue.poll(wait) {
                Polled::Record(message) => {
                    let record = Record::of(&message);
                    let place = (record.topic, record.partition, record.offset);
                    let fault = match (&self.held, self.group.partitions.admit(place.0, place.1, place.2)) {
                        (_, None) => None,
                        (Some(_), Some(_)) => Some(Fault::Retry(Duration::ZERO, String::new())),
                        (None, Some(slot)) => match self.sink.record(&record) {
                            Ok(()) | Err(Fault::Skip(_)) => {
                                let size = record.size();
                                self.group.partitions.accept(slot, place.2, size);
                                self.taken = (self.taken.0 + 1, self.taken.1 + size as u64);
                                is_dry = false;
                                None
                            }
                            Err(fault) => Some(fault),
                        },
                    };
                    fault.map(|fault| (fault, TopicPartition::new(place.0, place.1), place.2)).map(Taken::Refused)
                }
                Polled::Empty => break,
                other => Event::of(other).map(Taken::Event),
            };
            match event {
                None => {}
                Some(Taken::Event(event)) => self.group.note(event).map_err(End::Failed)?,
                Some(Taken::Refused((Fault::Stop(stop), ..))) => return Err(stopped(stop)),
                Some(Taken::Refused((Fault::Retry(after, why), place, offset))) => {
                    self.group.rewind(&place, offset).map_err(End::Failed)?;
                    self.hold(after, why);
                }
                Some(Taken::Refused((Fault::Skip(_), ..))) => {}
            }
            looks += 1;
            if (is_dry || looks.is_multiple_of(CLOCK_EVERY)) && began.elapsed() >= SLICE {
                break;
            }
        }
        Ok(is_dry)
    }

    /// The sink wants to be left alone for a while: its partitions stand still, the group is tended.
    fn hold(&mut self, after: Duration, why: String) {
        if self.held.is_none() {
            tracing::warn!(event = "held", "the records are offered again in {after:?}: {why}");
            self.held = Some((Instant::now() + after, why));
        }
    }

    /// Lets the partitions go on when the time is over.
    fn release_hold(&mut self, now: Instant) {
        if self.held.as_ref().is_some_and(|(until, _)| now >= *until) {
            self.held = None;
            self.group.resume();
        }
    }

    /// Flushes what the sink holds, then marks it as written: in this order, so that no record is passed over.
    pub(crate) fn flush(&mut self) -> Result<(), End> {
        if self.sink.is_empty() {
            self.group.partitions.mark_written();
            return Ok(());
        }
        let must = self.group.has_changes() || self.deps.shutdown.requested().is_some();
        if self.held.is_some() && !must {
            return Ok(());
        }
        match self.sink.flush() {
            Ok(()) => {
                self.group.partitions.mark_written();
                self.deps.ledger.flushed(self.taken.0, self.taken.1);
                Ok(())
            }
            Err(Fault::Skip(why)) => {
                tracing::error!(event = "batch_skipped", "{why}");
                self.group.partitions.mark_written();
                Ok(())
            }
            Err(Fault::Retry(after, why)) if !must => {
                self.group.pause().map_err(End::Failed)?;
                self.hold(after, why);
                Ok(())
            }
            Err(Fault::Retry(_, why)) => {
                tracing::warn!(
                    event = "batch_given_up",
                    "its partitions are revoked, other members read it again: {why}"
                );
                self.sink.discard();
                let counts = self.deps.ledger.counts();
                self.taken = (counts.records, counts.bytes);
                self.group.roll_back().map_err(End::Failed)
            }
            Err(Fault::Stop(stop)) => {
                self.is_broken = true;
                Err(stopped(stop))
            }
        }
    }

    /// Looks at signals and refusals, and says how the loop is.
    fn watch(&mut self, now: Instant, is_dry: bool) -> Result<(), End> {
        self.deps.health.progress();
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.deps.metrics.last_poll.set(since_1970.as_secs_f64());
        if let Some(signal) = self.deps.shutdown.requested() {
            return Err(End::Signal(signal));
        }
        if let Some(verdict) = self.deps.client.refused() {
            return Err(End::Failed(verdict));
        }
        // A write tells by itself.
        if is_dry && self.sink.is_closed() {
            return Err(End::Closed);
        }
        let readiness = self.readiness(now);
        if readiness.is_ok() != self.was_ready {
            self.was_ready = readiness.is_ok();
            match &readiness {
                Ok(()) => tracing::info!(event = "ready", assigned = self.group.partitions.len(), "consuming"),
                Err(reason) => tracing::warn!(event = "not_ready", "{reason}"),
            }
        }
        match readiness {
            Ok(()) => self.deps.health.ready(),
            Err(reason) => self.deps.health.not_ready(&reason),
        }
        Ok(())
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
    fn limit(&self, now: Instant) -> Option<End> {
        if !self.limits.is_one_shot() {
            return None;
        }
        let progress = Progress {
            records: self.deps.ledger.counts().records,
            elapsed: self.deps.ledger.elapsed(),
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
                    let share = self.limits.share(progress.records);
                    let why = self.readiness(now).err().or_else(|| self.group.unended());
                    let why = why.map_or(String::new(), |why| format!(": {why}"));
                    End::Failed(Verdict::new(Exit::Incomplete, format!("--timeout passed: {share}{why}")))
                }
            });
        }
        self.group.nothing_to_read(now).map(End::Failed)
    }
}

/// What came from the queue and is not simply done with.
enum Taken {
    Event(Event),
    Refused((Fault, TopicPartition, i64)),
}

pub(crate) fn stopped(stop: Stop) -> End {
    match stop {
        Stop::Closed => End::Closed,
        Stop::Failed(verdict) => End::Failed(verdict),
    }
}
