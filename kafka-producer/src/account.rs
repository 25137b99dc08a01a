//! What can be said of a run at any moment, also when its work hangs.

use std::sync::{Arc, Mutex, PoisonError};

use common::exit::Exit;
use common::kafka::promises::Guarantees;
use common::life::{self, Farewell};
use common::report::Report;
use common::verdict::Verdict;

use crate::config::Config;
use crate::tally::{Counts, Tally};
use crate::pushed::RunPushes;
use crate::report::Outcome;

/// The tally of a run with what its report says beside the counts.
pub struct Account {
    run_id: String,
    topic: String,
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
        let (run_id, topic) = (config.run_id.clone(), config.topic.clone());
        Self { run_id, topic, guarantees, tally, pushes, reported: Mutex::default() }
    }
}

impl life::Account for Account {
    fn report(&self, verdict: &Verdict) -> Report {
        let counts = self.tally.close();
        *self.reported.lock().unwrap_or_else(PoisonError::into_inner) = Some(counts.clone());
        let outcome = Outcome::new(&self.run_id, &self.topic, counts);
        outcome.with(&self.guarantees).report(verdict)
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
