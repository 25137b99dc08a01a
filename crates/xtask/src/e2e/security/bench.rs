//! One broker with a listener for each way to log in, users with and without rights, and a token server.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use testbed::apache::{Cluster, Listener, Pki, Resource, Sasl, Shown, Tls};
use testbed::ports::free_port;
use testbed::process::Program;

use super::super::access::{form_encoded, with_authority, with_certificate, with_protocol, with_token, with_token_url};
use super::super::bench::{PASSWORD, SERVICE, STRANGER, USER};
use super::super::token_server::TokenServer;
use super::which::Which;
use crate::programs::Programs;

/// [`USER`], [`SERVICE`] and the client of the certificate may do everything with it.
pub const TOPIC: &str = "guarded";
/// [`STRANGER`] may read it, in [`GROUP`].
pub const READABLE: &str = "readable";
/// [`STRANGER`] may write it.
pub const WRITABLE: &str = "writable";
/// [`STRANGER`] may not know of it.
pub const HIDDEN: &str = "hidden";
/// The only group that [`STRANGER`] may be in.
pub const GROUP: &str = "allowed";
/// Of [`SERVICE`]. It has what the endpoint wants escaped.
pub const CLIENT_SECRET: &str = "service-secret/1+2";
/// Of the client's encrypted key.
pub const KEY_PASSWORD: &str = "key password 77";
/// The common name of the client's certificate.
const CLIENT: &str = "client";

const ALL: &[Sasl] = &[Sasl::Plain, Sasl::ScramSha256, Sasl::ScramSha512, Sasl::OAuthBearer];

const fn listener(name: &'static str, sasl: &'static [Sasl], tls: Option<Tls>, shown: Shown) -> Listener {
    Listener { name, sasl, tls, shown }
}

const LISTENERS: [Listener; 7] = [
    listener("TLS", &[], Some(Tls::Server), Shown::Good),
    listener("MUTUAL", &[], Some(Tls::Mutual), Shown::Good),
    listener("SASL", ALL, None, Shown::Good),
    listener("SASLTLS", ALL, Some(Tls::Server), Shown::Good),
    listener("SCRAM256", &[Sasl::ScramSha256], None, Shown::Good),
    listener("EXPIRED", &[], Some(Tls::Server), Shown::Expired),
    listener("ELSEWHERE", &[], Some(Tls::Server), Shown::OfAnotherHost),
];

/// What all cases share.
pub struct Bench {
    cluster: Cluster,
    programs: Programs,
    tokens: TokenServer,
    token_port: u16,
    /// Where nobody answers.
    closed_port: u16,
    /// An authority that has signed nothing of the broker's.
    other: Pki,
    key: PathBuf,
    _folder: TempDir,
}

/// How a client comes to a listener.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// The listener's name; none is the one without any security.
    pub listener: Option<&'static str>,
    /// Whose certificates are trusted; without, there is no TLS.
    pub trust: Option<Trust>,
    /// Whether a client certificate is shown.
    pub certificate: bool,
    /// The login.
    pub login: Login,
}

/// An authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The one that signed the broker's certificate.
    Right,
    /// Another one.
    Another,
}

/// A login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// None.
    None,
    /// Mechanism, user, password.
    Password(&'static str, &'static str, &'static str),
    /// A token for this secret.
    Token(&'static str),
    /// A token of an endpoint where nobody answers.
    NoEndpoint,
}

impl Access {
    /// A listener without TLS.
    pub const fn plain(listener: Option<&'static str>, login: Login) -> Self {
        Self { listener, trust: None, certificate: false, login }
    }

    /// A listener with TLS, its authority trusted.
    pub const fn tls(listener: &'static str, login: Login) -> Self {
        Self { listener: Some(listener), trust: Some(Trust::Right), certificate: false, login }
    }

    /// As clients set it in `security.protocol`.
    pub fn protocol(self) -> &'static str {
        match (self.login == Login::None, self.trust) {
            (true, None) => "PLAINTEXT",
            (true, Some(_)) => "SSL",
            (false, None) => "SASL_PLAINTEXT",
            (false, Some(_)) => "SASL_SSL",
        }
    }
}

