//! The rules of a connection: which settings need which, and the librdkafka properties they become.

use std::path::PathBuf;

use crate::args::{ConnectionArgs, Given, SECRETS, SaslMechanism};
use crate::config::properties::SERVERS;
use crate::config::{Layers, Problems, Properties, Secret, address};

/// What of a connection does not fit into librdkafka's properties.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Brokers asked first, for messages.
    pub bootstrap_servers: String,
    /// How tokens are fetched, for OAUTHBEARER.
    pub oauth: Option<Oauth>,
    /// The file that the password of PLAIN or SCRAM comes from.
    pub password_file: Option<PathBuf>,
    /// The file that the password of the client certificate's key comes from.
    pub key_password_file: Option<PathBuf>,
}

/// A client of a token endpoint, for the client credentials grant.
#[derive(Clone, Debug)]
pub struct Oauth {
    /// The token endpoint.
    pub token_url: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Secret,
    /// The file that it comes from.
    pub client_secret_file: Option<PathBuf>,
    /// What to ask for.
    pub scope: Option<String>,
    /// PEM file of certificate authorities to trust, if not the system's.
    pub ca_location: Option<PathBuf>,
}

/// Checks the connection settings and puts them into `properties`, raw ones included.
pub fn resolve(
    args: &ConnectionArgs,
    program: &str,
    given: Given<'_>,
    layers: &Layers,
    properties: &mut Properties,
    problems: &mut Problems,
) -> Connection {
    if let Some(path) = &args.properties_file {
        properties.file(path, problems);
    }
    for property in args.property.iter().filter(|property| !property.trim().is_empty()) {
        properties.raw(property, problems);
    }
    let mut typed = |id: &str, key: &str, value: &str, setting: &str, problems: &mut Problems| {
        properties.typed(key, value, setting, given.is(id), problems);
    };
    typed("bootstrap_servers", SERVERS, args.bootstrap_servers.trim(), "--bootstrap-servers", problems);
    typed("security_protocol", "security.protocol", args.security_protocol.name(), "--security-protocol", problems);
    typed("client_id", "client.id", args.client_id.as_deref().unwrap_or(program), "--client-id", problems);
    let interval = args.statistics_interval.as_millis().to_string();
    typed("statistics_interval", "statistics.interval.ms", &interval, "--statistics-interval", problems);
    servers(properties, problems);

    let paths = [
        ("ssl.ca.location", "--ssl-ca-location", &args.ssl_ca_location),
        ("ssl.certificate.location", "--ssl-certificate-location", &args.ssl_certificate_location),
        ("ssl.key.location", "--ssl-key-location", &args.ssl_key_location),
    ];
    for (key, setting, path) in paths {
        let Some(path) = path else { continue };
        if let Err(error) = std::fs::metadata(path) {
            problems.add(format!("{setting} {}: cannot be read: {error}", path.display()));
        }
        properties.typed(key, path.display(), setting, true, problems);
    }
    // OpenSSL is linked in and looks for certificates where no distribution has them: let librdkafka look around.
    properties.fallback("ssl.ca.location", "probe");

    let [password, key_password, client_secret] = SECRETS.map(|variable| layers.secret(&variable, problems));
    for (secret, variable) in [(&password, SECRETS[0]), (&key_password, SECRETS[1])] {
        if let (Some((secret, _)), Some(property)) = (secret, variable.property) {
            properties.typed(property, secret.expose(), variable.name, true, problems);
        }
    }
    if let Some(username) = &args.username {
        properties.typed("sasl.username", username, "--username", true, problems);
    }
    let [password_file, key_password_file, client_secret_file] = SECRETS.map(|variable| layers.secret_file(&variable));
    let oauth = login(args, properties, client_secret.map(|(secret, _)| (secret, client_secret_file)), problems);
    Connection {
        bootstrap_servers: properties.get(SERVERS).unwrap_or_default().to_owned(),
        oauth,
        password_file: password_file.filter(|_| logs_in_by_password(properties)),
        key_password_file,
    }
}

