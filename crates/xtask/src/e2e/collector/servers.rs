//! The servers as processes on loopback, with the configurations and flags of `infra/`: only addresses and folders are replaced.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use testbed::http;
use testbed::ports::free_port;
use testbed::process::{Process, Program, Signal};

use crate::manifests::set::{Set, list_at, text};
use crate::servers::encoded;

/// How long a start may take, and an end.
const SOON: Duration = Duration::from_secs(60);

/// A running Collector.
pub struct Collector {
    process: Process,
    /// Holds its configuration.
    _folder: TempDir,
    /// Where it takes OTLP, if it does.
    pub otlp: String,
}

impl Collector {
    /// Starts the one whose configuration is in this ConfigMap, with these texts of it replaced. Each must be there.
    pub fn start(program: &Path, map: &str, replaced: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Self> {
        let set = Set::load(&crate::programs::root())?;
        let mut configuration = set.file(map)?.text("/data/collector.yaml").to_owned();
        let loopback = |port: u16| format!("127.0.0.1:{port}");
        let (health, metrics, otlp) = (loopback(free_port()?), free_port()?, loopback(free_port()?));
        let port = format!("port: {metrics}");
        let own =
            [("0.0.0.0:13133", health.as_str()), ("host: 0.0.0.0", "host: 127.0.0.1"), ("port: 8888", port.as_str())];
        for (from, to) in own.iter().chain(replaced) {
            ensure!(configuration.contains(from), "{map} does not say {from:?} any more");
            configuration = configuration.replace(from, to);
        }
        // Only the gateway has one.
        configuration = configuration.replace("0.0.0.0:4318", &otlp);
        ensure!(
            !configuration.contains("0.0.0.0"),
            "{map} listens on an address that is not replaced:\n{configuration}"
        );
        let folder = TempDir::new()?;
        let path = folder.path().join("collector.yaml");
        fs::write(&path, configuration)?;
        let process = Program::new(program).arg("--config").arg(&path).envs(variables.iter().copied()).spawn()?;
        let collector = Self { process, _folder: folder, otlp };
        let answer = http::wait_for(health.as_str(), "/", SOON, |answer| answer.status == 200);
        answer.with_context(|| format!("the Collector's log:\n{}", collector.process.stderr()))?;
        Ok(collector)
    }

    /// Ends it as the kubelet does.
    pub fn stop(self) -> Result<()> {
        self.process.stop(Signal::TERM, SOON)?.expect_code(0).map(drop)
    }

    /// Waits for a line of its log that has this.
    pub fn wait_for_log(&self, part: &str, timeout: Duration) -> Result<()> {
        self.process.wait_for_stderr(timeout, |line| line.contains(part)).map(drop)
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.process.stderr()
    }
}

/// The arguments of the one container of a Deployment.
fn arguments(deployment: &str) -> Result<Vec<String>> {
    let set = Set::load(&crate::programs::root())?;
    let pod = set.file(deployment)?.pod().context("no pod")?;
    let container = pod.containers().next().context("no container")?;
    Ok(list_at(container, "/args").filter_map(Value::as_str).map(str::to_owned).collect())
}

/// A running VictoriaLogs.
pub struct VictoriaLogs {
    process: Process,
    /// Its address.
    pub address: String,
}

impl VictoriaLogs {
    /// Starts it with its data in a folder, at an address that it had before or that is free.
    pub fn start(program: &Path, data: &Path, address: &str) -> Result<Self> {
        let mut process = Program::new(program);
        for argument in arguments("infra/logging/victorialogs/41-deployment.yaml")? {
            let (name, value) = argument.split_once('=').context("a flag without a value")?;
            let data = data.display().to_string();
            process = process.arg(match name {
                "-storageDataPath" => format!("{name}={data}"),
                "-httpListenAddr" => format!("{name}={address}"),
                // Here the disk is whose machine it is, and may be full of other things.
                "-retention.maxDiskUsagePercent" => format!("{name}=100"),
                _ => format!("{name}={value}"),
            });
        }
        let process = process.spawn()?;
        let started = Self { process, address: address.to_owned() };
        let answer = http::wait_for(address, "/health", SOON, |answer| answer.status == 200);
        answer.with_context(|| format!("VictoriaLogs' log:\n{}", started.process.stderr()))?;
        Ok(started)
    }

    /// What it answers to a query: a JSON object a line.
    pub fn query(&self, query: &str) -> Result<Vec<Value>> {
        let path = format!("/select/logsql/query?query={}", encoded(query));
        let answer = http::get(self.address.as_str(), &path)?;
        ensure!(answer.status == 200, "{query}\n{}: {}", answer.status, answer.body);
        answer.body.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// How many lines it has.
    pub fn count(&self, query: &str) -> Result<u64> {
        let rows = self.query(&format!("{query} | stats count() as lines"))?;
        let lines = rows.first().map(|row| text(row, "/lines").parse());
        lines.transpose()?.context("no count")
    }

    /// Waits until it has so many lines; more are an error.
    pub fn wait_for(&self, query: &str, lines: u64, timeout: Duration) -> Result<()> {
        let path = format!("/select/logsql/query?query={}", encoded(&format!("{query} | stats count() as lines")));
        let wanted = format!("\"{lines}\"");
        let answer = http::wait_for(self.address.as_str(), &path, timeout, |answer| answer.body.contains(&wanted));
        answer.with_context(|| format!("{query}: not {lines} lines"))?;
        Ok(())
    }

    /// Ends it; what it has is on disk.
    pub fn stop(self) -> Result<()> {
        self.process.stop(Signal::INT, SOON)?;
        Ok(())
    }
}

/// A running Jaeger.
pub struct Jaeger {
    _process: Process,
    /// Where it takes OTLP.
    pub otlp: String,
    query: String,
}

impl Jaeger {
    /// Starts it, empty.
    pub fn start(program: &Path) -> Result<Self> {
        let address = || Ok::<_, anyhow::Error>(format!("127.0.0.1:{}", free_port()?));
        let (otlp, query, admin) = (address()?, address()?, address()?);
        let mut process =
            Program::new(program).env("SPAN_STORAGE_TYPE", "memory").env("OTEL_TRACES_SAMPLER", "always_off");
        for argument in arguments("infra/tracing/jaeger/40-deployment.yaml")? {
            process = process.arg(argument.replace("0.0.0.0:4318", &otlp).replace("0.0.0.0:16686", &query));
        }
        process = process.arg(format!("--admin.http.host-port={admin}"));
        // It opens these whether asked to or not.
        for name in ["collector.otlp.grpc", "collector.grpc-server", "collector.http-server", "query.grpc-server"] {
            process = process.arg(format!("--{name}.host-port={}", address()?));
        }
        let process = process.spawn()?;
        let answer = http::wait_for(admin.as_str(), "/", SOON, |answer| answer.status == 200);
        answer.with_context(|| format!("Jaeger's log:\n{}\n{}", process.stdout(), process.stderr()))?;
        Ok(Self { _process: process, otlp, query })
    }

    /// A trace, as its API tells it; `None` for one that it does not have.
    pub fn trace(&self, id: &str) -> Result<Option<Value>> {
        let answer = http::get(self.query.as_str(), &format!("/api/traces/{id}"))?;
        match answer.status {
            200 => Ok(serde_json::from_str::<Value>(&answer.body)?.pointer("/data/0").cloned()),
            404 => Ok(None),
            status => bail!("Jaeger answers {status}: {}", answer.body),
        }
    }
}