impl Bench {
    pub(super) fn start(programs: Programs) -> Result<Self> {
        let builder = Cluster::builder().user(USER, PASSWORD).user(STRANGER, PASSWORD).acls();
        let builder = LISTENERS.into_iter().fold(builder, |builder, listener| builder.listener(listener));
        // The broker ends a connection whose token has ended.
        let builder = builder.property("listener.name.sasl.oauthbearer.connections.max.reauth.ms", "3600000");
        let cluster = builder.start()?;
        for topic in [TOPIC, READABLE, WRITABLE, HIDDEN] {
            cluster.create_topic(topic, 3, 1, &[])?;
        }
        let all = [Resource::Topic(TOPIC), Resource::Group("*"), Resource::TransactionalId("*")];
        cluster.allow_all(&[USER, SERVICE, CLIENT], &["All"], &all)?;
        cluster.allow_all(&[STRANGER], &["Read"], &[Resource::Topic(READABLE), Resource::Group(GROUP)])?;
        cluster.allow(STRANGER, &["Write"], Resource::Topic(WRITABLE))?;
        let folder = TempDir::with_prefix("security-")?;
        let other = Pki::create(folder.path())?;
        let key = cluster.pki()?.encrypted_client_key(KEY_PASSWORD)?;
        let token_port = free_port()?;
        let tokens = TokenServer::start(token_port, SERVICE, &form_encoded(CLIENT_SECRET))?;
        Ok(Self { cluster, programs, tokens, token_port, closed_port: free_port()?, other, key, _folder: folder })
    }

    /// The address of a listener.
    pub fn address(&self, listener: Option<&str>) -> Result<String> {
        listener.map_or_else(|| Ok(self.cluster.bootstrap_servers()), |name| self.cluster.listener(name))
    }

    /// All addresses that differ from run to run, for a table that does not.
    pub fn addresses(&self) -> Result<Vec<String>> {
        let mut all = vec![self.address(None)?];
        for listener in LISTENERS {
            all.push(self.address(Some(listener.name))?);
        }
        all.extend([self.token_port, self.closed_port].map(|port| format!("127.0.0.1:{port}")));
        Ok(all)
    }

    /// The last token that was handed out.
    pub fn last_token(&self) -> Result<String> {
        self.tokens.tokens().pop().context("the token server has handed out none")
    }

    /// A program that knows its topic and no broker, or one of its subcommands. The run has this name, the group too.
    pub fn nowhere(&self, program: Which, subcommand: Option<&str>, topic: &str, run: &str) -> Program {
        let path = match program {
            Which::Producer => &self.programs.producer,
            Which::Consumer => &self.programs.consumer,
        };
        let program = match program {
            Which::Producer => Program::new(path).args(subcommand).args(["--run-id", run, "--report", "json"]),
            Which::Consumer => Program::new(path).args(subcommand).args(["--group", run, "--format", "json"]),
        };
        program.args(["--topic", topic, "--log-format", "json", "--listen", "127.0.0.1:0"])
    }

    /// A program at a topic, with this access.
    pub fn client(&self, program: Which, access: Access, topic: &str, run: &str) -> Result<Program> {
        let client = self.public(self.nowhere(program, None, topic, run), access)?;
        Ok(match access.login {
            Login::Password(.., password) => client.env("KAFKA_PASSWORD", password),
            Login::Token(secret) => client.env("KAFKA_OAUTH_CLIENT_SECRET", secret),
            Login::NoEndpoint => client.env("KAFKA_OAUTH_CLIENT_SECRET", CLIENT_SECRET),
            Login::None if access.certificate => client.env("KAFKA_SSL_KEY_PASSWORD", KEY_PASSWORD),
            Login::None => client,
        })
    }

    /// The broker's address, and the access without its secret.
    pub fn public(&self, client: Program, access: Access) -> Result<Program> {
        let pki = self.cluster.pki()?;
        let client = client.args(["--bootstrap-servers", &self.address(access.listener)?]);
        let mut client = with_protocol(client, access.protocol());
        client = match access.trust {
            Some(Trust::Right) => with_authority(client, &pki.ca_path()),
            Some(Trust::Another) => with_authority(client, &self.other.ca_path()),
            None => client,
        };
        if access.certificate {
            client = with_certificate(client, &pki.client_certificate(), &self.key);
        }
        Ok(match access.login {
            Login::None => client,
            Login::Password(mechanism, user, _) => client.args(["--sasl-mechanism", mechanism, "--username", user]),
            Login::Token(_) => with_token_url(client, self.token_port, SERVICE),
            Login::NoEndpoint => with_token_url(client, self.closed_port, SERVICE),
        })
    }

    /// A producer or consumer by token, of a server at this port.
    pub fn by_token(&self, program: Which, port: u16, run: &str) -> Result<Program> {
        let client =
            self.nowhere(program, None, TOPIC, run).args(["--bootstrap-servers", &self.address(Some("SASL"))?]);
        Ok(with_token(with_protocol(client, "SASL_PLAINTEXT"), port, SERVICE, CLIENT_SECRET))
    }
}

/// How long a run may take that nothing disturbs, on a busy machine.
pub const RUN: Duration = Duration::from_secs(60);
