//! A Pushgateway that a suite's producers push to.

use std::time::Duration;

use anyhow::{Context, Result};
use testbed::http;
use testbed::ports::free_port;
use testbed::process::{Process, Program};

use super::START;
use crate::debian;

/// A running Pushgateway; dropped, it ends and forgets.
pub struct Pushgateway {
    address: String,
    _process: Process,
}

impl Pushgateway {
    /// Starts one on a free port.
    pub fn start() -> Result<Self> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let process = Program::new(debian::tool("prometheus-pushgateway")?)
            .arg(format!("--web.listen-address={address}"))
            .spawn()?;
        let ready = http::wait_for(address.as_str(), "/-/ready", START, |answer| answer.status == 200);
        ready.with_context(|| format!("the Pushgateway is not ready:\n{}", process.stderr()))?;
        Ok(Self { address, _process: process })
    }

    /// Where it listens, as `127.0.0.1:9091`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What `PRODUCER_PUSHGATEWAY` has to be.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All series, in the text format.
    pub fn metrics(&self) -> Result<String> {
        Ok(http::get(self.address.as_str(), "/metrics")?.body)
    }

    /// The sample lines of a metric, without those of other names.
    pub fn series(&self, name: &str) -> Result<Vec<String>> {
        let own = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        Ok(self.metrics()?.lines().filter(own).map(str::to_owned).collect())
    }

    /// Waits until a metric's sample lines are as wanted.
    pub fn wait_for(&self, name: &str, timeout: Duration, wanted: impl Fn(&[String]) -> bool) -> Result<Vec<String>> {
        http::wait_for(self.address.as_str(), "/metrics", timeout, |_| {
            self.series(name).is_ok_and(|lines| wanted(&lines))
        })?;
        self.series(name)
    }
}
