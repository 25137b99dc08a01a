//! When our own certificates end: read from the files that librdkafka was given, and again every ten minutes, as they are replaced
//! while a program runs.

use std::path::PathBuf;
use std::time::Duration;

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::X509;
use prometheus::IntGaugeVec;

use crate::config::Properties;

/// Between two looks at the files.
const AGAIN: Duration = Duration::from_secs(600);
/// A file with more authorities than this is a public bundle, of which some have always ended.
const BUNDLE: usize = 10;

/// Shows from now on when the certificates of a client with these properties end. Without any there is nothing to look at, and no
/// thread. The files are read on a thread of its own: one on a network may hang.
pub fn watch(properties: &Properties, expiry: IntGaugeVec) {
    let mut certificates = Certificates::of(properties, expiry);
    if certificates.0.is_empty() {
        return;
    }
    let look = move || {
        loop {
            certificates.look();
            std::thread::sleep(AGAIN);
        }
    };
    if let Err(error) = std::thread::Builder::new().name("expiry".to_owned()).spawn(look) {
        tracing::warn!(event = "certificates_unwatched", "nobody looks at when the certificates end: {error}");
    }
}

/// The certificates of a client.
struct Certificates(Vec<Watched>);

struct Watched {
    kind: Kind,
    source: Source,
    expiry: IntGaugeVec,
    /// What was said of the last look, so that it is said once.
    said: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ca,
    Client,
}

impl Kind {
    const fn label(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Client => "client",
        }
    }
}

enum Source {
    File(PathBuf),
    Text(String),
}

/// What a look at one source found.
#[derive(Debug, Default, PartialEq)]
struct Found {
    /// When the first of them ends, in seconds since 1970.
    ends: Option<i64>,
    /// What is to be said.
    sentences: Vec<String>,
}

impl Certificates {
    fn of(properties: &Properties, expiry: IntGaugeVec) -> Self {
        let has_tls =
            properties.get("security.protocol").is_some_and(|name| name.to_ascii_lowercase().ends_with("ssl"));
        // `probe` is librdkafka's word for the system's bundle; a folder has no end that could be named.
        let file = |key: &str| {
            let path = properties.get(key).filter(|path| *path != "probe").map(PathBuf::from);
            path.filter(|path| !path.is_dir()).map(Source::File)
        };
        let text = |key: &str| properties.get(key).map(|text| Source::Text(text.to_owned()));
        let sources = [
            (Kind::Ca, text("ssl.ca.pem").or_else(|| file("ssl.ca.location"))),
            (Kind::Client, text("ssl.certificate.pem").or_else(|| file("ssl.certificate.location"))),
        ];
        let watched = sources.into_iter().filter(|_| has_tls).filter_map(|(kind, source)| {
            Some(Watched { kind, source: source?, expiry: expiry.clone(), said: Vec::new() })
        });
        Self(watched.collect())
    }

    fn look(&mut self) {
        for watched in &mut self.0 {
            let Found { ends, sentences } = watched.find();
            for sentence in sentences.iter().filter(|sentence| !watched.said.contains(sentence)) {
                tracing::warn!(event = "certificate", kind = watched.kind.label(), "{sentence}");
            }
            watched.said = sentences;
            match ends {
                Some(ends) => watched.expiry.with_label_values(&[watched.kind.label()]).set(ends),
                // Absent where there was none.
                None => drop(watched.expiry.remove_label_values(&[watched.kind.label()])),
            }
        }
    }
}

impl Watched {
    fn find(&self) -> Found {
        let (name, pem) = match &self.source {
            Source::Text(text) => ("the certificates in the settings".to_owned(), Ok(text.clone().into_bytes())),
            Source::File(path) => (path.display().to_string(), std::fs::read(path)),
        };
        let problem = |what: String| Found { ends: None, sentences: vec![what] };
        let pem = match pem {
            Ok(pem) => pem,
            Err(error) => return problem(format!("{name}: cannot be read, so nobody knows when it ends: {error}")),
        };
        match X509::stack_from_pem(&pem) {
            Ok(certificates) if !certificates.is_empty() => self.of(&name, &certificates),
            _ => problem(format!("{name}: holds no certificate in PEM form, so nobody knows when it ends")),
        }
    }

    fn of(&self, name: &str, certificates: &[X509]) -> Found {
        match (self.kind, certificates) {
            // Its chain is behind it. One that has ended is still shown: that is what an alert is for.
            (Kind::Client, [leaf, ..]) => Found { ends: seconds(leaf.not_after()), sentences: Vec::new() },
            (Kind::Ca, many) if many.len() <= BUNDLE => {
                let is_over =
                    |certificate: &&X509| Asn1Time::days_from_now(0).is_ok_and(|now| certificate.not_after() < now);
                let (ended, good): (Vec<&X509>, Vec<&X509>) = many.iter().partition(is_over);
                let sentence = |certificate: &X509| {
                    let (subject, end) = (super::certificate::name(certificate), certificate.not_after());
                    format!("{name}: the certificate of {subject} ended on {end}; take it out of the file")
                };
                Found {
                    ends: good.iter().filter_map(|certificate| seconds(certificate.not_after())).min(),
                    sentences: ended.into_iter().map(sentence).collect(),
                }
            }
            _ => Found::default(),
        }
    }
}

