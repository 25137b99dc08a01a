//! Which certificate authorities our own HTTP requests trust.

use std::path::Path;

use ureq::tls::{Certificate, PemItem, RootCerts};

/// The authorities in this file, else the system's, wherever the distribution keeps them; for a URL without TLS none are read.
///
/// # Errors
/// When there are none to be read.
pub(crate) fn authorities(url: &str, file: Option<&Path>) -> Result<RootCerts, String> {
    if !url.starts_with("https://") {
        return Ok(RootCerts::PlatformVerifier);
    }
    let path = match file {
        Some(path) => path.to_owned(),
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
