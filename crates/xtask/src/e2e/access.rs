//! How a program logs in and whom it trusts: the flags and variables that scenarios of several suites give.

use std::path::Path;

use testbed::process::Program;

use super::token_server::TokenServer;

/// Transport and login, as `SASL_SSL`.
pub fn with_protocol(program: Program, protocol: &str) -> Program {
    program.args(["--security-protocol", protocol])
}

/// A login by PLAIN or SCRAM, its password in a variable.
pub fn with_password(program: Program, mechanism: &str, user: &str, password: &str) -> Program {
    program.args(["--sasl-mechanism", mechanism, "--username", user]).env("KAFKA_PASSWORD", password)
}

/// A login by token of a [`TokenServer`] on this port, the client's secret in a variable.
pub fn with_token(program: Program, port: u16, client: &str, secret: &str) -> Program {
    with_token_url(program, port, client).env("KAFKA_OAUTH_CLIENT_SECRET", secret)
}

/// As [`with_token`], the secret left to the caller.
pub fn with_token_url(program: Program, port: u16, client: &str) -> Program {
    let mechanism = ["--sasl-mechanism", "OAUTHBEARER"];
    program.args(mechanism).args(["--oauth-token-url", &TokenServer::url(port), "--oauth-client-id", client])
}

/// The authority that the brokers' certificates are held against.
pub fn with_authority(program: Program, authority: &Path) -> Program {
    program.arg("--ssl-ca-location").arg(authority)
}

/// The client's own certificate and its key.
pub fn with_certificate(program: Program, certificate: &Path, key: &Path) -> Program {
    program.arg("--ssl-certificate-location").arg(certificate).arg("--ssl-key-location").arg(key)
}

/// A secret as RFC 6749 wants it before it is put into the Basic scheme.
pub fn form_encoded(text: &str) -> String {
    text.replace('/', "%2F").replace('+', "%2B")
}
