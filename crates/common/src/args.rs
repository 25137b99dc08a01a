//! The flags that both programs have, as a person types them.

pub mod check;
pub mod sandbox;
pub mod traces;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::BoolishValueParser;
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command, ValueEnum};

use crate::config::SecretVariable;
use crate::config::layers::known_variables;
use crate::exit::Exit;

/// How to reach the brokers and how to log in.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionArgs {
    /// Brokers to ask first, comma-separated, without protocol or user; KAFKA_BOOTSTRAP_SERVER means the same
    #[arg(
        long,
        short = 'b',
        env = "KAFKA_BOOTSTRAP_SERVERS",
        value_name = "HOST:PORT,..",
        default_value = "localhost:9092"
    )]
    pub bootstrap_servers: String,

    /// Transport and login
    #[arg(long, env = "KAFKA_SECURITY_PROTOCOL", value_enum, ignore_case = true, default_value = "PLAINTEXT")]
    pub security_protocol: SecurityProtocol,

    /// Login mechanism, for the SASL_* protocols
    #[arg(long, env = "KAFKA_SASL_MECHANISM", value_enum, ignore_case = true)]
    pub sasl_mechanism: Option<SaslMechanism>,

    /// User for PLAIN and SCRAM; its password comes from KAFKA_PASSWORD or KAFKA_PASSWORD_FILE
    #[arg(long, env = "KAFKA_USERNAME", value_name = "NAME")]
    pub username: Option<String>,

    /// Certificate authorities to trust, a PEM file or folder [default: the system's]
    #[arg(long, env = "KAFKA_SSL_CA_LOCATION", value_name = "PATH")]
    pub ssl_ca_location: Option<PathBuf>,

    /// Client certificate for mutual TLS, a PEM file
    #[arg(long, env = "KAFKA_SSL_CERTIFICATE_LOCATION", value_name = "FILE")]
    pub ssl_certificate_location: Option<PathBuf>,

    /// Key of the client certificate, a PEM file; its password comes from KAFKA_SSL_KEY_PASSWORD or its _FILE form
    #[arg(long, env = "KAFKA_SSL_KEY_LOCATION", value_name = "FILE")]
    pub ssl_key_location: Option<PathBuf>,

    /// Token endpoint for OAUTHBEARER (client credentials grant)
    #[arg(long, env = "KAFKA_OAUTH_TOKEN_URL", value_name = "URL")]
    pub oauth_token_url: Option<String>,

    /// Client for OAUTHBEARER; its secret comes from KAFKA_OAUTH_CLIENT_SECRET or its _FILE form
    #[arg(long, env = "KAFKA_OAUTH_CLIENT_ID", value_name = "ID")]
    pub oauth_client_id: Option<String>,

    /// Scope to ask the token endpoint for
    #[arg(long, env = "KAFKA_OAUTH_SCOPE", value_name = "SCOPE")]
    pub oauth_scope: Option<String>,

    /// Name of this client in the brokers' logs, quotas and metrics [default: the program's name]
    #[arg(long, env = "KAFKA_CLIENT_ID", value_name = "NAME")]
    pub client_id: Option<String>,

    /// File of librdkafka properties, a line each: key=value
    #[arg(long, env = "KAFKA_PROPERTIES_FILE", value_name = "FILE")]
    pub properties_file: Option<PathBuf>,

    /// Any librdkafka property; may be repeated (in the variable: separated by semicolons, one in a value written \;)
    #[arg(short = 'X', long = "property", env = "KAFKA_PROPERTIES", value_name = "KEY=VALUE", value_delimiter = ';')]
    pub property: Vec<String>,

    /// How often librdkafka's statistics refresh broker state, round-trip times and lag
    #[arg(long, env = "KAFKA_STATISTICS_INTERVAL", value_name = "TIME", default_value = "5s",
          value_parser = crate::config::units::positive_duration)]
    pub statistics_interval: std::time::Duration,
}

/// The secrets of a connection. Variables only, see [`SecretVariable`].
pub const SECRETS: [SecretVariable; 3] = [
    SecretVariable {
        name: "KAFKA_PASSWORD",
        file: "KAFKA_PASSWORD_FILE",
        help: "Password for PLAIN and SCRAM",
        property: Some("sasl.password"),
    },
    SecretVariable {
        name: "KAFKA_SSL_KEY_PASSWORD",
        file: "KAFKA_SSL_KEY_PASSWORD_FILE",
        help: "Password of the client certificate's key",
        property: Some("ssl.key.password"),
    },
    SecretVariable {
        name: "KAFKA_OAUTH_CLIENT_SECRET",
        file: "KAFKA_OAUTH_CLIENT_SECRET_FILE",
        help: "Secret of the OAUTHBEARER client",
        property: None,
    },
];

