//! Requests to the receiver of spans: ureq over the OpenSSL that is linked already. No runtime, no second TLS stack.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use ureq::tls::{TlsConfig, TlsProvider};

use super::Settings;
use crate::tls;

/// As much of an answer is read; more is no answer to a batch of spans.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// Why a request did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It may succeed later; after this time, if the receiver says so.
    Passing(String, Option<Duration>),
    /// It will fail again.
    Final(String),
}

/// The connection to the receiver.
#[derive(Debug)]
pub(super) struct Client {
    agent: ureq::Agent,
    settings: Settings,
}

impl Client {
    /// Prepares the connection; connects to nobody yet.
    ///
    /// # Errors
    /// When a certificate or key cannot be used.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // Headers with tokens go nowhere else.
            .max_redirects(0)
            // The environment has no say that the settings do not know of.
            .proxy(None)
            .user_agent(concat!("kafka-clients/", env!("CARGO_PKG_VERSION")));
        if settings.endpoint.starts_with("https://") {
            let roots = tls::roots(settings.ca.as_deref(), "OTEL_EXPORTER_OTLP_CERTIFICATE")?;
            let client =
                settings.client.as_ref().map(|(certificate, key)| tls::client(certificate, key)).transpose()?;
            let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).client_cert(client);
            config = config.tls_config(tls.build());
        }
        Ok(Self { agent: config.build().into(), settings })
    }

    /// Compresses a body, if that is set.
    pub fn packed(&self, body: Vec<u8>) -> Vec<u8> {
        if !self.settings.gzip {
            return body;
        }
        let mut packed = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
        // Writing to memory does not fail.
        let _ = packed.write_all(&body);
        packed.finish().unwrap_or_default()
    }

    /// Sends a body that [`Client::packed`] returned, and returns the body of the answer.
    ///
    /// # Errors
    /// Says what happened, without the receiver's words, which are not for our log.
    pub fn post(&self, body: &[u8], limit: Duration) -> Result<Vec<u8>, Failure> {
        let mut request = self.agent.post(&self.settings.endpoint).header("content-type", "application/x-protobuf");
        if self.settings.gzip {
            request = request.header("content-encoding", "gzip");
        }
        for (name, value) in &self.settings.headers {
            request = request.header(name, value.expose());
        }
        let request = request.config().timeout_global(Some(limit)).build();
        let mut response = request.send(body).map_err(|error| match error {
            ureq::Error::Timeout(_) => Failure::Passing(format!("no answer within {limit:.1?}"), None),
            error => Failure::Passing(error.to_string(), None),
        })?;
        let status = response.status();
        if !status.is_success() {
            let why = format!("answered {status}");
            let after = response.headers().get("retry-after").and_then(|after| after.to_str().ok()?.parse().ok());
            return Err(match status.as_u16() {
                429 | 502 | 503 | 504 => Failure::Passing(why, after.map(Duration::from_secs)),
                _ => Failure::Final(why),
            });
        }
        let answer = response.body_mut().with_config().limit(LONGEST_ANSWER).read_to_vec();
        answer.map_err(|error| match error {
            // It has the spans, and would have them twice.
            ureq::Error::BodyExceedsLimit(_) => {
                Failure::Final(format!("answered {status} with more than {LONGEST_ANSWER} bytes"))
            }
            error => Failure::Passing(format!("the answer ended early: {error}"), None),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{Layers, Origin, Problems};
    use crate::kafka::fakes::Fake;

    #[test]
    fn spans_that_were_taken_are_not_sent_again_because_of_a_long_answer() {
        let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", LONGEST_ANSWER + 1).into_bytes();
        answer.resize(answer.len() + LONGEST_ANSWER as usize + 1, b'x');
        let receiver = Fake::says(answer.leak());
        let endpoint = format!("http://{}", receiver.address());
        let variables = BTreeMap::from([("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), endpoint)]);
        let layers = Layers::from_maps([(Origin::Environment, variables)]);
        let client = Client::new(Settings::new("test", &layers, &mut Problems::new()).unwrap()).unwrap();
        let failure = client.post(b"", Duration::from_secs(10)).unwrap_err();
        assert_eq!(failure, Failure::Final("answered 200 OK with more than 65536 bytes".to_owned()));
    }
}
