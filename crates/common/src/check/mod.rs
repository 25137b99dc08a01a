//! The check of every layer between a program and its topic, each tried by itself and without changing anything: all that is missing
//! is said in one run.
//!
//! ```text
//! name → tcp → tls → login → brokers, listeners → topic, rights → group
//! ```
//!
//! | file | what it has |
//! |---|---|
//! | `config` | the settings, the same for both programs |
//! | `finding` | one line each, and the exit code that they come to |
//! | `network`, `transport`, `protocol` | names and connections; TLS; the one request that is answered before a login |
//! | `client`, `cluster` | the client that asks; what the brokers say |
//! | `rights` | which rights the programs need: one table |

mod client;
mod cluster;
mod config;
mod finding;
mod network;
mod protocol;
pub mod rights;
mod transport;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::config::Properties;
use crate::config::properties::SERVERS;
use crate::connection::{Connection, Oauth};
use crate::exit::Exit;
use crate::health::Health;
use crate::kafka::oauth::TokenSource;
use crate::kafka::{ClientState, defaults};
use crate::life::{self, Finish, Job};
use crate::report::Report;
use crate::shutdown::Shutdown;
use crate::verdict::Verdict;

pub use config::{Config, Subject};

use client::Client;
use finding::{Findings, Layer, Status};
use rights::Feature;

/// How long a check may go on after a signal.
pub const DRAIN: Duration = Duration::from_millis(500);
/// How long a check may stand still: longer than any of its questions.
pub const STALL_LIMIT: Duration = Duration::from_secs(60);
/// Between two rounds of a check that waits.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest sleep, so that a signal is seen.
const NAP: Duration = Duration::from_millis(50);
/// How long one round may take where several are tried.
const ROUND: Duration = Duration::from_secs(20);
/// The name of a group that the client gets and never joins.
const NO_GROUP: &str = "kafka-check-without-group";

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The bootstrap servers.
    pub servers: String,
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
    /// For all of it.
    pub timeout: Duration,
    /// Try until it passes.
    pub wait: bool,
}

/// A check, ready to run.
pub struct Check {
    wanted: Wanted,
    properties: Properties,
    oauth: Option<Oauth>,
    client: Arc<ClientState>,
    health: Health,
    shutdown: Shutdown,
    findings: Arc<Mutex<Findings>>,
}

impl Check {
    /// A check with the properties of a connection.
    pub fn new(
        wanted: Wanted,
        connection: &Connection,
        properties: &Properties,
        client: Arc<ClientState>,
        health: Health,
        shutdown: Shutdown,
    ) -> Self {
        let mut properties = properties.clone();
        properties.fallback("group.id", NO_GROUP);
        defaults::connections(&mut properties, Some(wanted.timeout));
        let oauth = connection.oauth.clone();
        Self { wanted, properties, oauth, client, health, shutdown, findings: Arc::default() }
    }

    /// The job of a program that checks.
    pub fn job(self) -> Job {
        let account = Arc::new(Account { findings: Arc::clone(&self.findings) });
        Job { account: Some(account), routes: Default::default(), run: Box::new(move |finish| self.run(finish)) }
    }

    fn run(self, finish: Finish) {
        let until = Instant::now() + self.wanted.timeout;
        let mut kept = None;
        loop {
            let round = if self.wanted.wait { until.min(Instant::now() + ROUND) } else { until };
            let findings = self.round(round, &mut kept);
            let verdict = findings.verdict();
            *self.findings.lock().unwrap_or_else(PoisonError::into_inner) = findings;
            if let Some(signal) = self.shutdown.requested() {
                let text = format!("{}: the check was not at its end", signal.name());
                return finish.with(Verdict::new(signal.exit(), text));
            }
            let again = self.wanted.wait && verdict.exit != Exit::Ok && verdict.exit != Exit::Usage;
            if !again || Instant::now() + PAUSE >= until {
                finish.with(verdict);
                // Only now, as it can hang.
                return drop(kept);
            }
            tracing::info!(event = "check_again", "{}", verdict.reason());
            let next = Instant::now() + PAUSE;
            while Instant::now() < next && self.shutdown.requested().is_none() {
                self.health.progress();
                std::thread::sleep(NAP);
            }
        }
    }

