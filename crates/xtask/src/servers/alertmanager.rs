//! An Alertmanager that a suite's Prometheus sends its alerts to.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;
use testbed::http;
use testbed::ports::free_port;
use testbed::process::{Process, Program};

use super::{START, json};
use crate::debian;

/// A running Alertmanager; dropped, it ends and forgets.
pub struct Alertmanager {
    address: String,
    process: Process,
    _folder: TempDir,
}

impl Alertmanager {
    /// Starts one with this configuration.
    ///
    /// # Errors
    /// When it can't be had or does not start.
    pub fn start(configuration: &str) -> Result<Self> {
        let folder = TempDir::with_prefix("alertmanager-")?;
        let file = folder.path().join("alertmanager.yaml");
        fs::write(&file, configuration)?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let process = program(&debian::tool("prometheus-alertmanager")?)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            // Alone: it looks for no others.
            .arg("--cluster.listen-address=")
            .spawn()?;
        let ready = http::wait_for(address.as_str(), "/-/ready", START, |answer| answer.status == 200);
        ready.with_context(|| format!("Alertmanager is not ready:\n{}", process.stderr()))?;
        Ok(Self { address, process, _folder: folder })
    }

    /// Where it listens, as `127.0.0.1:9093`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its own log, for an error.
    pub fn log(&self) -> String {
        format!("Alertmanager's log:\n{}", self.process.stderr())
    }

    /// The alerts that it has, as its API gives them: those that are muted too.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn alerts(&self) -> Result<Vec<Value>> {
        Ok(json(&self.address, "/api/v2/alerts")?.as_array().cloned().unwrap_or_default())
    }
}

/// Debian's build reads its own templates from `/usr/share`. Where it is not installed but unpacked, the files that came with it are
/// laid over that folder, for its eyes only.
fn program(path: &Path) -> Program {
    const TEMPLATES: &str = "/usr/share/prometheus/alertmanager/default.tmpl";
    const LAY_OVER: &str = r#"mount -t overlay overlay -o "lowerdir=$0:/usr/share" /usr/share && exec "$@""#;
    let share = path.parent().and_then(Path::parent).map(|usr| usr.join("share"));
    match share {
        Some(share) if !Path::new(TEMPLATES).exists() => {
            let apart = ["--mount", "--map-root-user", "sh", "-c", LAY_OVER];
            Program::new("unshare").args(apart).arg(share).arg(path)
        }
        _ => Program::new(path),
    }
}
