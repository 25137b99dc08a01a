//! What cluster to start.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::admin::Admin;
use super::broker::{Broker, START_TIMEOUT};
use super::cluster::Cluster;
use super::distribution::Distribution;
use super::pki::Pki;
use super::properties::{CLIENTS, Node, Ports, to_text};
use super::security::{Listener, Sasl, Security, Tls};
use crate::ports::free_port;
use crate::proxy::Proxy;

/// Any will do, as each cluster is alone: 16 bytes in Kafka's base64.
const CLUSTER_ID: &str = "dGVzdGJlZC10ZXN0YmVkLQ";

/// A cluster about to be started: one broker, no security, free ports, a temporary folder, unless said otherwise.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    brokers: Option<u16>,
    port: Option<u16>,
    folder: Option<PathBuf>,
    detached: bool,
    security: Security,
    listeners: Vec<Listener>,
    properties: BTreeMap<String, String>,
    jvm_options: Vec<String>,
    /// The JMX exporter's jar, and its rules.
    exporter: Option<(PathBuf, PathBuf)>,
    proxied: bool,
    /// A broker, and the folder of its data.
    data: Option<(i32, PathBuf)>,
}

impl Cluster {
    /// What cluster to start.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// One broker without security.
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }
}

impl Builder {
    /// How many brokers.
    pub fn brokers(mut self, count: u16) -> Self {
        self.brokers = Some(count);
        self
    }

    /// The first broker's port for clients; the others follow it. Left out, all are free ones.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// How clients log in. Several mechanisms can be offered.
    pub fn sasl(mut self, mechanisms: &[Sasl]) -> Self {
        self.security.sasl = mechanisms.to_vec();
        self
    }

