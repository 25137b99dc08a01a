//! Both programs as infra/compose runs them: what Falco and docker-bench look at.

use std::process::Command;

use anyhow::Result;

use crate::manifests::tools::output;
use crate::programs;

const FILE: &str = "infra/compose/compose.yaml";
/// Containers have names of it; another run of compose is left alone.
const PROJECT: &str = "kafka-clients-policies";

/// What runs. Dropped, it is gone.
pub struct Compose(());

impl Compose {
    /// Starts the broker and the consumer, and waits until they are healthy.
    pub fn up() -> Result<Self> {
        let compose = Self(());
        let wait = ["--detach", "--wait", "--wait-timeout", "180", "--no-build"];
        output(compose.command(&["up"]).args(wait).arg("kafka-consumer"))?;
        Ok(compose)
    }

    /// Publishes once, and waits for the end.
    pub fn produce(&self) -> Result<()> {
        output(&mut self.command(&["run", "--rm", "kafka-producer"])).map(drop)
    }

    /// Starts a producer that has something to do for hours.
    pub fn endless_producer(&self) -> Result<()> {
        let much = ["--messages", "100000", "--rate", "1/s", "--timeout", "30h"];
        output(self.command(&["run", "--detach", "kafka-producer"]).args(much)).map(drop)
    }

    /// Ends it, with what it has kept.
    pub fn down(self) -> Result<()> {
        output(&mut self.ending()).map(drop)
    }

    fn ending(&self) -> Command {
        self.command(&["down", "--volumes", "--remove-orphans", "--timeout", "30"])
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut compose = Command::new("docker");
        compose.args(["compose", "--project-name", PROJECT, "--file", FILE]).args(args).current_dir(programs::root());
        compose
    }
}

impl Drop for Compose {
    fn drop(&mut self) {
        // Also after `down`, when there is nothing left to end.
        let _ = self.ending().output();
    }
}
