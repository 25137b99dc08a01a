//! The validated settings of a check, the same for both programs.

use std::path::PathBuf;

use super::rights::Feature;
use super::{Check, DRAIN, STALL_LIMIT, Wanted};
use crate::args::check::CheckFlags;
use crate::args::sandbox::Sandbox;
use crate::args::{Given, Listen};
use crate::config::{Layers, Problems, Properties};
use crate::connection::{self, Connection};
use crate::kafka;
use crate::kafka::promises::{self, Weakness};
use crate::kafka::rotation::OnChange;
use crate::life::{Job, Parts, Settings};
use crate::report::Outlet;

/// What a program wants to know.
pub struct Subject {
    /// The topics, by their names.
    pub topics: Vec<String>,
    /// The group.
    pub group: Option<String>,
    /// What the program is to do.
    pub features: Vec<Feature>,
    /// The id of transactions.
    pub transactional_id: Option<String>,
    /// The largest message that is to be sent, in bytes.
    pub largest: Option<u64>,
    /// Where Kubernetes looks for the findings.
    pub termination_log: PathBuf,
}

/// A check, its settings checked.
pub struct Config {
    wanted: Wanted,
    connection: Connection,
    properties: Properties,
    weakened: Vec<Weakness>,
    termination_log: PathBuf,
    sandbox: Sandbox,
    json: bool,
}

impl Config {
    /// Checks everything, and asks no broker. All problems go to `problems`.
    pub fn new(
        program: &str,
        subject: Subject,
        flags: &CheckFlags,
        given: Given<'_>,
        layers: &Layers,
        problems: &mut Problems,
    ) -> Self {
        for topic in &subject.topics {
            if topic.starts_with('^') {
                problems.add(format!("--topic {topic}: a check takes topics by their names, not by an expression"));
            } else {
                problems.note(kafka::topic::check_name(topic).map_err(|error| format!("--topic: {error}")));
            }
        }
        if subject.topics.is_empty() {
            problems.add("--topic (KAFKA_TOPIC) is empty");
        }
        let mut properties = Properties::new();
        let connection = connection::resolve(&flags.connection, program, given, layers, &mut properties, problems);
        kafka::check(&mut properties, problems);
        let weakened = promises::check(&properties, problems);
        let Subject { topics, group, features, transactional_id, largest, termination_log } = subject;
        let servers = connection.bootstrap_servers.clone();
        let (timeout, wait) = (flags.timeout, flags.wait);
        let wanted = Wanted { servers, topics, group, features, transactional_id, largest, timeout, wait };
        let (sandbox, json) = (flags.sandbox.sandbox, flags.json);
        Self { wanted, connection, properties, weakened, termination_log, sandbox, json }
    }

    /// What the runner needs to know.
    pub fn settings(&self) -> Settings<'_> {
        Settings {
            listen: Listen::Off,
            connection: &self.connection,
            properties: &self.properties,
            subject: format!("topic {}", self.wanted.topics.join(",")),
            drain_timeout: DRAIN,
            stall_limit: STALL_LIMIT,
            endless: false,
            weakened: &self.weakened,
            termination_log: &self.termination_log,
            outlet: Outlet::Stdout { table: !self.json },
            traces: None,
            sandbox: self.sandbox,
            on_credential_change: OnChange::Warn(None),
            inputs: Vec::new(),
        }
    }

    /// The work.
    pub fn job<M>(self, parts: Parts<M>) -> Job {
        let Parts { client, health, shutdown, .. } = parts;
        Check::new(self.wanted, &self.connection, &self.properties, client, health, shutdown).job()
    }
}
