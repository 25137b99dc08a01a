//! The main thread: it watches the work, the signals and the deadline, and says how the run ended.

use std::process::ExitCode;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::confine::Settled;
use super::signals::Signals;
use super::surroundings::Surroundings;
use super::{Event, Program, prepare};
use crate::admin;
use crate::exit::Exit;
use crate::logging::Lines;
use crate::outlet;
use crate::report::Outlet;
use crate::shutdown::{Shutdown, Signal};
use crate::telemetry::LAST_FLUSH;
use crate::verdict::Verdict;

/// How long the start may go on after a signal, and the work after a second one.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long the work may take beyond the drain deadline to hand over its own verdict, which knows more than one made here.
const MARGIN: Duration = Duration::from_secs(1);
/// How long stdout may take to take the report.
const REPORT: Duration = Duration::from_secs(5);
/// How long the clients may take to go when all is said.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long one of the last log lines, and all of them, may take.
const LINE: Duration = Duration::from_secs(1);
const LINES: Duration = Duration::from_secs(5);

/// The whole life of the process.
pub fn main<P: Program>() -> ExitCode {
    let lines = Lines::new();
    let exit = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let listening = {
                let _context = runtime.enter();
                Signals::listen()
            };
            let exit = runtime.block_on(live::<P>(listening, &lines));
            // Not waited for: a task that hangs must not hold the process.
            runtime.shutdown_background();
            exit
        }
        Err(error) => cannot("the runtime cannot start", &error, &lines),
    };
    lines.flush(LINE, LINES);
    exit.into()
}

async fn live<P: Program>(signals: std::io::Result<Signals>, lines: &Lines) -> Exit {
    let signals = match signals {
        Ok(signals) => signals,
        Err(error) => return cannot("signal handlers cannot be installed", &error, lines),
    };
    let shutdown = Shutdown::new();
    let (events, received) = unbounded_channel();
    let settings = {
        let (lines, shutdown) = (lines.clone(), shutdown.clone());
        move || prepare::settings::<P>(events, &lines, &shutdown)
    };
    // Not waited for before it says that it ends: it is left behind when it hangs.
    let settings = match std::thread::Builder::new().name("settings".to_owned()).spawn(settings) {
        Ok(settings) => settings,
        Err(error) => return cannot("the settings cannot be read", &error, lines),
    };
    let (lines, settings) = (lines.clone(), Some(settings));
    Watch { signals, shutdown, lines, events: received, settings, surroundings: None, deadline: None }.watch().await
}

/// A lack of memory, threads or descriptors, before there is a log.
fn cannot(what: &str, error: &std::io::Error, lines: &Lines) -> Exit {
    lines.push(format!("error: {what}: {error}\n").as_bytes());
    Exit::Incomplete
}

struct Watch {
    signals: Signals,
    shutdown: Shutdown,
    lines: Lines,
    events: UnboundedReceiver<Event>,
    /// The thread that reads the settings.
    settings: Option<JoinHandle<()>>,
    /// Known when the work starts.
    surroundings: Option<Surroundings>,
    /// When the work is left behind.
    deadline: Option<Instant>,
}

impl Watch {
    async fn watch(mut self) -> Exit {
        loop {
            let deadline = self.deadline;
            let deadline = async move {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                signal = self.signals.next() => self.signal(signal),
                event = self.events.recv() => match event {
                    Some(Event::Settled(settled)) => {
                        if let Err(exit) = self.settled(*settled) {
                            return exit;
                        }
                    }
                    Some(Event::Ready(surroundings)) => self.ready(*surroundings),
                    Some(Event::Verdict(verdict, shown)) => {
                        self.show(&verdict).await;
                        drop(shown);
                        let (last, farewell) = (self.last_spans(), self.farewell(verdict.exit));
                        tokio::join!(last, farewell, goodbye(&mut self.events));
                        return verdict.exit;
                    }
                    Some(Event::Ended(exit)) => {
                        self.farewell(exit).await;
                        return exit;
                    }
                    None => {
                        let verdict = Verdict::new(Exit::Incomplete, "the work ended by a panic: please report it");
                        self.show(&verdict).await;
                        tokio::join!(self.last_spans(), self.farewell(verdict.exit));
                        return verdict.exit;
                    }
                },
                () = deadline => {
                    let verdict = self.left_behind();
                    self.show(&verdict).await;
                    tokio::join!(self.last_spans(), self.farewell(verdict.exit));
                    return verdict.exit;
                }
            }
        }
    }

    /// The settings are read: the process confines itself and starts the work. What is wrong has been said when this fails.
    fn settled(&mut self, settled: Settled) -> Result<(), Exit> {
        if let Some(settings) = self.settings.take() {
            // It has said its last word. That it panicked behind it changes nothing.
            let _ = settings.join();
        }
        // After a signal the log has its thread already; then nothing is left to do but to say so.
        let is_ending = self.deadline.is_some();
        let result = settled.go_on(&self.lines, is_ending);
        result.unwrap_or_else(|error| Err(cannot("the work cannot start", &error, &self.lines)))
    }

