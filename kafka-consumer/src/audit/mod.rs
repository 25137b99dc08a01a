//! `kafka-consumer audit`: reads a topic from end to end, outside of any group, and says whether a run lost, repeated, reordered
//! or damaged anything.
//!
//! The data flow: `args::audit` (as typed) → `config` with `reports` (checked) → the loop (`consume`) → `sink` → `state` (the `ledger`
//! crate) → `report` → exit code.
//!
//! The topic is read once, or more often: again from its beginning where a start by time may have passed something over, and on
//! from where it ended while a message is missing that is waited for.

mod config;
mod report;
mod reports;
mod sink;
mod state;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::exit::Exit;
use common::health::Health;
use common::kafka::ClientState;
use common::life::Finish;
use common::shutdown::Shutdown;
use common::verdict::Verdict;
use consume::{Deps, LoopMetrics, Poller, Settings, Tally};

pub use config::{Beginning, Config, STALL_LIMIT};
pub use report::Account;
pub use state::State;

use sink::AuditSink;

/// Between two ways through a topic that lacks something.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest sleep, so that a signal is seen.
const NAP: Duration = Duration::from_millis(50);
/// With less time left no further way is begun: it might not come to its end.
const LEAST: Duration = Duration::from_secs(2);

/// What the work's thread takes with it.
pub struct Work {
    /// What is looked for.
    pub config: Arc<Config>,
    /// What was read.
    pub state: Arc<State>,
    /// Connections and refusals.
    pub client: Arc<ClientState>,
    /// Of the loop.
    pub metrics: LoopMetrics,
    /// Told of progress.
    pub health: Health,
    /// Signals.
    pub shutdown: Shutdown,
}

/// One way through the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// From here to the end.
    From(Beginning),
    /// From where the last one ended.
    On,
}

/// What follows on a way.
enum Next {
    Way(Way),
    End(Verdict),
}

impl Work {
    /// Reads until there is a verdict.
    pub fn run(self, finish: Finish) {
        let began = Instant::now();
        let mut way = Way::From(self.config.from.unwrap_or_else(|| self.config.default_from()));
        loop {
            let settings = self.settings(way, began);
            let by_time = matches!(way, Way::From(Beginning::Time(_))) && self.config.from.is_none();
            let mut sink = AuditSink::new(&self.config.run_id, &self.state, by_time);
            let deps = Deps {
                client: Arc::clone(&self.client),
                metrics: self.metrics.clone(),
                health: self.health.clone(),
                shutdown: self.shutdown.clone(),
                tally: Arc::new(Tally::new()),
            };
            let mut poller = match Poller::new(&settings, &mut sink, deps) {
                Ok(poller) => poller,
                Err(verdict) => return finish.with(verdict),
            };
            let verdict = poller.run();
            let is_append_time = poller.sink().is_append_time;
            match self.next(verdict, by_time, is_append_time, began) {
                Next::Way(next) => way = next,
                // Only when the verdict was handed over does the client go, as that can hang.
                Next::End(verdict) => return finish.with(verdict),
            }
        }
    }

    fn settings(&self, way: Way, began: Instant) -> Settings {
        let mut settings = self.config.run.clone();
        match way {
            Way::From(Beginning::Earliest) => {}
            Way::From(Beginning::Time(ms)) => settings.from = consume::Start::Time(ms),
            Way::On => settings.positions = self.state.positions(),
        }
        settings.timeout = self.left(began);
        settings
    }

    /// What is left of the audit's time.
    fn left(&self, began: Instant) -> Option<Duration> {
        self.config.timeout.map(|timeout| timeout.saturating_sub(began.elapsed()))
    }

    fn next(&self, verdict: Verdict, by_time: bool, is_append_time: bool, began: Instant) -> Next {
        match verdict.exit {
            Exit::Ok if is_append_time => return self.start_over("the brokers put times of their own on records"),
            Exit::Ok => self.state.ended(None),
            Exit::Incomplete => self.state.ended(Some(verdict.reason().to_owned())),
            _ => return Next::End(verdict),
        }
        if verdict.exit == Exit::Ok && self.state.is_short(&self.config) {
            if by_time {
                return self.start_over("something is not there, and may stand before the run's start by its own time");
            }
            if self.config.wait && self.left(began).is_none_or(|left| left > LEAST) {
                return self.pause();
            }
        }
        Next::End(report::verdict(&self.config, &self.state.summary(&self.config)))
    }

    fn start_over(&self, why: &str) -> Next {
        tracing::info!(
            event = "audit_from_the_beginning",
            topic = self.config.topic,
            "reading from the beginning: {why}"
        );
        self.state.start_over(self.config.expected, Beginning::Earliest);
        Next::Way(Way::From(Beginning::Earliest))
    }

    /// Gives what is missing some time to come.
    fn pause(&self) -> Next {
        let until = Instant::now() + PAUSE;
        while Instant::now() < until {
            if let Some(signal) = self.shutdown.requested() {
                return Next::End(Verdict::new(
                    signal.exit(),
                    format!("{}: something is still missing", signal.name()),
                ));
            }
            self.health.progress();
            thread::sleep(NAP);
        }
        Next::Way(Way::On)
    }
}
