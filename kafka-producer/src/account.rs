//! What can be said of a run at any moment, also when its work hangs.

use std::sync::{Arc, Mutex, PoisonError};

use common::exit::Exit;
use common::kafka::promises::Guarantees;
use common::life::{self, Farewell};
use common::report::Report;
use common::text::epoch_us;
use common::verdict::Verdict;

use crate::config::Config;
use crate::pushed::RunPushes;
use crate::report::{Identity, Outcome};
use crate::tally::{Counts, Tally};

/// The tally of a run with what its report says beside the counts.
pub struct Account {
    identity: Identity,
    guarantees: Guarantees,
    tally: Arc<Tally>,
    pushes: Option<RunPushes>,
    /// What the report said: work that was left behind may go on counting.
    reported: Mutex<Option<Counts>>,
}

impl Account {
    /// The account of a run that begins.
    pub fn new(config: &Config, tally: Arc<Tally>, pushes: Option<RunPushes>) -> Self {
        let guarantees = Guarantees::of(&config.weakened);
        let identity = Identity {
            run_id: config.run_id.clone(),
            topic: config.topic.clone(),
            attempt: config.stamp.as_ref().map(|stamp| stamp.attempt().to_owned()),
            started: rfc3339(epoch_us() / 1000),
            share: config.share,
            messages: config.messages,
        };
        Self { identity, guarantees, tally, pushes, reported: Mutex::default() }
    }
}

impl Account {
    /// The outcome of the run if it ends now.
    pub fn outcome(&self) -> Outcome<'_> {
        let counts = self.tally.close();
        *self.reported.lock().unwrap_or_else(PoisonError::into_inner) = Some(counts.clone());
        Outcome::new(&self.identity, counts).with(&self.guarantees)
    }
}

impl life::Account for Account {
    fn report(&self, verdict: &Verdict) -> Report {
        self.outcome().report(verdict)
    }

    fn undone(&self) -> Option<String> {
        self.tally.close().undone()
    }

    fn farewell(&self, exit: Exit) -> Option<Farewell> {
        let pushes = self.pushes.as_ref()?;
        let reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner).take();
        let counts = reported.unwrap_or_else(|| self.tally.close());
        Some(pushes.finish(&counts, exit))
    }
}

/// A time in milliseconds since 1970, for people.
fn rfc3339(milliseconds: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    format!("{time:.3}")
}
