//! How tasks look: bold and coloured on a terminal, plain everywhere else.

use std::env;
use std::io::{IsTerminal, stderr, stdout};
use std::time::{Duration, Instant};

pub use common::text::grouped;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between two lines of progress where there is no terminal.
const LINE: Duration = Duration::from_secs(5);

/// How a piece of text stands out.
#[derive(Clone, Copy)]
pub enum Style {
    /// Headings and numbers that matter.
    Bold,
    /// What is there for whoever looks closely.
    Dim,
    /// It is well.
    Good,
    /// It is not.
    Bad,
}

/// The text for stdout, styled where that is a terminal (and `NO_COLOR` is not set).
pub fn paint(style: Style, text: &str) -> String {
    if !stdout().is_terminal() || env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        return text.to_owned();
    }
    let code = match style {
        Style::Bold => "1",
        Style::Dim => "2",
        Style::Good => "1;32",
        Style::Bad => "1;31",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// One step of a task on stderr: a spinner while it lasts, then a line with its time.
pub struct Step {
    what: String,
    began: Instant,
    spinner: Option<ProgressBar>,
}

impl Step {
    /// Says what begins.
    pub fn begin(what: impl Into<String>) -> Self {
        let what = what.into();
        let spinner = stderr().is_terminal().then(|| {
            let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            spinner.set_style(style("{spinner} {msg} ({elapsed})"));
            spinner.set_message(what.clone());
            spinner.enable_steady_tick(Duration::from_millis(100));
            spinner
        });
        Self { what, began: Instant::now(), spinner }
    }

    /// Says how long it took.
    pub fn end(self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
        eprintln!("{}: {:.1} s", self.what, self.began.elapsed().as_secs_f64());
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}

/// Messages received so far, of how many.
pub struct Progress {
    total: u64,
    bar: Option<ProgressBar>,
    line: Instant,
}

impl Progress {
    /// At zero.
    pub fn begin(total: u64) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            bar.set_style(style("{bar:40} {human_pos}/{human_len} received, {per_sec}, {eta} left"));
            bar
        });
        Self { total, bar, line: Instant::now() }
    }

    /// Shows how many there are now.
    pub fn set(&mut self, received: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(received);
        } else if self.line.elapsed() >= LINE {
            self.line = Instant::now();
            eprintln!("received {} of {}", grouped(received), grouped(self.total));
        }
    }

    /// Prints a line on stdout, above the bar.
    pub fn println(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| println!("{line}")),
            None => println!("{line}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn digits_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
