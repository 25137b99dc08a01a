//! A broker's `server.properties`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// The clients' listener, with the security that the test asks for.
pub(super) const CLIENTS: &str = "CLIENTS";

/// What one node listens at. Brokers and our own admin client meet without security, on a port that the clients aren't told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) clients: u16,
    pub(super) brokers: u16,
    pub(super) controllers: u16,
    /// Of a second listener for clients: where the node listens, and the proxy's port, which is the one that clients are told.
    pub(super) proxied: Option<(u16, u16)>,
}

/// What a node needs to know of itself and of the others.
pub(super) struct Node<'a> {
    pub(super) id: i32,
    /// Of all nodes, in the order of their ids, which start at 1.
    pub(super) ports: &'a [Ports],
    /// The clients' protocol, as `SASL_SSL`.
    pub(super) protocol: &'a str,
    /// More listeners for clients: name, port and protocol.
    pub(super) more: &'a [(&'a str, u16, &'a str)],
    pub(super) data: &'a Path,
}

impl Node<'_> {
    /// The properties of every broker here. What the test sets goes over it.
    pub(super) fn properties(&self) -> BTreeMap<String, String> {
        let Ports { clients, brokers, controllers, proxied } = self.ports[index(self.id)];
        let voters = (1..).zip(self.ports).map(|(id, ports)| format!("{id}@127.0.0.1:{}", ports.controllers));
        let (mut listens, mut tells) = (String::new(), String::new());
        if let Some((own, proxy)) = proxied {
            listens = format!(",PROXIED://127.0.0.1:{own}");
            tells = format!(",PROXIED://127.0.0.1:{proxy}");
        }
        let mut more_protocols = String::new();
        for (name, port, protocol) in self.more {
            let place = format!(",{name}://127.0.0.1:{port}");
            listens.push_str(&place);
            tells.push_str(&place);
            let _ = write!(more_protocols, ",{name}:{protocol}");
        }
        let open_to_all = format!("{CLIENTS}://127.0.0.1:{clients},BROKERS://127.0.0.1:{brokers}");
        let replicas = self.ports.len().min(3);
        let in_sync = replicas.div_ceil(2);
        let mut properties = BTreeMap::new();
        let mut set = |key: &str, value: String| properties.insert(key.to_owned(), value);

        set("process.roles", "broker,controller".into());
        set("node.id", self.id.to_string());
        set("broker.rack", format!("rack-{}", self.id));
        set("controller.quorum.voters", voters.collect::<Vec<_>>().join(","));
        set("listeners", format!("{open_to_all}{listens},CONTROLLERS://127.0.0.1:{controllers}"));
        set("advertised.listeners", format!("{open_to_all}{tells}"));
        let protocols =
            format!("{CLIENTS}:{},PROXIED:PLAINTEXT,BROKERS:PLAINTEXT,CONTROLLERS:PLAINTEXT", self.protocol);
        set("listener.security.protocol.map", protocols + &more_protocols);
        set("inter.broker.listener.name", "BROKERS".into());
        set("controller.listener.names", "CONTROLLERS".into());
        set("log.dirs", self.data.display().to_string());
        // A misspelt topic has to be an error.
        set("auto.create.topics.enable", "false".into());
        // Nobody waits for more members of a group that is complete.
        set("group.initial.rebalance.delay.ms", "0".into());
        // Few internal partitions and little memory to clean them: what a start on a small machine costs.
        set("log.cleaner.dedupe.buffer.size", "10485760".into());
        for topic in ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"] {
            set(&format!("{topic}.num.partitions"), "3".into());
            set(&format!("{topic}.replication.factor"), replicas.to_string());
        }
        for topic in ["transaction.state.log", "share.coordinator.state.topic"] {
            set(&format!("{topic}.min.isr"), in_sync.to_string());
        }
        properties
    }
}

/// The text of a properties file.
pub(super) fn to_text(properties: &BTreeMap<String, String>) -> String {
    properties.iter().fold(String::new(), |mut text, (key, value)| {
        let _ = writeln!(text, "{key}={}", value.replace('\\', "\\\\"));
        text
    })
}

/// The place of a node in lists: ids start at 1.
pub(super) fn index(id: i32) -> usize {
    usize::try_from(id - 1).expect("brokers are numbered from 1")
}
