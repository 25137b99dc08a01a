//! A running consumer of records that any client may have written: its lines as they are, its health and its metrics.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;
use testbed::http::{self, Response};
use testbed::process::{Outcome, Process, Program, Signal};

use super::bench::ARRIVAL;

/// How long the end may take: more than the program's own drain deadline.
const END: Duration = Duration::from_secs(40);

/// A running consumer.
pub struct Watch {
    /// The process.
    pub process: Process,
    admin: String,
}

impl Watch {
    /// Starts it and waits for its admin server; it may not be ready yet.
    pub fn start(program: Program) -> Result<Self> {
        let process = program.spawn()?;
        let event = process.wait_for_stderr_event("admin_listening", ARRIVAL)?;
        let admin = event.get("address").and_then(Value::as_str).context("the event names no address")?.to_owned();
        Ok(Self { process, admin })
    }

    /// [`Watch::start`], and waits until it is ready.
    pub fn ready(program: Program) -> Result<Self> {
        let watch = Self::start(program)?;
        watch.wait_for_readiness(200, "", ARRIVAL)?;
        Ok(watch)
    }

    /// Where its admin server listens.
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// Waits until `/readyz` has this status and says this, and returns all it says.
    pub fn wait_for_readiness(&self, status: u16, text: &str, timeout: Duration) -> Result<String> {
        let wanted = |answer: &Response| answer.status == status && answer.body.contains(text);
        let answer = http::wait_for(self.admin.as_str(), "/readyz", timeout, wanted);
        Ok(answer.with_context(|| format!("wanted: {status} {text:?}; {}", self.log()))?.body)
    }

    /// The address of its admin server.
    pub fn address(&self) -> &str {
        &self.admin
    }

    /// What `/readyz` says now.
    pub fn readiness(&self) -> Result<Response> {
        http::get(self.admin.as_str(), "/readyz")
    }

    /// What `/metrics` says now.
    pub fn metrics(&self) -> Result<String> {
        Ok(http::get(self.admin.as_str(), "/metrics")?.body)
    }

    /// The value of a series, as `kafka_consumer_assigned_partitions`.
    pub fn metric(&self, series: &str) -> Result<Option<f64>> {
        Ok(sample(&self.metrics()?, series))
    }

    /// Waits until a series has a value that is `wanted`.
    pub fn wait_for_metric(&self, series: &str, timeout: Duration, wanted: impl Fn(f64) -> bool) -> Result<()> {
        let answer = http::wait_for(self.admin.as_str(), "/metrics", timeout, |answer| {
            sample(&answer.body, series).is_some_and(&wanted)
        });
        let last = || self.metric(series).ok().flatten();
        answer.map(drop).with_context(|| format!("{series} is {:?}; {}", last(), self.log()))
    }

    /// Waits until so many record lines were written.
    pub fn wait_for_lines(&self, count: usize, timeout: Duration) -> Result<()> {
        let mut seen = 0;
        let counted = self.process.wait_for_stdout(timeout, |_| {
            seen += 1;
            seen >= count
        });
        // The transcript would be all the lines.
        counted.map(drop).map_err(|_| {
            let lines = self.process.stdout().lines().count();
            anyhow!("{lines} of {count} records were logged within {timeout:?}; {}", self.log())
        })
    }

    /// Waits for a line of the log at this level that says all of these, and returns it.
    pub fn wait_for_log(&self, level: &str, words: &[&str], timeout: Duration) -> Result<Value> {
        let line = self.process.wait_for_stderr(timeout, |line| says(line, level, words));
        // The transcript has all record lines too.
        let line = line.map_err(|_| anyhow!("no {level} line says {words:?} within {timeout:?}; {}", self.log()))?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Waits for an event of the log.
    pub fn wait_for_event(&self, name: &str, timeout: Duration) -> Result<Value> {
        let event = self.process.wait_for_stderr_event(name, timeout);
        event.map_err(|_| anyhow!("no event {name:?} within {timeout:?}; {}", self.log()))
    }

    /// The values that were logged, in order.
    pub fn values(&self) -> Vec<String> {
        values(&self.process.stdout())
    }

    /// Sends a signal and waits for the end.
    pub fn stop(self, signal: Signal) -> Result<Outcome> {
        self.process.stop(signal, END)
    }

    /// Its own log, for an error.
    pub fn log(&self) -> String {
        format!("the consumer's log:\n{}", self.process.stderr())
    }
}

/// Whether a line of the log has this level and these words anywhere: fields count as well as the message.
pub fn says(line: &str, level: &str, words: &[&str]) -> bool {
    let Ok(event) = serde_json::from_str::<Value>(line) else { return false };
    event.get("level").and_then(Value::as_str) == Some(level) && words.iter().all(|word| line.contains(word))
}

/// The values of record lines, in order; a tombstone is empty.
pub fn values(stdout: &str) -> Vec<String> {
    let value = |line: &str| serde_json::from_str::<Value>(line).ok()?.get("value")?.as_str().map(str::to_owned);
    stdout.lines().map(|line| value(line).unwrap_or_default()).collect()
}

/// The report of a one-shot run that ended with this code; its message, which must hold all of these.
pub fn verdict(outcome: Outcome, code: i32, words: &[&str]) -> Result<String> {
    ended(&outcome, code)?;
    let report = outcome.events().into_iter().rfind(|event| event.get("event").is_some_and(|name| name == "report"));
    let report = report.with_context(|| format!("no report\n{}", outcome.stderr))?;
    ensure!(report.get("exit_code") == Some(&code.into()), "the report has another code: {report}");
    let message = report.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
    ensure!(
        words.iter().all(|word| message.contains(word)),
        "{words:?} are not all in {message:?}\n{}",
        outcome.stderr
    );
    Ok(message)
}

/// The last words of an endless run that ended with this code, which must hold all of these.
pub fn last_words(outcome: Outcome, code: i32, words: &[&str]) -> Result<String> {
    ended(&outcome, code)?;
    let is_error = |event: &Value| event.get("level").is_some_and(|level| level == "ERROR");
    let event =
        outcome.events().into_iter().rfind(is_error).with_context(|| format!("no last words\n{}", outcome.stderr))?;
    let message = event.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
    ensure!(
        words.iter().all(|word| message.contains(word)),
        "{words:?} are not all in {message:?}\n{}",
        outcome.stderr
    );
    Ok(message)
}

/// It ended with this code. The error has its log, and not each record.
fn ended(outcome: &Outcome, code: i32) -> Result<()> {
    let (status, lines) = (outcome.status, outcome.stdout.lines().count());
    let right = outcome.code() == Some(code);
    ensure!(right, "ended with {status} instead of code {code}, after {lines} records\n{}", outcome.stderr);
    Ok(())
}

fn sample(metrics: &str, series: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}
