//! Reads a topic until there is a verdict: once, or more often.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::exit::Exit;
use common::health::Health;
use common::kafka::ClientState;
use common::shutdown::Shutdown;
use common::verdict::Verdict;
use consume::{Deps, LoopMetrics, Poller, Settings, Tally};

use crate::plan::{Beginning, Plan};
use crate::report;
use crate::sink::AuditSink;
use crate::state::State;

/// Between two ways through a topic that lacks something.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest sleep, so that a signal is seen.
const NAP: Duration = Duration::from_millis(50);
/// With less time left no further way is begun: it might not come to its end.
const LEAST: Duration = Duration::from_secs(2);

/// An audit, ready to run.
pub struct Audit {
    /// What is looked for.
    pub plan: Arc<Plan>,
    /// What was read. Where it has read something already, the audit goes on from there.
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

impl Audit {
    /// Reads until there is a verdict, which goes to `finish`. Only when that returns does the client go, as that can hang.
    pub fn run(self, finish: impl FnOnce(Verdict)) {
        let began = Instant::now();
        let mut way = match self.plan.beginning() {
            Beginning::BeforeRun => Way::On,
            beginning => Way::From(beginning),
        };
        loop {
            let settings = self.settings(way, began);
            let by_time = matches!(way, Way::From(Beginning::Time(_))) && self.plan.from.is_none();
            let mut sink = AuditSink::new(&self.plan.run_id, &self.state, by_time);
            let deps = Deps {
                client: Arc::clone(&self.client),
                metrics: self.metrics.clone(),
                health: self.health.clone(),
                shutdown: self.shutdown.clone(),
                tally: Arc::new(Tally::new()),
            };
            let mut poller = match Poller::new(&settings, &mut sink, deps) {
                Ok(poller) => poller,
                Err(verdict) => return finish(verdict),
            };
            let verdict = poller.run();
            let is_append_time = poller.sink().is_append_time;
            match self.next(verdict, by_time, is_append_time, began) {
                Next::Way(next) => way = next,
                Next::End(verdict) => return finish(verdict),
            }
        }
    }

    fn settings(&self, way: Way, began: Instant) -> Settings {
        let mut settings = self.plan.run.clone();
        match way {
            Way::From(Beginning::Earliest) => {}
            Way::From(Beginning::Time(ms)) => settings.from = consume::Start::Time(ms),
            Way::On | Way::From(Beginning::BeforeRun) => settings.positions = self.state.positions(),
        }
        settings.timeout = self.left(began);
        settings
    }

    /// What is left of the audit's time.
    fn left(&self, began: Instant) -> Option<Duration> {
        self.plan.timeout.map(|timeout| timeout.saturating_sub(began.elapsed()))
    }

    fn next(&self, verdict: Verdict, by_time: bool, is_append_time: bool, began: Instant) -> Next {
        match verdict.exit {
            Exit::Ok if is_append_time => return self.start_over("the brokers put times of their own on records"),
            Exit::Ok => self.state.ended(None),
            Exit::Incomplete => self.state.ended(Some(verdict.reason().to_owned())),
            _ => return Next::End(verdict),
        }
        if verdict.exit == Exit::Ok && self.state.is_short(&self.plan) {
            if by_time {
                return self.start_over("something is not there, and may stand before the run's start by its own time");
            }
            if self.plan.wait && self.left(began).is_none_or(|left| left > LEAST) {
                return self.pause();
            }
        }
        Next::End(report::verdict(&self.plan, &self.state.summary(&self.plan)))
    }

    fn start_over(&self, why: &str) -> Next {
        tracing::info!(
            event = "audit_from_the_beginning",
            topic = self.plan.topic,
            "reading from the beginning: {why}"
        );
        self.state.start_over(self.plan.expected, Beginning::Earliest);
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
