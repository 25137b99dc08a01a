//! Rights of the clients, by Kafka's own tool: librdkafka's wrapper has none for them.

use std::time::Duration;

use anyhow::{Context, Result};

use super::cluster::Cluster;

/// What a right is about. The name `*` means all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A topic.
    Topic(&'a str),
    /// A consumer group.
    Group(&'a str),
    /// A producer's transactional id.
    TransactionalId(&'a str),
    /// The cluster itself.
    Cluster,
}

impl Cluster {
    /// Gives a user rights, as `Read`, `Write`, `Describe`, `Create`, `IdempotentWrite`, `All`.
    pub fn allow(&self, user: &str, operations: &[&str], resource: Resource<'_>) -> Result<()> {
        self.allow_all(&[user], operations, &[resource])
    }

    /// Gives each of these users these rights to each of these, by one call of the tool.
    pub fn allow_all(&self, users: &[&str], operations: &[&str], resources: &[Resource<'_>]) -> Result<()> {
        self.change_rights(&["--add"], users, operations, resources)
    }

    /// Takes back what [`Cluster::allow`] gave.
    pub fn revoke(&self, user: &str, operations: &[&str], resource: Resource<'_>) -> Result<()> {
        self.change_rights(&["--remove", "--force"], &[user], operations, &[resource])
    }

    fn change_rights(
        &self,
        change: &[&str],
        users: &[&str],
        operations: &[&str],
        resources: &[Resource<'_>],
    ) -> Result<()> {
        let tool =
            self.tool("org.apache.kafka.tools.AclCommand").args(["--bootstrap-server", &self.internal_servers()]);
        let tool = tool.args(change);
        let tool = users.iter().fold(tool, |tool, user| tool.args(["--allow-principal", &format!("User:{user}")]));
        let tool = operations.iter().fold(tool, |tool, operation| tool.args(["--operation", operation]));
        let tool = resources.iter().fold(tool, |tool, resource| match resource {
            Resource::Topic(name) => tool.args(["--topic", name]),
            Resource::Group(name) => tool.args(["--group", name]),
            Resource::TransactionalId(name) => tool.args(["--transactional-id", name]),
            Resource::Cluster => tool.arg("--cluster"),
        });
        tool.run(Duration::from_secs(60))?.expect_code(0).context("the rights could not be changed")?;
        Ok(())
    }
}
