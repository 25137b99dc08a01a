//! The TLS handshake with a broker, by the OpenSSL that is linked, with the settings that librdkafka has: what the certificate says,
//! and why it is not accepted.

use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{HandshakeError, SslConnector, SslConnectorBuilder, SslMethod, SslStream, SslVerifyMode};
use openssl::x509::{X509, X509Ref, X509VerifyResult};

use super::finding::{Findings, Layer};
use crate::config::Properties;
use crate::exit::Exit;
use crate::kafka::certificate;

const DAY: i64 = 24 * 3600;

/// A connection, encrypted or not.
pub enum Stream {
    /// As it is.
    Plain(TcpStream),
    /// Within TLS.
    Tls(Box<SslStream<TcpStream>>),
}

/// Whether the brokers are to be reached by TLS.
pub fn is_wanted(properties: &Properties) -> bool {
    properties.get("security.protocol").is_some_and(|name| name.to_ascii_lowercase().ends_with("ssl"))
}

/// Shakes hands with the broker at `place`, and says what was seen in this layer.
pub fn shake_hands(
    layer: Layer,
    place: &str,
    stream: TcpStream,
    properties: &Properties,
    findings: &mut Findings,
) -> Option<Stream> {
    let checks = Checks::of(properties);
    let (connector, authorities) = match connector(properties, checks) {
        Ok(made) => made,
        Err(reason) => {
            findings.fail(layer, place, Exit::Usage, reason, "check KAFKA_SSL_CA_LOCATION and the client's files");
            return None;
        }
    };
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let configuration = connector.configure().map(|configuration| configuration.verify_hostname(checks.host));
    let shaken = match configuration {
        Ok(configuration) => configuration.connect(host, stream),
        Err(error) => {
            findings.fail(layer, place, Exit::Usage, error.to_string(), "");
            return None;
        }
    };
    match shaken {
        Ok(tls) => {
            let certificate = tls.ssl().peer_certificate();
            let shown = certificate.as_deref().map_or_else(|| "no certificate was shown".to_owned(), described);
            let version = tls.ssl().version_str();
            let by =
                if checks.chain { format!("verified by {authorities}") } else { "not verified, as set".to_owned() };
            findings.pass(layer, place, format!("{version}, {shown}, {by}"));
            Some(Stream::Tls(Box::new(tls)))
        }
        Err(error) => {
            let (exit, seen, to_do) = refused(&error, place, checks.host);
            findings.fail(layer, place, exit, seen, to_do);
            None
        }
    }
}

/// What is compared.
#[derive(Clone, Copy)]
struct Checks {
    chain: bool,
    host: bool,
}

impl Checks {
    fn of(properties: &Properties) -> Self {
        let is = |key: &str, value: &str| properties.get(key).is_some_and(|set| set.eq_ignore_ascii_case(value));
        let chain = !is("enable.ssl.certificate.verification", "false");
        Self { chain, host: chain && !is("ssl.endpoint.identification.algorithm", "none") }
    }
}

/// The connector, and where its authorities come from.
fn connector(properties: &Properties, checks: Checks) -> Result<(SslConnector, String), String> {
    let said = |error: ErrorStack| error.to_string();
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(said)?;
    builder.set_verify(if checks.chain { SslVerifyMode::PEER } else { SslVerifyMode::NONE });
    let authorities = match (properties.get("ssl.ca.pem"), properties.get("ssl.ca.location")) {
        (Some(pem), _) => {
            for authority in X509::stack_from_pem(pem.as_bytes()).map_err(said)? {
                builder.cert_store_mut().add_cert(authority).map_err(said)?;
            }
            "the authorities in the settings".to_owned()
        }
        (None, Some(path)) if path != "probe" => {
            let of_folder = std::path::Path::new(path).is_dir();
            let loaded = if of_folder { folder(&mut builder, path) } else { builder.set_ca_file(path) };
            loaded.map_err(|error| format!("{path}: {error}"))?;
            path.to_owned()
        }
        _ => match openssl_probe::probe().cert_file {
            Some(path) => {
                builder.set_ca_file(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                path.display().to_string()
            }
            None => return Err("no certificate authorities found on this system".to_owned()),
        },
    };
    if let (Some(chain), Some(key)) = (properties.get("ssl.certificate.location"), properties.get("ssl.key.location")) {
        builder.set_certificate_chain_file(chain).map_err(|error| format!("{chain}: {error}"))?;
        let pem = std::fs::read(key).map_err(|error| format!("{key}: cannot be read: {error}"))?;
        let parsed = match properties.get("ssl.key.password") {
            Some(password) => PKey::private_key_from_pem_passphrase(&pem, password.as_bytes()),
            None => PKey::private_key_from_pem(&pem),
        };
        // What OpenSSL says of a key is for nobody's eyes.
        let parsed = parsed.map_err(|_| format!("{key}: is no key, or another password is needed"))?;
        builder.set_private_key(&parsed).map_err(|_| format!("{key}: is not the key of {chain}"))?;
    }
    Ok((builder.build(), authorities))
}

fn folder(builder: &mut SslConnectorBuilder, path: &str) -> Result<(), ErrorStack> {
    builder.load_verify_locations(None, Some(std::path::Path::new(path)))
}

/// Who made a certificate, for whom, and how long it holds.
fn described(leaf: &X509Ref) -> String {
    let left = Asn1Time::from_unix(0).and_then(|epoch| epoch.diff(leaf.not_after()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let days = left.ok().map(|left| {
        let ends = i64::from(left.days) * DAY + i64::from(left.secs);
        (ends - i64::try_from(now).unwrap_or(i64::MAX)) / DAY
    });
    let days = days.map_or("an unknown number of".to_owned(), |days| days.to_string());
    format!("certificate for {} by {}, {days} days left", certificate::names(leaf), certificate::issuer(leaf))
}

/// Why the handshake failed: exit code, what was seen, what to do.
fn refused(error: &HandshakeError<TcpStream>, place: &str, checks_host: bool) -> (Exit, String, String) {
    let HandshakeError::Failure(broken) = error else {
        return (
            Exit::Unreachable,
            "the handshake did not end in time".to_owned(),
            "is this a port with TLS?".to_owned(),
        );
    };
    if broken.ssl().verify_result() != X509VerifyResult::OK {
        let seen = certificate::fault(place, checks_host).unwrap_or_else(|| broken.ssl().verify_result().to_string());
        let seen = seen.strip_prefix(&format!("{place}: ")).map(str::to_owned).unwrap_or(seen);
        return match seen.rsplit_once("; ") {
            Some((seen, to_do)) => (Exit::Refused, seen.to_owned(), to_do.to_owned()),
            None => (Exit::Refused, seen, String::new()),
        };
    }
    let to_do = "the port may speak without TLS (KAFKA_SECURITY_PROTOCOL), or be none of Kafka's";
    (Exit::Unreachable, format!("the handshake failed: {}", broken.error()), to_do.to_owned())
}
