//! Certificates, keys and authorities that are replaced. librdkafka reads them once, so only a new process takes them up.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;
use openssl::pkey::PKey;
use openssl::sha::sha256;
use openssl::x509::X509;

use super::OnChange;
use super::file::{Look, Watched};
use crate::config::{Properties, Secret};
use crate::connection::Connection;
use crate::kafka::replaced::Replaced;

/// The members of a group do not end at once, but spread over this time.
const SPREAD: Duration = Duration::from_secs(60);

/// Its content without keeping it: it may be a key.
type Fingerprint = [u8; 32];

/// The files of a client.
pub(super) struct Certificates {
    files: Vec<(Kind, Watched<Fingerprint>)>,
    pair: Pair,
    on_change: OnChange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Authorities,
    Certificate,
    Key,
}

/// The client's certificate and its key: together, or neither is of use.
struct Pair {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    key_password: Option<Secret>,
    key_password_file: Option<PathBuf>,
}

impl Certificates {
    /// `None` where there is nothing to look at.
    pub fn of(properties: &Properties, connection: &Connection, on_change: OnChange) -> Option<Self> {
        let has_tls =
            properties.get("security.protocol").is_some_and(|name| name.to_ascii_lowercase().ends_with("ssl"));
        // `probe` is librdkafka's word for the system's bundle. In a folder of authorities OpenSSL looks each time.
        let file = |key: &str| {
            let path = properties.get(key).filter(|path| has_tls && *path != "probe").map(PathBuf::from);
            path.filter(|path| !path.is_dir())
        };
        let (certificate, key) = (file("ssl.certificate.location"), file("ssl.key.location"));
        let oauth = connection.oauth.as_ref().filter(|oauth| oauth.token_url.starts_with("https://"));
        let oauth = oauth.and_then(|oauth| oauth.ca_location.clone()).filter(|path| !path.is_dir());
        let authorities = file("ssl.ca.location");
        let oauth = oauth.filter(|path| authorities.as_ref() != Some(path));
        let wanted = [
            (Kind::Authorities, authorities),
            (Kind::Authorities, oauth),
            (Kind::Certificate, certificate.clone()),
            (Kind::Key, key.clone()),
        ];
        let files: Vec<_> = wanted
            .into_iter()
            .filter_map(|(kind, path)| {
                let path = path?;
                let taken = fingerprint(&path).ok();
                Some((kind, Watched::new(path, fingerprint, taken)))
            })
            .collect();
        let key_password = properties.get("ssl.key.password").map(Secret::new);
        let pair = Pair { certificate, key, key_password, key_password_file: connection.key_password_file.clone() };
        (!files.is_empty()).then_some(Self { files, pair, on_change })
    }

    /// Looks at each file. `true` when the next look should come soon.
    pub fn look(&mut self, replaced: &Replaced) -> bool {
        let looks: Vec<Look> = self.files.iter_mut().map(|(_, file)| file.look()).collect();
        // What is replaced together is one change.
        if looks.contains(&Look::Unsettled) {
            return true;
        }
        let mut changed = Vec::new();
        for ((kind, file), _) in self.files.iter_mut().zip(looks).filter(|(_, look)| *look == Look::New) {
            match self.pair.fault(*kind, file.path()) {
                // The next process could not start with it.
                Some(fault) => file.complain(&fault),
                None => {
                    changed.push(file.path().display().to_string());
                    file.take();
                }
            }
        }
        if !changed.is_empty() {
            self.changed(&changed.join(", "), replaced);
        }
        false
    }

    fn changed(&self, file: &str, replaced: &Replaced) {
        match self.on_change {
            OnChange::End => {
                let end = replaced.end_after(delay(&mut seeded()));
                let seconds = end.saturating_duration_since(Instant::now()).as_secs();
                tracing::info!(
                    event = "credentials_changed",
                    file,
                    seconds,
                    "{file}: replaced, and read only at a start: this process ends in {seconds} s, for the next one to read it"
                );
            }
            OnChange::Warn(flag) => {
                let advice = flag.map_or_else(
                    || "this run keeps what it has".to_owned(),
                    |flag| format!("restart this program, or let {flag} end it each time"),
                );
                tracing::warn!(
                    event = "credentials_changed",
                    file,
                    "{file}: replaced, and read only at a start: {advice}"
                );
            }
        }
    }
}

/// After which time this process ends.
fn delay(rng: &mut Rng) -> Duration {
    SPREAD.mul_f64(rng.f64())
}

/// Differs from process to process, also between those that start at the same moment.
fn seeded() -> Rng {
    Rng::with_seed(RandomState::new().hash_one(std::process::id()))
}

fn fingerprint(path: &Path) -> Result<Fingerprint, String> {
    let bytes = read(path)?;
    if bytes.is_empty() { Err("the file is empty".to_owned()) } else { Ok(sha256(&bytes)) }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("the file cannot be read: {error}"))
}

impl Pair {
    /// Why this file is of no use as it is now.
    fn fault(&self, kind: Kind, path: &Path) -> Option<String> {
        let fault = match kind {
            Kind::Authorities => certificates(path).map(drop),
            Kind::Certificate | Kind::Key => self.check(),
        };
        fault.err()
    }

    fn check(&self) -> Result<(), String> {
        let leaf = match &self.certificate {
            Some(path) => certificates(path)?.into_iter().next(),
            None => None,
        };
        let Some(path) = &self.key else { return Ok(()) };
        let password = match &self.key_password_file {
            Some(file) => Secret::from_file(file).map_err(|error| format!("{}: {error}", file.display()))?,
            // With none at all OpenSSL would ask the terminal.
            None => self.key_password.clone().unwrap_or_else(|| Secret::new("")),
        };
        let shown = path.display();
        let key = PKey::private_key_from_pem_passphrase(&read(path)?, password.expose().as_bytes())
            .map_err(|_| format!("{shown} holds no key in PEM form that its password opens"))?;
        match leaf.and_then(|leaf| leaf.public_key().ok()) {
            Some(public) if !public.public_eq(&key) => Err(format!("{shown} is not the key of the certificate yet")),
            _ => Ok(()),
        }
    }
}

/// The certificates of a file, one at least.
fn certificates(path: &Path) -> Result<Vec<X509>, String> {
    match X509::stack_from_pem(&read(path)?) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(format!("{} holds no certificate in PEM form", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_spread_over_a_minute() {
        let delays: Vec<u64> = (0..6000).map(|_| delay(&mut seeded()).as_millis() as u64).collect();
        assert!(delays.iter().all(|delay| *delay < 60_000));
        for tenth in 0..6 {
            let count = delays.iter().filter(|delay| **delay / 10_000 == tenth).count();
            assert!((800..1200).contains(&count), "{count} of 6000 processes end in the {tenth}th ten seconds");
        }
    }
}