/// A time in seconds since 1970.
fn seconds(time: &Asn1TimeRef) -> Option<i64> {
    let difference = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    Some(i64::from(difference.days) * 86_400 + i64::from(difference.secs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::fakes::{Identity, Wanted, properties};
    use crate::metrics::{ClientMetrics, Metrics, Program};

    /// A certificate in PEM form that ends in so many days.
    fn pem(days: i64) -> String {
        let authority = Identity::authority("an authority");
        let wanted = Wanted { name: "x", hosts: &["localhost"], from: -20, until: days };
        let identity = Identity::of(&authority, &wanted);
        String::from_utf8(identity.certificate.to_pem().unwrap()).unwrap()
    }

    fn expiry() -> IntGaugeVec {
        let program =
            Program { program: "test", version: "1", librdkafka: "2".into(), features: String::new(), openssl: "3" };
        ClientMetrics::new(&mut Metrics::new("test", &program).unwrap()).unwrap().certificate_expiry
    }

    /// The series, as kind and whole days from now.
    fn shown(expiry: &IntGaugeVec) -> Vec<(String, i64)> {
        use prometheus::core::Collector;
        let now = crate::text::epoch_us() / 1_000_000;
        let families = expiry.collect();
        let metrics = families.iter().flat_map(|family| family.get_metric());
        let days = |value: f64| ((value as i64 - now) as f64 / 86_400.0).round() as i64;
        metrics.map(|one| (one.get_label()[0].value().to_owned(), days(one.get_gauge().get_value()))).collect()
    }

    #[test]
    fn the_leaf_and_the_first_authority_to_end_are_shown_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (ca, client) = (path("ca.pem"), path("client.pem"));
        std::fs::write(&ca, [pem(30), pem(-2), pem(20)].concat()).unwrap();
        std::fs::write(&client, [pem(7), pem(3)].concat()).unwrap();
        let settings = properties(&[
            ("security.protocol", "sasl_ssl"),
            ("ssl.ca.location", &ca),
            ("ssl.certificate.location", &client),
        ]);
        let expiry = expiry();
        let mut certificates = Certificates::of(&settings, expiry.clone());
        certificates.look();
        assert_eq!(shown(&expiry), [("ca".to_owned(), 20), ("client".to_owned(), 7)]);
        assert_eq!(certificates.0[0].said.len(), 1, "{:?}", certificates.0[0].said);
        assert!(certificates.0[0].said[0].contains("the certificate of x ended on "), "{:?}", certificates.0[0].said);
        // Rotated, and a client certificate that has ended.
        std::fs::write(&ca, pem(90)).unwrap();
        std::fs::write(&client, pem(-1)).unwrap();
        certificates.look();
        assert_eq!(shown(&expiry), [("ca".to_owned(), 90), ("client".to_owned(), -1)]);
        assert!(certificates.0[0].said.is_empty());
        std::fs::write(&ca, "nonsense").unwrap();
        std::fs::remove_file(&client).unwrap();
        certificates.look();
        assert_eq!(shown(&expiry), []);
        assert!(certificates.0.iter().all(|watched| watched.said.len() == 1));
    }

    #[test]
    fn bundles_ended_authorities_and_connections_without_tls_have_no_series() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let one = pem(5);
        let (most, bundle) = (file("most.pem", one.repeat(BUNDLE)), file("bundle.pem", one.repeat(BUNDLE + 1)));
        let ended = file("ended.pem", pem(-1));
        for (protocol, key, value, series) in [
            ("ssl", "ssl.ca.location", most.as_str(), 1),
            ("ssl", "ssl.ca.location", &bundle, 0),
            ("ssl", "ssl.ca.location", &ended, 0),
            ("ssl", "ssl.ca.location", "probe", 0),
            ("ssl", "ssl.ca.location", folder.path().to_str().unwrap(), 0),
            ("ssl", "ssl.ca.pem", &one, 1),
            ("SASL_SSL", "ssl.certificate.pem", &one, 1),
            ("plaintext", "ssl.ca.location", &most, 0),
            ("sasl_plaintext", "ssl.certificate.location", &most, 0),
        ] {
            let expiry = expiry();
            let mut certificates =
                Certificates::of(&properties(&[("security.protocol", protocol), (key, value)]), expiry.clone());
            certificates.look();
            assert_eq!(shown(&expiry).len(), series, "{protocol} {key} {value}");
        }
    }
}
