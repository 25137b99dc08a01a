//! Reads a run while it is being published, from where the partitions ended before it: so that it is known how long each message
//! took from end to end, and that almost nothing is left to read when the last one is acknowledged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::exit::Exit;
use common::health::Health;
use common::kafka::ClientState;
use common::shutdown::{Shutdown, Signal};
use common::verdict::Verdict;
use consume::{Deps, LoopMetrics, Poller, Settings, Tally};

use crate::sink::AuditSink;
use crate::state::State;

/// Between two looks at whether it stands where it starts.
const LOOK: Duration = Duration::from_millis(5);

/// A thread that reads, until it is stopped.
pub struct Beside {
    thread: JoinHandle<()>,
    /// Its own: a signal to the process ends the publishing first.
    shutdown: Shutdown,
    health: Health,
    /// How it ended, if it did.
    ended: Arc<Mutex<Option<Verdict>>>,
}

impl Beside {
    /// Starts to read the run into `state`, each partition from its offset in `ends`.
    ///
    /// # Errors
    /// When there is no thread.
    pub fn start(
        run_id: &str,
        run: &Settings,
        ends: &BTreeMap<i32, i64>,
        state: &Arc<State>,
        client: Arc<ClientState>,
        metrics: LoopMetrics,
    ) -> Result<Self, Verdict> {
        for (partition, end) in ends {
            state.assigned(*partition, Some(*end), None, None);
        }
        let mut settings = run.clone();
        settings.positions = state.positions();
        // Until it is stopped.
        (settings.exit_at_end, settings.timeout) = (false, None);
        let (shutdown, ended) = (Shutdown::new(), Arc::new(Mutex::new(None)));
        let health = Health::new(Duration::from_secs(60), "the reader is starting");
        let deps =
            Deps { client, metrics, health: health.clone(), shutdown: shutdown.clone(), tally: Arc::new(Tally::new()) };
        let read = {
            let (run_id, state, ended) = (run_id.to_owned(), Arc::clone(state), Arc::clone(&ended));
            move || {
                let mut sink = AuditSink::new(&run_id, &state, false).timed();
                let verdict = match Poller::new(&settings, &mut sink, deps) {
                    Ok(mut poller) => poller.run(),
                    Err(verdict) => verdict,
                };
                *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
            }
        };
        let thread = std::thread::Builder::new().name("reader".to_owned()).spawn(read).map_err(|error| {
            Verdict::new(Exit::Incomplete, format!("the thread that reads the topic cannot start: {error}"))
        })?;
        Ok(Self { thread, shutdown, health, ended })
    }

    /// Waits until all partitions are read, so that no message waits for a start.
    ///
    /// # Errors
    /// It ended instead, or was not ready by the deadline, or `stopped` said so.
    pub fn wait_until_ready(&self, deadline: Option<Instant>, stopped: impl Fn() -> bool) -> Result<(), Verdict> {
        loop {
            if let Some(verdict) = self.ended() {
                return Err(verdict);
            }
            let reason = match self.health.readiness() {
                Ok(()) => return Ok(()),
                Err(reason) => reason,
            };
            if stopped() || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(Verdict::new(Exit::Incomplete, format!("the topic cannot be read yet: {reason}")));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// How it ended, if it did: it cannot read on.
    pub fn ended(&self) -> Option<Verdict> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops it. What it has read is in the state when this returns `true`; it is left behind when it does not end within `limit`.
    pub fn stop(self, limit: Duration) -> bool {
        self.shutdown.request(Signal::Terminate);
        let until = Instant::now() + limit;
        while !self.thread.is_finished() {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        let _ = self.thread.join();
        true
    }
}
