//! What a person sees meanwhile: a bar with rate and time left on a terminal, else a log line every few seconds.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use common::kafka::backlog::Backlog;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::metrics::ProducerMetrics;
use crate::tally::Tally;

/// Between two looks at the counts.
const LOOK: Duration = Duration::from_millis(200);
/// So many looks without a backlog, 5 s, are the end of one.
const CALM: u32 = 25;
/// How long the end of the bar is waited for: the terminal may take nothing more.
const LAST: Duration = Duration::from_millis(500);
/// Between two log lines.
const LINE: Duration = Duration::from_secs(5);

/// Shows progress until it is dropped.
pub struct Progress {
    end: Option<Sender<()>>,
    /// Never sent to, only closed.
    ended: Receiver<()>,
}

impl Progress {
    /// Starts to show progress towards `total`, if it is known.
    pub fn start(tally: Arc<Tally>, metrics: ProducerMetrics, total: Option<u64>) -> Self {
        let (end, over) = channel::<()>();
        let (alive, ended) = channel::<()>();
        let show = move || {
            let _alive = alive;
            let bar = bar(total);
            let mut line = Instant::now();
            let mut backlog = Backlog::new(CALM);
            while let Err(RecvTimeoutError::Timeout) = over.recv_timeout(LOOK) {
                let counts = tally.counts();
                let in_flight = counts.in_flight;
                backlog.look(in_flight);
                metrics.in_flight.set(i64::try_from(in_flight).unwrap_or(i64::MAX));
                if let Some(bar) = &bar {
                    bar.set_position(counts.delivered);
                } else if line.elapsed() >= LINE {
                    line = Instant::now();
                    let (delivered, failed) = (counts.delivered, counts.failed);
                    tracing::info!(event = "progress", delivered, failed, in_flight, total, "publishing");
                }
            }
            metrics.in_flight.set(0);
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
        };
        // Without it nothing is shown, which is no reason not to publish.
        let _ = std::thread::Builder::new().name("progress".to_owned()).spawn(show);
        Self { end: Some(end), ended }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.end.take());
        let _ = self.ended.recv_timeout(LAST);
    }
}

fn bar(total: Option<u64>) -> Option<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    let template = match total {
        Some(_) => "{bar:40} {pos}/{len} delivered, {per_sec}, {eta} left",
        None => "{spinner} {pos} delivered, {per_sec}, {elapsed}",
    };
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    Some(bar)
}
