//! What every client's callbacks share: the last cause of a failed connection, the first final refusal, the state of the
//! brokers, metrics and the log.

use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::error::{Class, class, name, with_hint};
use super::oauth::{TokenError, TokenSource};
use super::statistics::Statistics;
use crate::exit::Exit;
use crate::metrics::ClientMetrics;
use crate::verdict::Verdict;

/// rdkafka hands a producer's error over twice, one right after the other: the same again within this time is one.
const TWICE: Duration = Duration::from_millis(20);

/// The same kind of error is logged once in this time: while no broker is there, librdkafka reports it 20 times a second.
const QUIET: Duration = Duration::from_secs(10);

/// The state of one client, written by librdkafka's callbacks and read by the work loop.
pub struct ClientState {
    /// What the client works on, for messages that do not say it: `topic orders, group billing`.
    subject: String,
    metrics: ClientMetrics,
    tokens: Option<TokenSource>,
    /// The first refusal that no retry can help, as long as the work was not established.
    refused: Mutex<Option<Verdict>>,
    has_refusal: AtomicBool,
    /// What librdkafka last said of a failed connection: names the broker and the cause.
    cause: Mutex<Option<(RDKafkaErrorCode, String)>>,
    last_error: Mutex<Option<(RDKafkaErrorCode, String, Instant)>>,
    /// When each kind of error was last logged.
    logged: Mutex<HashMap<String, Instant>>,
    token_refused: AtomicBool,
    established: AtomicBool,
    /// Whether at least one broker is believed to be reachable now.
    contact: AtomicBool,
}

impl ClientState {
    /// A client that has not reached any broker yet.
    pub fn new(subject: String, metrics: ClientMetrics, tokens: Option<TokenSource>) -> Self {
        Self {
            subject,
            metrics,
            tokens,
            refused: Mutex::new(None),
            has_refusal: AtomicBool::new(false),
            cause: Mutex::new(None),
            last_error: Mutex::new(None),
            logged: Mutex::new(HashMap::new()),
            token_refused: AtomicBool::new(false),
            established: AtomicBool::new(false),
            contact: AtomicBool::new(false),
        }
    }

    /// A broker answered.
    pub fn reached(&self) {
        self.contact.store(true, Ordering::Relaxed);
    }

    /// From now on a refusal is a fault to be waited for, not a wrong configuration: a consumer that has had its
    /// partitions turns unready when its login is refused later, and does not die. A producer never says this.
    pub fn established(&self) {
        self.established.store(true, Ordering::Relaxed);
    }

    /// Whether a broker is believed to be reachable now.
    pub fn has_contact(&self) -> bool {
        self.contact.load(Ordering::Relaxed)
    }

    /// The refusal that ends the process, if there was one before the work was established.
    pub fn refused(&self) -> Option<Verdict> {
        lock(&self.refused).clone()
    }

    /// Whether there was one: what is asked before each message, so without a lock.
    pub fn has_refusal(&self) -> bool {
        self.has_refusal.load(Ordering::Acquire)
    }

    /// Notes a refusal; the first one explains all that follow.
    fn refuse(&self, failure: Verdict) {
        lock(&self.refused).get_or_insert(failure);
        self.has_refusal.store(true, Ordering::Release);
    }

    /// Why no broker can be reached, in librdkafka's words, with what to do about it.
    pub fn unreachable(&self, servers: &str) -> Verdict {
        let last = lock(&self.last_error).clone().map(|(code, reason, _)| (code, reason));
        let (code, reason) = lock(&self.cause)
            .clone()
            .or(last)
            .unwrap_or_else(|| (RDKafkaErrorCode::AllBrokersDown, "no answer from any broker".to_owned()));
        // All that a broker with TLS says to a client without is to hang up at the first request.
        let tls = reason.contains("APIVERSION_QUERY") && reason.contains("Disconnected");
        let guess = if tls { " (the port may want TLS)" } else { "" };
        let reason = format!("no broker of {servers} can be reached: {reason}{guess}");
        Verdict::new(Exit::Unreachable, with_hint(&reason, code))
    }

