//! Waiting by kubectl for pods, unless something keeps them from starting for good.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::kubectl::{Kubectl, LOOK, MARGIN, said};
use super::obstacles::Obstacles;

impl Kubectl {
    /// Waits by `kubectl wait`, which fails when the time is over or nothing is there to be waited for; and at once when a pod of
    /// the namespace cannot start.
    pub fn wait(&self, namespace: &str, what: &str, condition: &str, timeout: Duration) -> Result<()> {
        let (condition, limit) = (format!("--for={condition}"), format!("--timeout={}s", timeout.as_secs()));
        self.watched(namespace, timeout, &["wait", "-n", namespace, what, &condition, &limit])
    }

    /// Waits for a rollout to be complete; fails at once when a pod of the namespace cannot start.
    pub fn rolled_out(&self, namespace: &str, what: &str, timeout: Duration) -> Result<()> {
        let limit = format!("--timeout={}s", timeout.as_secs());
        self.watched(namespace, timeout, &["rollout", "status", "-n", namespace, what, &limit])
    }

    /// Runs it to its end, unless a pod of the namespace has an obstacle that no waiting removes.
    fn watched(&self, namespace: &str, timeout: Duration, args: &[&str]) -> Result<()> {
        let mut obstacles = Obstacles::of(self, namespace);
        let process = self.spawn(args)?;
        let began = Instant::now();
        while process.is_running() && began.elapsed() < timeout + MARGIN {
            thread::sleep(LOOK);
            obstacles.look().with_context(|| format!("kubectl {}", args.join(" ")))?;
        }
        said(args, process.wait(MARGIN)?).map(drop).with_context(|| obstacles.told())
    }
}
