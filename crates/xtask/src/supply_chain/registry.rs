//! A registry of images on the loopback address, which ends with its value.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::thread;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::tools::Tools;
use crate::manifests::tools::output;

/// One that is running.
pub struct Registry {
    server: Child,
    /// As clients name it: `localhost:` and its port.
    host: String,
    /// The layers are kept here.
    _layers: TempDir,
}

impl Registry {
    /// Starts one on a free port.
    pub fn start(tools: &Tools) -> Result<Self> {
        let layers = tempfile::tempdir_in(tools.folder())?;
        let mut serve = tools.crane()?;
        serve.args(["registry", "serve", "--address", "127.0.0.1:0", "--disk"]).arg(layers.path());
        serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut server = serve.spawn().context("the registry can't be started")?;
        let mut lines = BufReader::new(server.stderr.take().context("the registry has no stderr")?).lines();
        let mut said = Vec::new();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let port = line.split_once("serving on port ").map(|(_, port)| port.trim().to_owned());
            said.push(line);
            port
        });
        let registry = Self { server, host: format!("localhost:{}", port.unwrap_or_default()), _layers: layers };
        ensure!(!registry.host.ends_with(':'), "the registry says no port: {}", said.join("; "));
        // Its log would fill the pipe.
        thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Ok(registry)
    }

    /// As clients name it.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Copies an image with its signatures and attestations, to where they are verified as here. A registry without the referrers
/// API keeps them below a tag that is named after the digest.
pub fn mirror(tools: &Tools, from: &str, digest: &str, to: &str, tag: &str) -> Result<()> {
    let attached = digest.replace(':', "-");
    let copy =
        |from: String, to: String| output(tools.crane()?.args(["copy", "--insecure"]).args([from, to])).map(drop);
    copy(format!("{from}@{digest}"), format!("{to}:{tag}"))?;
    copy(format!("{from}:{attached}"), format!("{to}:{attached}"))
}