    /// For `ClientContext::log`: librdkafka's lines under their own target, with levels that mean something. What it
    /// calls an error is a broken connection that it repairs by itself: a warning here.
    pub fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        if facility == "FAIL" {
            // The error event that follows says the same, and is logged.
            *lock(&self.cause) = Some((RDKafkaErrorCode::BrokerTransportFailure, plain(line)));
            tracing::debug!(target: "librdkafka", event = "librdkafka", facility, "{line}");
            return;
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: "librdkafka", event = "librdkafka", facility, "{line}");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::warn!(target: "librdkafka", event = "librdkafka", facility, "{line}");
            }
            RDKafkaLogLevel::Notice => tracing::info!(target: "librdkafka", event = "librdkafka", facility, "{line}"),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(target: "librdkafka", event = "librdkafka", facility, "{line}");
            }
        }
    }

    /// For `ClientContext::error`: an error of the client as a whole.
    pub fn error(&self, error: &KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        // The broker's alert about our certificate comes as a broken connection.
        let of_certificates = code == RDKafkaErrorCode::BrokerTransportFailure && reason.contains("certificate");
        let code = if of_certificates { RDKafkaErrorCode::SSL } else { code };
        {
            let mut last = lock(&self.last_error);
            if let Some((last_code, last_reason, when)) = &*last
                && *last_code == code
                && last_reason == reason
                && when.elapsed() < TWICE
            {
                return;
            }
            *last = Some((code, reason.to_owned(), Instant::now()));
        }
        let label = name(code);
        self.metrics.errors.with_label_values(&[&label]).inc();
        if matches!(code, RDKafkaErrorCode::AllBrokersDown) {
            self.contact.store(false, Ordering::Relaxed);
        }
        if matches!(code, RDKafkaErrorCode::Resolve | RDKafkaErrorCode::SSL | RDKafkaErrorCode::BrokerTransportFailure)
        {
            *lock(&self.cause) = Some((code, plain(reason)));
        }
        let mut logged = lock(&self.logged);
        if logged.get(&label).is_none_or(|when| when.elapsed() >= QUIET) {
            logged.insert(label, Instant::now());
            tracing::warn!(event = "client_error", error = name(code), "{}", with_hint(reason, code));
        }
        drop(logged);
        if self.is_final(code, reason) && !self.established.load(Ordering::Relaxed) {
            let reason = format!("{}: {}", self.subject, plain(reason));
            self.refuse(Verdict::new(Exit::Refused, with_hint(&reason, code)));
        }
    }

    /// Whether no retry can help. A token endpoint that is down for now may come back; an untrusted certificate and a
    /// refused login do not.
    fn is_final(&self, code: RDKafkaErrorCode, reason: &str) -> bool {
        match code {
            // Whether a topic is missing for good is asked of the metadata: a new one is not known everywhere at once.
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => false,
            RDKafkaErrorCode::SSL => reason.contains("certificate"),
            RDKafkaErrorCode::Authentication if self.tokens.is_some() && reason.contains("OAUTHBEARER token") => {
                self.token_refused.load(Ordering::Relaxed)
            }
            _ => class(code) == Class::Refused,
        }
    }

    /// For `ClientContext::stats_raw`: broker state and round-trip times; gives back the rest for the program.
    pub fn statistics<'a>(&self, json: &'a [u8]) -> Option<Statistics<'a>> {
        let Ok(statistics) = serde_json::from_slice::<Statistics<'_>>(json) else {
            self.metrics.statistics_failures.inc();
            return None;
        };
        let mut any_up = false;
        for broker in statistics.brokers.values() {
            let up = broker.state == "UP";
            any_up |= up;
            if broker.nodeid < 0 {
                continue;
            }
            let node = broker.nodeid.to_string();
            self.metrics.broker_up.with_label_values(&[&node]).set(i64::from(up));
            if let Some(rtt) = broker.rtt.filter(|rtt| rtt.cnt > 0) {
                for (quantile, micros) in [("0.5", rtt.p50), ("0.99", rtt.p99)] {
                    self.metrics.round_trip.with_label_values(&[node.as_str(), quantile]).set(micros as f64 / 1e6);
                }
            }
        }
        if any_up {
            self.reached();
        } else {
            self.contact.store(false, Ordering::Relaxed);
        }
        Some(statistics)
    }

    /// For `ClientContext::generate_oauth_token`.
    ///
    /// # Errors
    /// What the token endpoint said.
    pub fn token(&self) -> Result<OAuthToken, Box<dyn Error>> {
        let source = self.tokens.as_ref().ok_or("OAUTHBEARER is not configured")?;
        let result = source.fetch();
        let label = if result.is_ok() { "ok" } else { "error" };
        self.metrics.token_requests.with_label_values(&[label]).inc();
        self.token_refused.store(matches!(result, Err(TokenError::Refused(_))), Ordering::Relaxed);
        if let Err(error) = &result {
            tracing::warn!(event = "token_error", "{error}");
            *lock(&self.cause) = Some((RDKafkaErrorCode::Authentication, error.to_string()));
        }
        Ok(result?)
    }
}

