//! Builds the two programs as they are released, so that every task runs the real thing.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::terminal::Step;

/// Where the two programs are.
pub struct Programs {
    /// `kafka-producer`.
    pub producer: PathBuf,
    /// `kafka-consumer`.
    pub consumer: PathBuf,
}

/// The folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder of what is built and downloaded: `target`, or where `CARGO_TARGET_DIR` wants it.
pub fn target() -> Result<PathBuf> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(std::path::absolute(target)?)
}

/// Builds both programs (release). All members are selected, as by the aliases of `.cargo/config.toml`: the same features
/// then apply, and librdkafka is not compiled a second time.
pub fn build() -> Result<Programs> {
    let step = Step::begin("building both programs (release)");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--workspace", "--bins", "--quiet"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .context("cargo can't be run")?;
    if !output.status.success() {
        bail!("the programs could not be built\n{}", String::from_utf8_lossy(&output.stderr));
    }
    step.end();
    let built = String::from_utf8_lossy(&output.stdout).into_owned();
    let path = |name: &str| {
        let messages = built.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut of_name =
            messages.filter(|message| message.pointer("/target/name").and_then(Value::as_str) == Some(name));
        let path = of_name.find_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)));
        path.with_context(|| format!("cargo has built no {name}"))
    };
    Ok(Programs { producer: path("kafka-producer")?, consumer: path("kafka-consumer")? })
}
