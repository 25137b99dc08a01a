//! A run that is watched: whichever way it ends, it takes leave.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::admin::Routes;
use crate::health::Health;
use crate::life::{Account, Farewell};
use crate::report::Report;

/// Notes which exit code it took leave with, and whether it was reported on.
#[derive(Default)]
struct Noted {
    code: Arc<AtomicU8>,
    reported: Mutex<bool>,
}

impl Account for Noted {
    fn report(&self, verdict: &Verdict) -> Report {
        *self.reported.lock().unwrap() = true;
        Report::new("report", &std::collections::BTreeMap::<String, u64>::new(), Vec::new(), verdict)
    }

    fn undone(&self) -> Option<String> {
        Some("1 of 2 done".to_owned())
    }

    fn farewell(&self, exit: Exit) -> Option<Farewell> {
        let code = Arc::clone(&self.code);
        Some(Box::pin(async move { code.store(exit.code(), Ordering::Relaxed) }))
    }
}

/// A run that is watched, with this event or none: the exit code it took leave with, and whether it was reported.
async fn watched(event: Option<Event>, deadline: Option<Instant>) -> (Exit, u8, bool) {
    let (events, received) = unbounded_channel();
    if let Some(event) = event {
        events.send(event).unwrap();
    }
    let account = Arc::new(Noted::default());
    let surroundings = Surroundings {
        admin: None,
        routes: Routes::default(),
        tracer: None,
        health: Health::new(Duration::from_secs(60), "starting"),
        drain_timeout: Duration::from_secs(1),
        endless: false,
        termination_log: "/nowhere/termination-log".into(),
        outlet: Outlet::TerminationLog,
        account: Some(Arc::<Noted>::clone(&account)),
    };
    let shutdown = Shutdown::new();
    if deadline.is_some() {
        shutdown.request(Signal::Terminate);
    }
    let signals = Signals::listen().unwrap();
    let (lines, surroundings) = (Lines::new(), Some(surroundings));
    let watch = Watch { signals, shutdown, lines, events: received, settings: None, surroundings, deadline };
    // A work that hangs keeps its end; one that has ended does not.
    let hangs = deadline.is_some().then_some(events);
    let exit = watch.watch().await;
    drop(hangs);
    let reported = *account.reported.lock().unwrap();
    (exit, account.code.load(Ordering::Relaxed), reported)
}

#[tokio::test]
async fn a_run_takes_leave_however_it_ends() {
    let (shown, _wait) = std::sync::mpsc::channel();
    let verdict = Event::Verdict(Verdict::new(Exit::Refused, "no"), shown);
    assert_eq!(watched(Some(verdict), None).await, (Exit::Refused, 4, true));
    assert_eq!(watched(Some(Event::Ended(Exit::Usage)), None).await, (Exit::Usage, 2, false));
    assert_eq!(watched(None, None).await, (Exit::Incomplete, 1, true), "a panic");
    let (exit, code, reported) = watched(None, Some(Instant::now())).await;
    assert_eq!((exit.code(), code, reported), (143, 143, true), "left behind at the drain deadline");
}
