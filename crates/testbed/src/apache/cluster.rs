//! A cluster that runs: its addresses, and its brokers' lives and deaths.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use tempfile::TempDir;

use super::admin::Admin;
use super::broker::{Broker, START_TIMEOUT};
use super::distribution::Distribution;
use super::pki::Pki;
use super::properties::index;
use super::security::Security;
use crate::process::{Program, Signal};
use crate::proxy::Proxy;

/// Running brokers, numbered from 1. Dropped, they are killed and their data is gone.
pub struct Cluster {
    // First, so that the brokers are gone before the folder they write to.
    pub(super) brokers: Vec<Broker>,
    pub(super) kafka: Distribution,
    pub(super) admin: Admin,
    pub(super) security: Security,
    pub(super) pki: Option<Pki>,
    pub(super) proxies: Vec<Proxy>,
    pub(super) _temporary: Option<TempDir>,
}

impl Cluster {
    /// The addresses for clients, with the security that was asked for.
    pub fn bootstrap_servers(&self) -> String {
        addresses(self.brokers.iter().map(|broker| broker.ports.clients))
    }

    /// The addresses of one more listener for clients, by its name.
    pub fn listener(&self, name: &str) -> Result<String> {
        let of_broker = |broker: &Broker| broker.listeners.iter().find(|(own, _)| *own == name).map(|(_, port)| *port);
        let ports: Option<Vec<u16>> = self.brokers.iter().map(of_broker).collect();
        Ok(addresses(ports.with_context(|| format!("the cluster was started without a listener {name}"))?))
    }

    /// The addresses of the proxies, for a cluster that was started with them.
    pub fn proxied_servers(&self) -> String {
        addresses(self.brokers.iter().filter_map(|broker| broker.ports.proxied).map(|(_, proxy)| proxy))
    }

    /// The proxy in front of a broker.
    pub fn proxy(&self, broker: i32) -> Result<&Proxy> {
        self.proxies.get(index(broker)).context("the cluster was started without proxies")
    }

    /// The port of one broker for clients.
    pub fn port(&self, broker: i32) -> u16 {
        self.brokers[index(broker)].ports.clients
    }

    /// The address of one broker for clients.
    pub fn address(&self, broker: i32) -> String {
        addresses([self.brokers[index(broker)].ports.clients])
    }

    /// The brokers' other listener: no login, no TLS, all rights. For what a test does beside what it tests.
    pub fn internal_servers(&self) -> String {
        addresses(self.brokers.iter().map(|broker| broker.ports.brokers))
    }

    /// A client configuration for [`Cluster::internal_servers`].
    pub fn internal_config(&self) -> ClientConfig {
        crate::records::client_config(&self.internal_servers())
    }

    /// What clients set as `security.protocol`.
    pub fn security_protocol(&self) -> &'static str {
        self.security.protocol()
    }

    /// The certificates of a cluster with TLS.
    pub fn pki(&self) -> Result<&Pki> {
        self.pki.as_ref().context("the cluster was started without TLS")
    }

    /// One of Kafka's command-line tools, see [`Distribution::tool`].
    pub fn tool(&self, class: &str) -> Program {
        self.kafka.tool(class)
    }

    /// As [`Cluster::tool`], with options of its Java over what is set there: more memory, the better compiler.
    pub fn tool_with(&self, class: &str, jvm_options: &[&str]) -> Program {
        self.kafka.tool_with(class, jvm_options)
    }

    /// Where the JMX exporter of a broker serves its metrics, if the cluster was started with one.
    pub fn exporter(&self, broker: i32) -> Option<String> {
        self.brokers[index(broker)].exporter.map(|port| format!("127.0.0.1:{port}"))
    }

    /// The process id of a broker.
    pub fn pid(&self, broker: i32) -> Option<u32> {
        self.brokers[index(broker)].process.as_ref().map(crate::process::Process::pid)
    }

    /// What a broker has logged since its last start.
    pub fn log(&self, broker: i32) -> Result<String> {
        Ok(fs::read_to_string(self.brokers[index(broker)].log_path())?)
    }

    /// SIGKILL: the machine is gone. The others elect new leaders after `broker.session.timeout.ms`, 9 s.
    pub fn kill(&mut self, broker: i32) -> Result<()> {
        self.brokers[index(broker)].end(Signal::KILL)
    }

    /// SIGTERM: the broker hands its partitions over and goes. Without a majority of the others it can't, and it waits.
    pub fn stop(&mut self, broker: i32) -> Result<()> {
        self.brokers[index(broker)].end(Signal::TERM)
    }

    /// SIGSTOP: its connections stay open and nobody answers.
    pub fn pause(&self, broker: i32) -> Result<()> {
        self.brokers[index(broker)].signal(Signal::STOP)
    }

    /// SIGCONT: a paused broker goes on.
    pub fn resume(&self, broker: i32) -> Result<()> {
        self.brokers[index(broker)].signal(Signal::CONT)
    }

    /// Starts a broker again, with its data, after stopping it where it runs, and waits until the cluster knows it. Kafka
    /// takes it back only when its former session is over: after `broker.session.timeout.ms`, 9 s, from its end. A test of
    /// several restarts is quicker with less of it ([`super::Builder::property`]).
    pub fn restart(&mut self, broker: i32) -> Result<()> {
        if self.brokers[index(broker)].process.is_some() {
            self.stop(broker)?;
        }
        self.begin_restart(broker)?;
        self.brokers[index(broker)].wait_until_ready()?;
        self.admin.wait_for_brokers(&[broker], START_TIMEOUT)
    }

    /// Waits until brokers answer that were started by [`Cluster::begin_restart`].
    pub fn wait_until_restarted(&self, brokers: &[i32]) -> Result<()> {
        brokers.iter().try_for_each(|broker| self.brokers[index(*broker)].wait_until_ready())?;
        self.admin.wait_for_brokers(brokers, START_TIMEOUT)
    }

    /// Waits for the end of a broker that goes by itself: one whose disk is full.
    pub fn wait_for_end(&mut self, broker: i32, timeout: Duration) -> Result<()> {
        self.brokers[index(broker)].await_end(timeout)
    }

    /// Starts a stopped broker again and doesn't wait for it: where a majority is gone, none is ready before the others are.
    pub fn begin_restart(&mut self, broker: i32) -> Result<()> {
        self.brokers[index(broker)].start(&self.kafka)
    }

    /// Waits until every replica of every partition is in sync.
    pub fn wait_for_full_isr(&self, timeout: Duration) -> Result<()> {
        self.admin.wait_for_full_isr(timeout)
    }
}

fn addresses(ports: impl IntoIterator<Item = u16>) -> String {
    ports.into_iter().map(|port| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(",")
}
