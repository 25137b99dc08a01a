//! What can be said of a run at any moment, also when its work hangs.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use common::life;
use common::report::Report;
use common::verdict::Verdict;

use crate::config::Config;
use crate::metrics::ProducerMetrics;
use crate::report::{Outcome, Progress};
use crate::tally::Tally;

/// The counts of a run with what its report says beside them.
pub struct Account {
    run_id: String,
    topic: String,
    /// Messages of this process, where they are known beforehand.
    own: Option<u64>,
    transactional: bool,
    tally: Arc<Tally>,
    metrics: ProducerMetrics,
    started: Instant,
    /// Known when the work has ended by itself.
    ended: OnceLock<Progress>,
}

impl Account {
    /// A run that begins.
    pub fn new(config: &Config, tally: Arc<Tally>, metrics: ProducerMetrics) -> Self {
        Self {
            run_id: config.run_id.clone(),
            topic: config.topic.clone(),
            own: config.own_messages(),
            transactional: config.transactional,
            tally,
            metrics,
            started: Instant::now(),
            ended: OnceLock::new(),
        }
    }

    /// The work has ended by itself, having come so far.
    pub fn ended(&self, progress: Progress) {
        // It ends once.
        let _ = self.ended.set(progress);
    }

    fn progress(&self) -> Progress {
        self.ended.get().copied().unwrap_or_else(|| {
            if self.transactional {
                // Nothing of an unfinished transaction is delivered.
                self.tally.take_back();
            }
            let enqueued = self.metrics.enqueued.get();
            Progress { requested: self.own.unwrap_or(enqueued), enqueued, elapsed: self.started.elapsed() }
        })
    }
}

impl life::Account for Account {
    fn report(&self, verdict: &Verdict) -> Report {
        Outcome::new(&self.run_id, &self.topic, self.progress(), self.tally.counts()).report(verdict)
    }

    fn undone(&self) -> Option<String> {
        let (requested, delivered) = (self.progress().requested, self.tally.counts().delivered);
        // How many messages an input has is known at its end only.
        (self.own.is_none() || delivered < requested)
            .then(|| format!("{delivered} of {requested} messages acknowledged"))
    }
}
