//! A pod's admin server on a port of this machine, by `kubectl port-forward`: through the kubelet, past every NetworkPolicy.

use std::time::Duration;

use anyhow::{Context, Result};
use testbed::http::{self, Response};
use testbed::process::Process;

use super::kubectl::Kubectl;

/// How long it may take until the port is open.
const OPEN: Duration = Duration::from_secs(30);

/// Open until dropped.
pub struct Forward {
    _process: Process,
    address: String,
}

impl Forward {
    /// To this port of this pod.
    pub fn open(kubectl: &Kubectl, namespace: &str, pod: &str, port: u16) -> Result<Self> {
        let ports = format!(":{port}");
        let process = kubectl.spawn(&[
            "port-forward",
            "-n",
            namespace,
            "--address",
            "127.0.0.1",
            &format!("pod/{pod}"),
            &ports,
        ])?;
        let line = process.wait_for_stdout(OPEN, |line| line.starts_with("Forwarding from "))?;
        let address = line.split_whitespace().nth(2).with_context(|| format!("no address in {line:?}"))?.to_owned();
        Ok(Self { _process: process, address })
    }

    /// Asks the admin server.
    pub fn get(&self, path: &str) -> Result<Response> {
        http::get(self.address.as_str(), path)
    }

    /// What `/metrics` says now.
    pub fn metrics(&self) -> Result<String> {
        Ok(self.get("/metrics")?.body)
    }
}
