//! What can be said of a run at any moment, also when its work hangs.

use std::sync::Arc;

use common::kafka::promises::Guarantees;
use common::life;
use common::report::Report;
use common::verdict::Verdict;

use crate::config::Config;
use crate::ledger::Ledger;
use crate::report::Outcome;

/// The ledger of a run with what its report says beside the counts.
pub struct Account {
    run_id: String,
    topic: String,
    guarantees: Guarantees,
    ledger: Arc<Ledger>,
}

impl Account {
    /// The account of a run that begins.
    pub fn new(config: &Config, ledger: Arc<Ledger>) -> Self {
        let guarantees = Guarantees::of(&config.weakened);
        Self { run_id: config.run_id.clone(), topic: config.topic.clone(), guarantees, ledger }
    }
}

impl life::Account for Account {
    fn report(&self, verdict: &Verdict) -> Report {
        let outcome = Outcome::new(&self.run_id, &self.topic, self.ledger.close());
        outcome.with(&self.guarantees).report(verdict)
    }

    fn undone(&self) -> Option<String> {
        self.ledger.close().undone()
    }
}
