//! Why a broker's certificate is not accepted: expired, for another host, or of an unknown authority. OpenSSL's one error for
//! the three reaches us as one sentence, so we look at the certificate ourselves.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::{X509, X509Ref};

/// For each step of the look: a broker that has just shown its certificate is near.
const LIMIT: Duration = Duration::from_millis(500);

/// What is wrong with the certificate that this place shows, and what to do about it. `checks_host` is false when host names
/// are not compared. `None` when it cannot be looked at.
///
/// No secret goes there: the handshake ends with the look, and no client certificate is shown.
pub fn fault(place: &str, checks_host: bool) -> Option<String> {
    let (host, _) = place.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let chain = shown(place, host)?;
    let leaf = chain.first()?;
    let now = Asn1Time::days_from_now(0).ok()?;
    for certificate in &chain {
        if certificate.not_after() < now {
            let text =
                format!("{place}: the certificate of {} expired on {}", name(certificate), certificate.not_after());
            return Some(format!("{text}; renew it on the broker, or set this machine's clock right"));
        }
        if certificate.not_before() > now {
            let from = certificate.not_before();
            let text = format!("{place}: the certificate of {} is not valid before {from}", name(certificate));
            return Some(format!("{text}; set this machine's clock right"));
        }
    }
    if checks_host && !is_for(leaf, host) {
        return Some(format!(
            "{place}: the certificate is not for the host {host}, but for {}; connect by one of its names, or give the \
             broker a certificate with this one",
            names(leaf)
        ));
    }
    Some(format!(
        "{place}: the certificate is signed by an unknown authority, {}; set KAFKA_SSL_CA_LOCATION to the authority's \
         certificate",
        issuer(chain.last().unwrap_or(leaf))
    ))
}

/// The certificates, the broker's own first.
fn shown(place: &str, host: &str) -> Option<Vec<X509>> {
    let address = place.to_socket_addrs().ok()?.next()?;
    let stream = TcpStream::connect_timeout(&address, LIMIT).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    stream.set_write_timeout(Some(LIMIT)).ok()?;
    let mut connector = SslConnector::builder(SslMethod::tls_client()).ok()?;
    // What is wrong is what we are here for; nothing is sent.
    connector.set_verify(SslVerifyMode::NONE);
    let configuration = connector.build().configure().ok()?.verify_hostname(false);
    let tls = configuration.connect(host, stream).ok()?;
    tls.ssl().peer_cert_chain().map(|chain| chain.iter().map(ToOwned::to_owned).collect())
}

fn is_for(certificate: &X509Ref, host: &str) -> bool {
    let alternatives = certificate.subject_alt_names();
    let address = host.parse::<std::net::IpAddr>().ok().map(|address| match address {
        std::net::IpAddr::V4(address) => address.octets().to_vec(),
        std::net::IpAddr::V6(address) => address.octets().to_vec(),
    });
    let matches = |pattern: &str| match (pattern.strip_prefix("*."), host.split_once('.')) {
        (Some(domain), Some((_, rest))) => domain.eq_ignore_ascii_case(rest),
        _ => pattern.eq_ignore_ascii_case(host),
    };
    match alternatives {
        Some(names) => names.iter().any(|name| {
            name.dnsname().is_some_and(matches) || (address.is_some() && name.ipaddress() == address.as_deref())
        }),
        None => common_name(certificate).is_some_and(|name| matches(&name)),
    }
}

/// The names that a certificate is for.
pub(crate) fn names(certificate: &X509Ref) -> String {
    let of_address = |bytes: &[u8]| match <[u8; 4]>::try_from(bytes) {
        Ok(octets) => std::net::Ipv4Addr::from(octets).to_string(),
        Err(_) => {
            <[u8; 16]>::try_from(bytes).map(std::net::Ipv6Addr::from).map_or_else(|_| "?".to_owned(), |a| a.to_string())
        }
    };
    let names: Vec<String> = certificate
        .subject_alt_names()
        .iter()
        .flatten()
        .filter_map(|name| name.dnsname().map(str::to_owned).or_else(|| name.ipaddress().map(of_address)))
        .take(5)
        .collect();
    if names.is_empty() { name(certificate) } else { names.join(", ") }
}

pub(super) fn name(certificate: &X509Ref) -> String {
    common_name(certificate).unwrap_or_else(|| "a subject without a name".to_owned())
}

fn common_name(certificate: &X509Ref) -> Option<String> {
    let entry = certificate.subject_name().entries_by_nid(openssl::nid::Nid::COMMONNAME).next()?;
    entry.data().to_string().ok()
}

pub(crate) fn issuer(certificate: &X509Ref) -> String {
    let entry = certificate.issuer_name().entries_by_nid(openssl::nid::Nid::COMMONNAME).next();
    entry.and_then(|entry| entry.data().to_string().ok()).unwrap_or_else(|| "without a name".to_owned())
}

#[cfg(test)]
mod tests;
