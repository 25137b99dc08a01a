//! A Prometheus that scrapes what a suite tells it to.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use testbed::http;
use testbed::ports::free_port;
use testbed::process::{Process, Program};

use super::{START, encoded, json};
use crate::debian;

/// A running Prometheus; dropped, it ends and its data goes.
pub struct Prometheus {
    address: String,
    process: Process,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one with this configuration, which stores exemplars. Relative paths in it are those of `files`.
    pub fn start(configuration: &str, files: &Path) -> Result<Self> {
        let folder = TempDir::with_prefix("prometheus-")?;
        let file = folder.path().join("prometheus.yaml");
        fs::write(&file, configuration)?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let flag = |name: &str, value: &Path| format!("--{name}={}", value.display());
        let process = Program::new(debian::tool("prometheus")?)
            .arg(flag("config.file", &file))
            .arg(flag("storage.tsdb.path", &folder.path().join("data")))
            .arg(format!("--web.listen-address={address}"))
            .args(["--enable-feature=exemplar-storage", "--web.enable-lifecycle"])
            // What fires before Prometheus has found the Alertmanager is told again soon, and not after a minute.
            .arg("--rules.alert.resend-delay=5s")
            .current_dir(files)
            .spawn()?;
        let ready = http::wait_for(address.as_str(), "/-/ready", START, |answer| answer.status == 200);
        ready.with_context(|| format!("Prometheus is not ready:\n{}", process.stderr()))?;
        Ok(Self { address, process, _folder: folder })
    }

    /// Its own log, for an error.
    pub fn log(&self) -> String {
        format!("Prometheus' log:\n{}", self.process.stderr())
    }

    /// The series that an expression gives now: an entry each with `metric` and `value`.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>> {
        let answer = json(&self.address, &format!("/api/v1/query?query={}", encoded(expression)))?;
        ensure!(answer["status"] == "success", "Prometheus refuses {expression}: {answer}");
        let result = &answer["data"]["result"];
        // A number is no series, and is there always.
        Ok(if answer["data"]["resultType"] == "scalar" { vec![result.clone()] } else { entries(result) })
    }

    /// Asks until the answer is as wanted.
    pub fn wait_for(
        &self,
        expression: &str,
        timeout: Duration,
        wanted: impl Fn(&[Value]) -> bool,
    ) -> Result<Vec<Value>> {
        let deadline = Instant::now() + timeout;
        loop {
            let series = self.query(expression)?;
            if wanted(&series) {
                return Ok(series);
            }
            if Instant::now() >= deadline {
                bail!("{expression} is not as wanted within {timeout:?}; the last answer: {series:?}; {}", self.log());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The exemplars of the last five minutes: an entry each with `labels`, `value` and `timestamp`.
    pub fn exemplars(&self, selector: &str) -> Result<Vec<Value>> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        let (from, to) = (now.saturating_sub(300), now + 1);
        let path = format!("/api/v1/query_exemplars?query={}&start={from}&end={to}", encoded(selector));
        let answer = json(&self.address, &path)?;
        ensure!(answer["status"] == "success", "Prometheus refuses {selector}: {answer}");
        Ok(entries(&answer["data"]).iter().flat_map(|series| entries(&series["exemplars"])).collect())
    }

    /// The alerts that are pending or firing, as its API gives them.
    pub fn alerts(&self) -> Result<Vec<Value>> {
        Ok(entries(&json(&self.address, "/api/v1/alerts")?["data"]["alerts"]))
    }
}

fn entries(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}