    fn signal(&mut self, signal: Signal) {
        // Those who wait for the settings hear of the signal now. Nothing but the end comes after it.
        self.lines.release();
        self.shutdown.request(signal);
        let limit = match &self.surroundings {
            Some(surroundings) if !self.shutdown.at_once() => {
                surroundings.health.drain();
                surroundings.drain_timeout
            }
            _ => LAST_WORDS,
        };
        tracing::info!(event = "signal", signal = signal.name(), "draining, for at most {limit:?}");
        self.deadline = Some(if self.shutdown.at_once() {
            Instant::now() + LAST_WORDS
        } else {
            self.shutdown.drain(limit + MARGIN).instant()
        });
    }

    /// The work starts; a signal may have come before it.
    fn ready(&mut self, mut surroundings: Surroundings) {
        if let Some((listener, admin)) = surroundings.admin.take() {
            admin::start(listener, admin, std::mem::take(&mut surroundings.routes));
        }
        if self.deadline.is_some() {
            surroundings.health.drain();
            self.deadline = Some(self.shutdown.drain(surroundings.drain_timeout + MARGIN).instant());
        }
        self.surroundings = Some(surroundings);
    }

    /// The verdict on work that did not end in time.
    fn left_behind(&self) -> Verdict {
        // There is a deadline only after a signal.
        let signal = self.shutdown.requested().unwrap_or(Signal::Terminate);
        let name = signal.name();
        let Some(surroundings) = &self.surroundings else {
            return Verdict::new(signal.exit(), format!("{name}: the start did not end within {LAST_WORDS:?}"));
        };
        let Some(undone) = surroundings.account.as_ref().map_or(Some(String::new()), |account| account.undone()) else {
            return Verdict::ok();
        };
        let undone = if undone.is_empty() { name.to_owned() } else { format!("{name}: {undone}") };
        if self.shutdown.at_once() {
            return Verdict::new(signal.exit(), format!("{undone}; a second signal ended the drain"));
        }
        let limit = surroundings.drain_timeout;
        tracing::error!(event = "drain_missed", "the work did not end within {limit:?} after {name}");
        let exit = if surroundings.endless { Exit::Incomplete } else { signal.exit() };
        Verdict::new(exit, format!("{undone}; the work did not end within {limit:?}"))
    }

    /// Says how the run ended: first where nothing can stall, then on stdout, then on stderr.
    async fn show(&self, verdict: &Verdict) {
        let surroundings = self.surroundings.as_ref();
        let report = surroundings.and_then(|surroundings| {
            let report = surroundings.account.as_ref()?.report(verdict);
            report.leave(&surroundings.termination_log);
            Some((report, surroundings.outlet))
        });
        if let Some((report, Outlet::Stdout { table })) = &report {
            let text = if *table { report.table().to_owned() } else { format!("{}\n", report.json()) };
            if let Err(error) = outlet::print_within(text, REPORT).await {
                tracing::error!(
                    event = "report_unwritten",
                    report = report.json(),
                    "stdout cannot take the report: {error}"
                );
            }
        }
        let (exit, message) = (verdict.exit, verdict.reason());
        if exit != Exit::Ok {
            tracing::error!(event = "failed", outcome = exit.outcome(), exit_code = exit.code(), "{message}");
        } else if matches!(report, Some((_, Outlet::TerminationLog))) {
            tracing::info!(event = "stopped", exit_code = exit.code(), "stopped");
        }
        if let Some((report, Outlet::Stderr)) = &report {
            self.lines.push_always(format!("{}\n", report.json()).as_bytes());
        }
    }

    /// Tells others how the run ended. After the report, which it must not delay.
    fn farewell(&self, exit: Exit) -> impl Future<Output = ()> + use<> {
        let account = self.surroundings.as_ref().and_then(|surroundings| surroundings.account.as_ref());
        let farewell = account.and_then(|account| account.farewell(exit));
        async move {
            if let Some(farewell) = farewell {
                farewell.await;
            }
        }
    }

    /// Sends the last spans, on a thread that is left behind when it hangs. At the end of the drain there is no time left for it.
    fn last_spans(&self) -> impl Future<Output = ()> + use<> {
        let tracer = self.surroundings.as_ref().and_then(|surroundings| surroundings.tracer.clone());
        let now = Instant::now();
        let left = self.deadline.map_or(LAST_FLUSH, |deadline| deadline.saturating_duration_since(now));
        let limit = left.min(LAST_FLUSH);
        async move {
            let Some(tracer) = tracer else { return };
            let (done, flushed) = tokio::sync::oneshot::channel();
            let flush = {
                let tracer = tracer.clone();
                move || {
                    tracer.flush(limit);
                    // The other end is gone when the time is over.
                    let _ = done.send(());
                }
            };
            let is_started = std::thread::Builder::new().name("last-spans".to_owned()).spawn(flush).is_ok();
            if !is_started || tokio::time::timeout(limit, flushed).await.is_err() {
                tracer.close();
            }
        }
    }
}

/// Waits until the clients are gone, which may hang: nothing is lost by then.
async fn goodbye(events: &mut UnboundedReceiver<Event>) {
    let gone = async { while events.recv().await.is_some() {} };
    if tokio::time::timeout(GOODBYE, gone).await.is_err() {
        tracing::debug!(event = "left_behind", "the client did not close within {GOODBYE:?}");
    }
}

#[cfg(test)]
mod tests;