/// Whether a user and a password log in.
fn logs_in_by_password(properties: &Properties) -> bool {
    let lower = |key: &str| properties.get(key).unwrap_or_default().to_ascii_lowercase();
    let mechanism = lower("sasl.mechanism");
    lower("security.protocol").starts_with("sasl_") && (mechanism == "plain" || mechanism.starts_with("scram-"))
}

/// The rules between protocol, mechanism and credentials.
fn login(
    args: &ConnectionArgs,
    properties: &mut Properties,
    client_secret: Option<(Secret, Option<PathBuf>)>,
    problems: &mut Problems,
) -> Option<Oauth> {
    // Also where nothing is logged in to by token: it is printed all the same.
    if let Some(url) = &args.oauth_token_url
        && let Err(problem) = address::token_url(url)
    {
        problems.add(format!("--oauth-token-url (KAFKA_OAUTH_TOKEN_URL): {problem}"));
    }
    // A raw `security.protocol` or `sasl.mechanism` counts as much as the typed one.
    let protocol = properties.get("security.protocol").unwrap_or_default().to_ascii_lowercase();
    let has_sasl = protocol.starts_with("sasl_") || (protocol.is_empty() && args.security_protocol.has_sasl());
    if let Some(mechanism) = args.sasl_mechanism {
        properties.typed("sasl.mechanism", mechanism.name(), "--sasl-mechanism", true, problems);
        if !has_sasl {
            problems.add(format!(
                "--sasl-mechanism {} needs --security-protocol SASL_PLAINTEXT or SASL_SSL, not {}",
                mechanism.name(),
                protocol.to_ascii_uppercase()
            ));
        }
    }
    if !has_sasl {
        return None;
    }
    match properties.get("sasl.mechanism").map(str::to_ascii_uppercase).as_deref() {
        None => problems.add("--security-protocol with SASL needs --sasl-mechanism (KAFKA_SASL_MECHANISM)"),
        Some("GSSAPI") => problems.add(
            "sasl.mechanism GSSAPI: Kerberos is not built in; use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER",
        ),
        Some("OAUTHBEARER") => return oauth(args, client_secret, problems),
        Some(mechanism) => {
            let needs = [
                ("sasl.username", "--username (KAFKA_USERNAME)"),
                ("sasl.password", "KAFKA_PASSWORD or KAFKA_PASSWORD_FILE"),
            ];
            for (key, setting) in needs {
                if properties.get(key).is_none() {
                    problems.add(format!("sasl.mechanism {mechanism} needs {setting}"));
                }
            }
        }
    }
    None
}

fn oauth(
    args: &ConnectionArgs,
    client_secret: Option<(Secret, Option<PathBuf>)>,
    problems: &mut Problems,
) -> Option<Oauth> {
    let mechanism = SaslMechanism::Oauthbearer.name();
    let mut need = |present: bool, setting: &str| {
        if !present {
            problems.add(format!("sasl.mechanism {mechanism} needs {setting}"));
        }
    };
    need(args.oauth_token_url.is_some(), "--oauth-token-url (KAFKA_OAUTH_TOKEN_URL)");
    need(args.oauth_client_id.is_some(), "--oauth-client-id (KAFKA_OAUTH_CLIENT_ID)");
    need(client_secret.is_some(), "KAFKA_OAUTH_CLIENT_SECRET or KAFKA_OAUTH_CLIENT_SECRET_FILE");
    let (client_secret, client_secret_file) = client_secret?;
    Some(Oauth {
        token_url: args.oauth_token_url.clone()?,
        client_id: args.oauth_client_id.clone()?,
        client_secret,
        client_secret_file,
        scope: args.oauth_scope.clone(),
        ca_location: args.ssl_ca_location.clone(),
    })
}

/// Checks the addresses of the brokers, wherever they were written; librdkafka would only say that none is up.
fn servers(properties: &mut Properties, problems: &mut Problems) {
    let tls =
        properties.get("security.protocol").is_some_and(|protocol| protocol.to_ascii_lowercase().ends_with("ssl"));
    match address::servers(properties.get(SERVERS).unwrap_or_default(), tls) {
        Ok(servers) => properties.correct(SERVERS, servers),
        Err(problem) => {
            problems.add(format!("{}: {problem}", properties.origin(SERVERS)));
            properties.remove(SERVERS);
        }
    }
}