/// The end of both programs' `--help`: what no flag says. `own` are the program's own secrets.
pub fn help_footer(own: &[SecretVariable]) -> String {
    let secrets: Vec<&str> = SECRETS.iter().chain(own).map(|secret| secret.name).collect();
    format!(
        "Secrets come from variables or files only: {}, each also as ..._FILE.\n\
         A flag takes one value, also one with a comma or semicolon; in a variable a backslash goes before one that does not separate.\n\
         Traces: OpenTelemetry's variables, such as OTEL_EXPORTER_OTLP_ENDPOINT (docs/telemetry.md).\n\
         Settings are also read from .env.secret and .env.shared in the working folder (or ENV_DIR).\n\n{}",
        secrets.join(", "),
        Exit::help()
    )
}

/// Transport and login of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SecurityProtocol {
    /// No TLS, no login
    #[value(name = "PLAINTEXT")]
    Plaintext,
    /// TLS, maybe with a client certificate
    #[value(name = "SSL")]
    Ssl,
    /// Login without TLS
    #[value(name = "SASL_PLAINTEXT")]
    SaslPlaintext,
    /// Login over TLS
    #[value(name = "SASL_SSL")]
    SaslSsl,
}

impl SecurityProtocol {
    /// The name that librdkafka takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }

    /// Whether there is a login.
    pub const fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    /// Whether there is TLS.
    pub const fn has_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }
}

/// How to log in. Kerberos is left out: it needs plugins that a distroless image does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SaslMechanism {
    /// User and password
    #[value(name = "PLAIN")]
    Plain,
    /// User and password, salted and hashed
    #[value(name = "SCRAM-SHA-256")]
    ScramSha256,
    /// User and password, salted and hashed
    #[value(name = "SCRAM-SHA-512")]
    ScramSha512,
    /// A token from an OAuth server
    #[value(name = "OAUTHBEARER")]
    Oauthbearer,
}

impl SaslMechanism {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::Oauthbearer => "OAUTHBEARER",
        }
    }
}

/// The program's own log, on stderr.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Logging (on stderr)")]
pub struct LogArgs {
    /// Form of the operational log
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "auto")]
    pub log_format: LogFormat,

    /// Log more; RUST_LOG says it in detail
    #[arg(long, env = "DEBUG", value_parser = BoolishValueParser::new())]
    pub debug: bool,
}

/// Form of the operational log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, else JSON
    Auto,
    /// One JSON object a line
    Json,
    /// For people
    Text,
}

/// Where the admin server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Not at all.
    Off,
    /// On this address; port 0 takes a free one.
    On(SocketAddr),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "off" => Ok(Listen::Off),
            address => address
                .parse()
                .map(Listen::On)
                .map_err(|_| "expected an address such as 0.0.0.0:8080 or [::]:8080, or off".to_owned()),
        }
    }
}

/// Which settings somebody gave, by flag, variable or file, as opposed to defaults.
#[derive(Clone, Copy)]
pub struct Given<'a>(pub &'a ArgMatches);

impl Given<'_> {
    /// Whether the argument with this id was given. What variables and files say was made a flag by
    /// [`Layers::parse`](crate::config::Layers::parse).
    pub fn is(&self, id: &str) -> bool {
        self.0.value_source(id) == Some(ValueSource::CommandLine)
    }
}

/// What is wrong with the flags of a program: each needs a variable that env files may have, and a list in a variable needs a
/// separator. For the tests of both programs; contradictions among the flags panic, as clap has it.
pub fn faults(command: &Command) -> Vec<String> {
    command.clone().debug_assert();
    let mut faults = Vec::new();
    for command in std::iter::once(command).chain(command.get_subcommands()) {
        for arg in command.get_arguments().filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version")) {
            let name = format!("{} --{}", command.get_name(), arg.get_id());
            match arg.get_env().and_then(|name| name.to_str()) {
                None => faults.push(format!("{name} has no variable")),
                Some(variable) if known_variables().all(|known| known != variable) => {
                    faults.push(format!("{variable} of {name} is not in variables.txt"));
                }
                Some(_) => {}
            }
            if matches!(arg.get_action(), ArgAction::Append) != arg.get_value_delimiter().is_some() {
                faults.push(format!("{name}: a list needs a separator for its variable, and nothing else has one"));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    #[test]
    fn a_flag_without_a_variable_or_separator_is_found() {
        let command = Command::new("test")
            .arg(Arg::new("topic").long("topic").env("KAFKA_TOPIC"))
            .arg(Arg::new("bare").long("bare"))
            .arg(Arg::new("odd").long("odd").env("NOT_A_SETTING"))
            .subcommand(Command::new("config").arg(Arg::new("many").env("DEBUG").action(ArgAction::Append)));
        let faults = faults(&command);
        let found = ["test --bare has no variable", "NOT_A_SETTING of test --odd", "config --many: a list needs"];
        assert_eq!(faults.len(), found.len(), "{faults:?}");
        assert!(found.iter().zip(&faults).all(|(found, fault)| fault.starts_with(found)), "{faults:?}");
    }
}