    /// Looks at everything once.
    fn round(&self, until: Instant, kept: &mut Option<Client>) -> Findings {
        let mut findings = Findings::default();
        let properties = &self.properties;
        let is_tls = transport::is_wanted(properties);
        let mut versions = Vec::new();
        let servers = properties.get(SERVERS).unwrap_or(&self.wanted.servers).to_owned();
        for place in servers.split(',').map(str::trim).filter(|place| !place.is_empty()) {
            self.health.progress();
            let left = until.saturating_duration_since(Instant::now());
            let stream = network::connect(place, Layer::Name, Layer::Tcp, place, &mut findings, left);
            let Some(stream) = stream else { continue };
            let stream = match is_tls {
                false => Some(transport::Stream::Plain(stream)),
                true => transport::shake_hands(Layer::Tls, place, stream, properties, &mut findings),
            };
            if let Some(mut stream) = stream {
                versions.push((place.to_owned(), protocol::ask(&mut stream)));
            }
        }
        let below = |first: Layer| Layer::ALL.into_iter().filter(move |layer| *layer >= first);
        let needed =
            |layer: &Layer| (is_tls || *layer != Layer::Tls) && (self.wanted.group.is_some() || *layer != Layer::Group);
        if !findings.has_passed(Layer::Tcp) {
            let first = if findings.has_passed(Layer::Name) { Layer::Tls } else { Layer::Tcp };
            findings.not_reached(below(first).filter(needed));
            return findings;
        }
        if is_tls && !findings.has_passed(Layer::Tls) {
            findings.not_reached(below(Layer::Login).filter(needed));
            return findings;
        }
        let client = match self.client(until) {
            Ok(client) => &*kept.insert(client),
            Err(verdict) => {
                findings.fail(Layer::Login, "", verdict.exit, verdict.reason(), "");
                findings.not_reached(below(Layer::Brokers).filter(needed));
                return findings;
            }
        };
        let Some(metadata) = cluster::log_in(client, &self.wanted, properties, &mut findings) else {
            findings.not_reached(below(Layer::Brokers).filter(needed));
            return findings;
        };
        for (place, versions) in versions {
            match versions {
                Ok(versions) => findings.pass(Layer::Brokers, place, versions.described()),
                Err(error) if protocol::is_silence(&error) => {
                    let to_do = "is the broker alive, and does the address lead to it?";
                    findings.fail(Layer::Brokers, place, Exit::Unreachable, protocol::said(&error), to_do);
                }
                Err(error) => findings.not_verified(Layer::Brokers, place, protocol::said(&error)),
            }
        }
        self.health.progress();
        cluster::listeners(&metadata, &self.wanted, properties, &mut findings);
        self.health.progress();
        cluster::topics(client, &metadata, &self.wanted, properties, &mut findings);
        cluster::untold(&self.wanted, &mut findings);
        self.health.progress();
        cluster::group(client, &metadata, &self.wanted, &mut findings);
        findings
    }

    /// A client that has heard of no refusal yet.
    fn client(&self, until: Instant) -> Result<Client, Verdict> {
        let tokens = self.oauth.clone().map(TokenSource::new).transpose();
        let tokens = tokens.map_err(|reason| Verdict::new(Exit::Usage, reason))?;
        let state = Arc::new(self.client.anew(tokens));
        Client::new(&self.properties, state, self.shutdown.clone(), until)
    }
}

/// What a check says when it ends.
struct Account {
    findings: Arc<Mutex<Findings>>,
}

/// The fields of its report.
#[derive(Serialize)]
struct Fields<'a> {
    findings: Vec<&'a finding::Finding>,
}

impl life::Account for Account {
    fn report(&self, verdict: &Verdict) -> Report {
        let findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let rows = findings.iter().map(|finding| (finding.status.label(), finding.line())).collect();
        let all = Fields { findings: findings.iter().collect() };
        // A termination log has room for what is wrong.
        let wrong = findings.iter().filter(|finding| matches!(finding.status, Status::Fail(_)));
        Report::new("check", &all, rows, verdict).or(&Fields { findings: wrong.collect() }, verdict)
    }

    fn undone(&self) -> Option<String> {
        Some("the check was not at its end".to_owned())
    }
}
