//! What scenarios have in common: the servers, and the story of what the programs wrote, told once.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use testbed::ports::free_port;

use super::build::Built;
use super::node::Node;
use super::servers::{Collector, Jaeger, VictoriaLogs};
use super::story::Story;
use crate::e2e::bench::Bench as Kafka;
use crate::manifests::set::Set;
use crate::programs;

/// How long lines may take from a file into the database, on a machine that is busy too.
pub const ARRIVAL: Duration = Duration::from_secs(60);
/// The ConfigMap of the agent.
const AGENT: &str = "infra/logging/20-configmap.yaml";
/// The ConfigMap of the gateway.
const GATEWAY: &str = "infra/tracing/20-configmap.yaml";
/// The address of VictoriaLogs in a cluster.
const STORE: &str = "http://victorialogs.logging.svc.cluster.local:9428";

/// The built servers, a Kafka, and what runs already.
pub struct Bench {
    /// The programs, and brokers for them.
    pub kafka: Kafka,
    /// Where the servers are.
    pub built: Built,
    logs: Option<Logs>,
    traces: Option<Traces>,
}

/// The programs' lines on a node, its agent, and the database that has them.
pub struct Logs {
    /// What was written.
    pub story: Story,
    /// Where it is.
    pub store: VictoriaLogs,
    _agent: Agent,
}

/// A gateway and the store behind it.
pub struct Traces {
    /// Takes spans.
    pub gateway: Collector,
    /// Has them.
    pub store: Jaeger,
}

/// An agent's folders, which outlive it, and the database that it sends to.
pub struct Agent {
    /// Its node's log files.
    pub node: Node,
    state: TempDir,
    data: TempDir,
    address: String,
    running: Option<Collector>,
}

impl Bench {
    /// Builds what is missing; nothing runs yet.
    pub fn new() -> Result<Self> {
        Ok(Self { built: Built::get()?, kafka: Kafka::new(programs::build()?), logs: None, traces: None })
    }

    /// Ends everything; the next scenario begins anew.
    pub fn forget(&mut self) {
        (self.logs, self.traces) = (None, None);
        self.kafka.forget_clusters();
    }

    /// The story, told by the programs, carried by the agent, kept by the database.
    pub fn logs(&mut self) -> Result<&Logs> {
        if self.logs.is_none() {
            let mut agent = Agent::new()?;
            let store = agent.store(&self.built)?;
            let story = Story::tell(&mut self.kafka)?;
            story.write(&agent.node)?;
            agent.start(&self.built)?;
            store.wait_for("*", story.carried(), ARRIVAL).with_context(|| agent.log())?;
            self.logs = Some(Logs { story, store, _agent: agent });
        }
        self.logs.as_ref().context("the story has just been told")
    }

    /// The gateway and Jaeger.
    pub fn traces(&mut self) -> Result<&Traces> {
        if self.traces.is_none() {
            let store = Jaeger::start(&self.built.jaeger)?;
            let address = format!("http://{}", store.otlp);
            let replaced = [("http://trace-store.tracing.svc.cluster.local:4318", address.as_str())];
            self.traces =
                Some(Traces { gateway: Collector::start(&self.built.collector, GATEWAY, &replaced, &[])?, store });
        }
        self.traces.as_ref().context("the gateway has just been started")
    }
}

impl Agent {
    /// With empty folders, and not running.
    pub fn new() -> Result<Self> {
        let address = format!("127.0.0.1:{}", free_port()?);
        Ok(Self { node: Node::new()?, state: TempDir::new()?, data: TempDir::new()?, address, running: None })
    }

    /// Starts its database, with what that had before.
    pub fn store(&self, built: &Built) -> Result<VictoriaLogs> {
        VictoriaLogs::start(&built.victorialogs, self.data.path(), &self.address)
    }

    /// Starts it, with what it knew before.
    pub fn start(&mut self, built: &Built) -> Result<()> {
        let shown = |path: &Path| path.display().to_string();
        let (pods, state) = (shown(self.node.path()), shown(self.state.path()));
        let replaced = [("/var/log/pods", pods.as_str()), ("/var/lib/log-agent", state.as_str())];
        let set = Set::load(&programs::root())?;
        let endpoint = set.file("infra/logging/victorialogs/40-configmap-log-store.yaml")?.text("/data/LOG_STORE");
        let endpoint = endpoint.replace(STORE, &format!("http://{}", self.address));
        self.running = Some(Collector::start(&built.collector, AGENT, &replaced, &[("LOG_STORE", &endpoint)])?);
        Ok(())
    }

    /// Ends it as the kubelet does.
    pub fn stop(&mut self) -> Result<()> {
        self.running.take().context("the agent does not run")?.stop()
    }

    /// Waits until its database has refused something.
    pub fn wait_until_refused(&self, timeout: Duration) -> Result<()> {
        let running = self.running.as_ref().context("the agent does not run")?;
        running.wait_for_log("Exporting failed", timeout)
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.running.as_ref().map(|agent| format!("the agent's log:\n{}", agent.log())).unwrap_or_default()
    }
}
