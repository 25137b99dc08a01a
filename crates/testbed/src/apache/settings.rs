//! What is changed while a cluster runs, by Kafka's own tools: quotas, passwords. And who is the active controller.

use std::time::Duration;

use anyhow::{Context, Result};

use super::cluster::Cluster;

const TOOL: Duration = Duration::from_secs(60);

impl Cluster {
    /// Changes settings of an entity, as `--entity-type users --entity-name alice`: adds `--add-config X`, or deletes.
    fn configure(&self, entity: &[&str], change: &[&str]) -> Result<()> {
        let tool = self.tool("kafka.admin.ConfigCommand").args(["--bootstrap-server", &self.internal_servers()]);
        let outcome = tool.arg("--alter").args(entity).args(change).run(TOOL)?.expect_code(0);
        outcome.with_context(|| format!("{entity:?} could not be changed"))?;
        Ok(())
    }

    /// Limits every client's bytes a second at each broker, written and read; `None` takes the limits away.
    pub fn set_quota(&self, bytes: Option<(u64, u64)>) -> Result<()> {
        let entity = ["--entity-type", "clients", "--entity-default"];
        match bytes {
            Some((written, read)) => {
                let limits = format!("producer_byte_rate={written},consumer_byte_rate={read}");
                self.configure(&entity, &["--add-config", &limits])
            }
            None => self.configure(&entity, &["--delete-config", "producer_byte_rate,consumer_byte_rate"]),
        }
    }

    /// Gives a user another password for SCRAM-SHA-512.
    pub fn set_password(&self, user: &str, password: &str) -> Result<()> {
        let entity = ["--entity-type", "users", "--entity-name", user];
        self.configure(&entity, &["--add-config", &format!("SCRAM-SHA-512=[password={password}]")])
    }

    /// The broker that is the active controller now.
    pub fn controller(&self) -> Result<i32> {
        let tool = self.tool("org.apache.kafka.tools.MetadataQuorumCommand");
        let tool = tool.args(["--bootstrap-server", &self.internal_servers(), "describe", "--status"]);
        let said = tool.run(TOOL)?.expect_code(0)?.stdout;
        let leader = said.lines().find_map(|line| line.strip_prefix("LeaderId:")?.trim().parse().ok());
        leader.with_context(|| format!("no active controller is named: {said}"))
    }
}