    /// A user who can log in by PLAIN and SCRAM.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.security.users.push((name.to_owned(), password.to_owned()));
        self
    }

    /// Clients reach the brokers by TLS, see [`Cluster::pki`].
    pub fn tls(mut self, tls: Tls) -> Self {
        self.security.tls = Some(tls);
        self
    }

    /// One more listener for clients, beside the one that the other methods are about; the users and rights are the same. Its
    /// address is [`Cluster::listener`].
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Clients have no rights but those given by [`Cluster::allow`].
    pub fn acls(mut self) -> Self {
        self.security.acls = true;
        self
    }

    /// A property of all brokers, over what is set here.
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.properties.insert(key.to_owned(), value.to_owned());
        self
    }

    /// An option of the brokers' Java, over what is set here: an agent, `-Xmx1g`, or `-XX:TieredStopAtLevel=4` for brokers that
    /// run long enough for the better of the two compilers to pay off.
    pub fn jvm_option(mut self, option: &str) -> Self {
        self.jvm_options.push(option.to_owned());
        self
    }

    /// The JMX exporter as an agent in each broker, with these rules: [`Cluster::exporter`] says where it serves its metrics.
    pub fn jmx_exporter(mut self, jar: impl Into<PathBuf>, rules: impl Into<PathBuf>) -> Self {
        self.exporter = Some((jar.into(), rules.into()));
        self
    }

    /// A second listener for clients, without security, each broker behind a [`Proxy`]: see [`Cluster::proxied_servers`].
    pub fn proxied(mut self) -> Self {
        self.proxied = true;
        self
    }

    /// One broker's data lie in this folder, which exists: one of another disk, say.
    pub fn data_in(mut self, broker: i32, folder: impl Into<PathBuf>) -> Self {
        self.data = Some((broker, folder.into()));
        self
    }

    /// The brokers go on when this process ends, until [`super::stop_detached`] with the same folder. What the folder held
    /// before is lost.
    pub fn detached(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self.detached = true;
        self
    }

    /// Starts the brokers and returns when clients can use all of them.
    pub fn start(self) -> Result<Cluster> {
        self.security.check(&self.listeners)?;
        let kafka = Distribution::get()?;
        let (folder, temporary) = self.make_folder()?;
        let tls = self.security.tls.or_else(|| self.listeners.iter().find_map(|listener| listener.tls));
        let pki = tls.map(|_| Pki::create(&folder.join("tls"))).transpose()?;
        if let Some(pki) = &pki {
            self.listeners.iter().try_for_each(|listener| pki.make(listener.shown))?;
        }
        let mut brokers = self.make_brokers(&folder, pki.as_ref())?;

        let users = self.security.format_arguments(&self.listeners);
        let formats: Vec<_> =
            brokers.iter().map(|broker| broker.format(&kafka, CLUSTER_ID, &users)).collect::<Result<_>>()?;
        for format in formats {
            format.wait(START_TIMEOUT)?.expect_code(0).context("the storage could not be formatted")?;
        }
        brokers.iter_mut().try_for_each(|broker| broker.start(&kafka))?;
        brokers.iter().try_for_each(Broker::wait_until_ready)?;

        let ports: Vec<_> = brokers.iter().map(|broker| broker.ports.brokers).collect();
        let admin = Admin::new(&ports)?;
        admin.wait_for_brokers(&brokers.iter().map(|broker| broker.id).collect::<Vec<_>>(), START_TIMEOUT)?;
        let proxied = brokers.iter().filter_map(|broker| broker.ports.proxied);
        let proxies = proxied.map(|(own, proxy)| Proxy::start(proxy, own)).collect::<Result<_>>()?;
        Ok(Cluster { brokers, kafka, admin, security: self.security, pki, proxies, _temporary: temporary })
    }

    /// Absolute, as each broker runs in a folder of its own.
    fn make_folder(&self) -> Result<(PathBuf, Option<TempDir>)> {
        let Some(folder) = &self.folder else {
            let temporary = TempDir::with_prefix("kafka-").context("no temporary folder")?;
            return Ok((temporary.path().canonicalize()?, Some(temporary)));
        };
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("can't empty {}", folder.display()))?;
        }
        fs::create_dir_all(folder)?;
        Ok((folder.canonicalize()?, None))
    }

    fn make_brokers(&self, folder: &Path, pki: Option<&Pki>) -> Result<Vec<Broker>> {
        let count = self.brokers.unwrap_or(1);
        let ports = (0..count).map(|nth| self.ports(nth)).collect::<Result<Vec<_>>>()?;
        let ids = (1..).zip(&ports);
        ids.map(|(id, own_ports)| {
            let folder = folder.join(format!("broker-{id}"));
            let data = folder.join("data");
            let listeners: Vec<_> = self
                .listeners
                .iter()
                .map(|listener| Ok((*listener, self.security.at(*listener), free_port()?)))
                .collect::<Result<_>>()?;
            let more: Vec<_> = listeners
                .iter()
                .map(|(listener, security, port)| (listener.name, *port, security.protocol()))
                .collect();
            let node = Node { id, ports: &ports, protocol: self.security.protocol(), more: &more, data: &data };
            let mut properties = node.properties();
            for (listener, security, _) in &listeners {
                properties.extend(security.properties(&listener.name.to_ascii_lowercase(), pki));
            }
            properties.extend(self.security.properties(&CLIENTS.to_ascii_lowercase(), pki));
            properties.extend(self.properties.clone());
            let (mut jvm_options, mut exporter) = (self.jvm_options.clone(), None);
            if let Some((jar, rules)) = &self.exporter {
                let port = free_port()?;
                jvm_options.push(format!("-javaagent:{}=127.0.0.1:{port}:{}", jar.display(), rules.display()));
                exporter = Some(port);
            }
            let broker = Broker {
                id,
                ports: *own_ports,
                listeners: listeners.iter().map(|(listener, _, port)| (listener.name, *port)).collect(),
                folder,
                jvm_options,
                exporter,
                detached: self.detached,
                starts: 0,
                process: None,
            };
            fs::create_dir_all(&broker.folder)?;
            if let Some((_, elsewhere)) = self.data.as_ref().filter(|(of, _)| *of == id) {
                symlink(elsewhere, &data)?;
            }
            fs::write(broker.properties_path(), to_text(&properties))?;
            Ok(broker)
        })
        .collect()
    }

    fn ports(&self, nth: u16) -> Result<Ports> {
        let clients = self.port.map_or_else(free_port, |first| Ok(first + nth))?;
        let proxied = if self.proxied { Some((free_port()?, free_port()?)) } else { None };
        Ok(Ports { clients, brokers: free_port()?, controllers: free_port()?, proxied })
    }
}