/// The context of a client that needs nothing more than its state, such as one that makes topics.
#[derive(Clone)]
pub struct SharedContext(pub Arc<ClientState>);

impl ClientContext for SharedContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.0.log(level, facility, line);
    }

    fn stats_raw(&self, json: &[u8]) {
        self.0.statistics(json);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(&error, reason);
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.0.token()
    }
}

/// A line without librdkafka's own decoration, `[thrd:main]: ` and the client's name.
fn plain(line: &str) -> String {
    let line = match line.split_once("]: ") {
        Some((before, rest)) if before.starts_with("[thrd:") => rest,
        _ => line,
    };
    line.trim().to_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use crate::metrics::{Metrics, Program};

    fn state() -> ClientState {
        let program =
            Program { program: "test", version: "1", librdkafka: "2".into(), features: "ssl".into(), openssl: "3" };
        ClientState::new(
            "topic test".to_owned(),
            ClientMetrics::new(&mut Metrics::new("test", &program).unwrap()).unwrap(),
            None,
        )
    }

    #[test]
    fn a_refusal_is_final_until_the_work_was_established() {
        let login = KafkaError::Global(RDKafkaErrorCode::Authentication);
        let client = state();
        client.error(&KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure), "away");
        assert_eq!(client.refused(), None);
        client.error(&login, "SASL authentication error: wrong");
        assert_eq!(client.refused().unwrap().exit, Exit::Refused);
        let running = state();
        running.established();
        running.error(&login, "SASL authentication error: wrong");
        assert_eq!(running.refused(), None);
    }

    #[test]
    fn an_error_that_comes_twice_is_counted_once() {
        let client = state();
        for _ in 0..2 {
            client.error(&KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        }
        assert_eq!(client.metrics.errors.with_label_values(&["AllBrokersDown"]).get(), 1);
    }

    #[test]
    fn the_cause_of_a_failed_connection_is_kept_from_the_log() {
        let client = state();
        client.log(
            RDKafkaLogLevel::Info,
            "FAIL",
            "[thrd:localhost:1/bootstrap]: localhost:1/bootstrap: Connect refused",
        );
        let failure = client.unreachable("localhost:1");
        assert_eq!(failure.exit, Exit::Unreachable);
        assert!(failure.reason().contains("localhost:1/bootstrap: Connect refused"), "{}", failure.reason());
    }

    #[test]
    fn statistics_that_cannot_be_read_are_counted() {
        let client = state();
        assert!(client.statistics(br#"{"brokers":{"a":{"nodeid":01}}}"#).is_none());
        assert_eq!(client.metrics.statistics_failures.get(), 1);
        let json =
            br#"{"brokers":{"a/1":{"nodeid":1,"state":"UP","rtt":{"p50":2000,"p99":3000,"cnt":3}}},"topics":{}}"#;
        assert!(client.statistics(json).is_some());
        assert!(client.has_contact());
        assert_eq!(client.metrics.broker_up.with_label_values(&["1"]).get(), 1);
    }
}
