//! Tokens for OAUTHBEARER: the client credentials grant, asked of the token endpoint.
//!
//! Done here because librdkafka's own OIDC needs curl, which only its CMake build finds, and that build never reports all
//! brokers down. The same OpenSSL serves both.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::client::OAuthToken;
use serde::Deserialize;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider};

use crate::config::connection::Oauth;

/// The callback runs on the thread that polls: a token endpoint that hangs must not hold it up for long.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Assumed when the endpoint does not say how long its token lives.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);

/// Why no token could be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// The endpoint said no: asking again with the same client cannot help.
    Refused(String),
    /// The endpoint could not be asked.
    Unreachable(String),
}

impl std::fmt::Display for TokenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TokenError::Refused(reason) | TokenError::Unreachable(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for TokenError {}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
}

/// Fetches tokens for one client.
pub struct TokenSource {
    oauth: Oauth,
    agent: ureq::Agent,
}

impl TokenSource {
    /// Prepares the connection to the token endpoint.
    ///
    /// # Errors
    /// When the certificate authorities cannot be read.
    pub fn new(oauth: Oauth) -> Result<Self, String> {
        let roots = certificate_authorities(&oauth)?;
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).build();
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .tls_config(tls)
            .build()
            .into();
        Ok(Self { oauth, agent })
    }

    /// Asks for a token. Blocks for five seconds at most.
    ///
    /// # Errors
    /// Names the endpoint and says what it answered; never the client's secret or a token.
    pub fn fetch(&self) -> Result<OAuthToken, TokenError> {
        let url = &self.oauth.token_url;
        let mut form = vec![("grant_type", "client_credentials")];
        if let Some(scope) = &self.oauth.scope {
            form.push(("scope", scope));
        }
        let credentials = format!("{}:{}", encoded(&self.oauth.client_id), encoded(self.oauth.client_secret.expose()));
        let authorization = format!("Basic {}", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, credentials));
        let mut response = self
            .agent
            .post(url)
            .header("authorization", &authorization)
            .header("accept", "application/json")
            .send_form(form)
            .map_err(|error| TokenError::Unreachable(format!("token endpoint {url}: {error}")))?;
        let status = response.status();
        let body = response
            .body_mut()
            .read_to_string()
            .map_err(|error| TokenError::Unreachable(format!("token endpoint {url}: {error}")))?;
        if !status.is_success() {
            let reason = match serde_json::from_str::<Refusal>(&body) {
                Ok(refusal) => format!("{}: {}", refusal.error, refusal.error_description.unwrap_or_default()),
                Err(_) => String::new(),
            };
            let text = format!("token endpoint {url} answered {status} {reason}");
            let text = text.trim_end_matches([':', ' ']).to_owned();
            return Err(if status.is_client_error() {
                TokenError::Refused(text)
            } else {
                TokenError::Unreachable(text)
            });
        }
        let answer: Answer = serde_json::from_str(&body)
            .map_err(|_| TokenError::Refused(format!("token endpoint {url} answered without an access_token")))?;
        let lifetime = answer.expires_in.map_or(DEFAULT_LIFETIME, Duration::from_secs);
        let expiry = SystemTime::now() + lifetime;
        let lifetime_ms = expiry.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Ok(OAuthToken {
            token: answer.access_token,
            principal_name: self.oauth.client_id.clone(),
            lifetime_ms: i64::try_from(lifetime_ms).unwrap_or(i64::MAX),
        })
    }
}

/// The authorities given, else the system's, wherever the distribution keeps them.
fn certificate_authorities(oauth: &Oauth) -> Result<RootCerts, String> {
    if !oauth.token_url.starts_with("https://") {
        return Ok(RootCerts::PlatformVerifier);
    }
    let path = match &oauth.ca_location {
        Some(path) => path.clone(),
        None => openssl_probe::probe()
            .cert_file
            .ok_or("no certificate authorities found on this system: set KAFKA_SSL_CA_LOCATION")?,
    };
    let pem = std::fs::read(&path).map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
    let certificates: Vec<Certificate<'static>> = ureq::tls::parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(format!("{}: holds no certificate in PEM form", path.display()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

/// Credentials of the Basic scheme are form-encoded first (RFC 6749, section 2.3.1).
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
