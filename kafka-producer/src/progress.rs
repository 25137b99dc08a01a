//! What a person sees meanwhile: a bar with rate and time left on a terminal, else a log line every few seconds.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::metrics::ProducerMetrics;
use crate::tally::Tally;

/// Between two looks at the counts.
const LOOK: Duration = Duration::from_millis(200);
/// Between two log lines.
const LINE: Duration = Duration::from_secs(5);

/// Shows progress until it is dropped.
pub struct Progress {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts to show progress towards `total`, if it is known.
    pub fn start(tally: Arc<Tally>, metrics: ProducerMetrics, total: Option<u64>) -> Self {
        let (end, ended) = channel::<()>();
        let show = move || {
            let bar = bar(total);
            let mut line = Instant::now();
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK) {
                let counts = tally.counts();
                let settled = counts.delivered + counts.failed + counts.unsent;
                let in_flight = metrics.enqueued.get().saturating_sub(settled);
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
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(show).ok();
        Self { end: Some(end), thread }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
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
