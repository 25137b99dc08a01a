//! Certificates for the programs' own HTTPS requests, by the OpenSSL that librdkafka uses too.

use std::path::Path;

use openssl::pkey::PKey;
use openssl::x509::X509;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts};

/// The authorities that a request to this URL trusts: those of [`roots`]; for a URL without TLS none are read.
///
/// # Errors
/// As [`roots`].
pub(crate) fn authorities(url: &str, file: Option<&Path>, setting: &str) -> Result<RootCerts, String> {
    if url.starts_with("https://") { roots(file, setting) } else { Ok(RootCerts::PlatformVerifier) }
}

/// The authorities of a PEM file, else the system's, wherever the distribution keeps them. `setting` is what names a file.
///
/// # Errors
/// Names the file and says why it cannot be used.
pub(crate) fn roots(ca: Option<&Path>, setting: &str) -> Result<RootCerts, String> {
    let path = match ca {
        Some(path) => path.to_owned(),
        None => openssl_probe::probe()
            .cert_file
            .ok_or_else(|| format!("no certificate authorities found on this system: set {setting}"))?,
    };
    Ok(RootCerts::new_with_certs(&certificates(&path)?))
}

/// A client's certificate and its key.
///
/// # Errors
/// Names the file and says why it cannot be used; never what is in a key.
pub(crate) fn client(certificate: &Path, key: &Path) -> Result<ClientCert, String> {
    let chain = certificates(certificate)?;
    let shown = key.display();
    let pem = std::fs::read(key).map_err(|error| format!("{shown}: cannot be read: {error}"))?;
    // The only form that the TLS library takes.
    let is_pkcs8 = pem.windows(PKCS8.len()).any(|part| part == PKCS8);
    let parsed = if is_pkcs8 { PrivateKey::from_pem(&pem).ok() } else { None };
    let hint = "expected a key in PKCS#8 without a password: openssl pkcs8 -topk8 -nocrypt makes one";
    let parsed = parsed.ok_or_else(|| format!("{shown}: {hint}"))?;
    // Else none is shown to the server, and nobody says why.
    if !belong(&chain, &pem) {
        let name = certificate.display();
        return Err(format!("{shown}: is not the key of the first certificate in {name}"));
    }
    Ok(ClientCert::new_with_certs(&chain, parsed))
}

/// Whether the first of these certificates has this key.
fn belong(chain: &[Certificate<'_>], key: &[u8]) -> bool {
    let leaf = chain.first().and_then(|leaf| X509::from_der(leaf.der()).ok()?.public_key().ok());
    let key = PKey::private_key_from_pem(key).ok();
    leaf.zip(key).is_some_and(|(leaf, key)| leaf.public_eq(&key))
}

/// How a key in PKCS#8 begins.
const PKCS8: &[u8] = b"-----BEGIN PRIVATE KEY-----";

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let pem = std::fs::read(path).map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
    let certificates: Vec<Certificate<'static>> = ureq::tls::parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(format!("{}: holds no certificate in PEM form", path.display()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use crate::kafka::fakes::Identity;

    #[test]
    fn a_key_that_is_not_that_of_the_certificate_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(Identity::authority);
        let certificate = one.certificate_file(folder.path());
        assert!(client(&certificate, &one.key_file(folder.path())).is_ok());
        let key = other.key_file(folder.path());
        let error = client(&certificate, &key).err().unwrap();
        let (key, certificate) = (key.display(), certificate.display());
        assert_eq!(error, format!("{key}: is not the key of the first certificate in {certificate}"));
    }
}
