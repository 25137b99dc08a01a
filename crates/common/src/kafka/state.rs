//! The state of one client: the last cause of a failed connection, the first final refusal, the brokers, metrics and the log.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::certificate;
use super::error::{Class, class, hint, name, of_group, with_hint};
use super::lock;
use super::names::{self, Names};
use super::nodes::Nodes;
use super::oauth::TokenSource;
use super::phrases::{self, About, Reading};
use super::replaced::Replaced;
use super::statistics::{Broker, Statistics};
use crate::config::Properties;
use crate::exit::Exit;
use crate::metrics::ClientMetrics;
use crate::verdict::Verdict;

/// What librdkafka is told while a token is being fetched; it comes back as an error, which is none.
pub(super) const PENDING: &str = "the token is being fetched";

/// rdkafka hands a producer's error over twice, one right after the other: the same again within this time is one.
const TWICE: Duration = Duration::from_millis(20);

/// The same kind of error is logged once in this time: while no broker is there, librdkafka reports it 20 times a second.
pub(super) const QUIET: Duration = Duration::from_secs(10);

/// A client that has not heard anything after this long may be waiting for a name.
const SILENT: Duration = Duration::from_secs(1);

/// How long the first look at the names may hold up who asks.
const LOOK: Duration = Duration::from_millis(300);

/// The state of one client, written by librdkafka's callbacks and read by the work loop.
pub struct ClientState {
    /// What the client works on, for messages that do not say it: `topic orders, group billing`.
    subject: String,
    started: Instant,
    pub(super) metrics: ClientMetrics,
    pub(super) tokens: Option<Arc<TokenSource>>,
    /// Credentials that were replaced.
    pub(super) replaced: Replaced,
    pub(super) facts: OnceLock<Facts>,
    without_group: AtomicBool,
    /// The first refusal that no retry can help, as long as the work was not established.
    refused: Mutex<Option<Verdict>>,
    has_refusal: AtomicBool,
    /// A certificate is being looked at before its refusal is said.
    looking: AtomicBool,
    /// What librdkafka last said of a failed connection.
    cause: Mutex<Option<Cause>>,
    last_error: Mutex<Option<(RDKafkaErrorCode, String, Instant)>>,
    /// When each kind of error was last logged.
    logged: Mutex<HashMap<String, Instant>>,
    names: Mutex<Option<Names>>,
    nodes: Mutex<Nodes>,
    established: AtomicBool,
    /// Whether at least one broker is believed to be reachable now.
    contact: AtomicBool,
    /// Whether one ever was.
    was_reached: AtomicBool,
    /// The client knows no address any more that it could ask.
    pub(super) is_lost: AtomicBool,
}

/// What of the configuration a message depends on.
pub(super) struct Facts {
    checks_host: bool,
    pub(super) servers: String,
}

/// Why a connection failed.
#[derive(Clone)]
struct Cause {
    reading: Reading,
    when: Instant,
}

impl ClientState {
    /// A client that has not reached any broker yet.
    pub fn new(subject: String, metrics: ClientMetrics, tokens: Option<TokenSource>) -> Self {
        Self {
            subject,
            started: Instant::now(),
            metrics,
            tokens: tokens.map(Arc::new),
            replaced: Replaced::default(),
            facts: OnceLock::new(),
            without_group: AtomicBool::new(false),
            refused: Mutex::new(None),
            has_refusal: AtomicBool::new(false),
            looking: AtomicBool::new(false),
            cause: Mutex::new(None),
            last_error: Mutex::new(None),
            logged: Mutex::new(HashMap::new()),
            names: Mutex::new(None),
            nodes: Mutex::default(),
            established: AtomicBool::new(false),
            contact: AtomicBool::new(false),
            was_reached: AtomicBool::new(false),
            is_lost: AtomicBool::new(false),
        }
    }

    /// Notes what of the client's configuration messages depend on.
    pub(super) fn configured(&self, properties: &Properties) {
        let is = |key: &str, value: &str| properties.get(key).is_some_and(|set| set.eq_ignore_ascii_case(value));
        let checks_host = !is("ssl.endpoint.identification.algorithm", "none");
        let servers = properties.get("bootstrap.servers").unwrap_or_default().to_owned();
        let _ = self.facts.set(Facts { checks_host, servers });
    }

    /// The consumer is a member of no group: librdkafka asks for the coordinator of a placeholder all the same, and what is
    /// said of that concerns nobody.
    pub fn without_group(&self) {
        self.without_group.store(true, Ordering::Relaxed);
    }

    /// The state of another client of the same work, which has heard of nothing yet.
    #[must_use]
    pub fn anew(&self, tokens: Option<TokenSource>) -> Self {
        Self::new(self.subject.clone(), self.metrics.clone(), tokens)
    }

    /// A broker answered.
    pub fn reached(&self) {
        self.contact.store(true, Ordering::Relaxed);
        self.was_reached.store(true, Ordering::Relaxed);
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
        lock(&self.refused).clone().filter(|_| self.has_refusal())
    }

    /// Whether there was one: what is asked before each message, so without a lock.
    pub fn has_refusal(&self) -> bool {
        self.has_refusal.load(Ordering::Acquire)
    }

    /// Notes a refusal; the first one explains all that follow.
    pub(super) fn refuse(&self, text: &str) {
        if !self.established.load(Ordering::Relaxed) {
            let verdict = || Verdict::new(Exit::Refused, format!("{}: {text}", self.subject));
            lock(&self.refused).get_or_insert_with(verdict);
            self.has_refusal.store(true, Ordering::Release);
        }
    }

    /// The verdict on an error after which the client is of no more use: what `fatal_error()` of the client says.
    pub fn fatal(&self, code: RDKafkaErrorCode, reason: &str) -> Verdict {
        if let Some(refused) = self.refused() {
            return refused;
        }
        let reason = format!("{}: the client cannot go on: {} ({})", self.subject, reason.trim(), name(code));
        let exit = if self.established.load(Ordering::Relaxed) { Exit::Incomplete } else { class(code).exit() };
        Verdict::new(exit, with_hint(&reason, code))
    }

    /// Why no broker can be reached, with what to do about it.
    pub fn unreachable(&self, servers: &str) -> Verdict {
        if let Some(refused) = lock(&self.refused).clone() {
            return refused;
        }
        let cause = lock(&self.cause).clone();
        // It is final, and is still being looked at.
        if let Some(Cause { reading, .. }) = &cause
            && reading.about == Some(About::BrokersCertificate)
            && !self.established.load(Ordering::Relaxed)
        {
            return Verdict::new(Exit::Refused, format!("{}: {}", self.subject, reading.text));
        }
        let because = match cause {
            Some(Cause { reading: Reading { about: Some(About::Token), text, .. }, .. }) => {
                format!("no login at {servers}: {text}")
            }
            Some(cause) => format!("no broker of {servers} can be reached: {}", cause.reading.text),
            None => match self.pending_name(servers) {
                Some(name) => format!(
                    "no broker of {servers} can be reached: the name {name} is still being resolved; check the DNS of this \
                     machine, and firewalls or NetworkPolicies in between (port 53)"
                ),
                None => format!(
                    "no broker of {servers} can be reached: no answer from any of them; {}",
                    hint(RDKafkaErrorCode::AllBrokersDown)
                ),
            },
        };
        Verdict::new(Exit::Unreachable, because)
    }

    /// Why a connection failed, if one did not longer ago than this: a broker may be away while others answer, or may advertise
    /// a name that nobody can resolve.
    pub fn trouble(&self, within: Duration) -> Option<String> {
        lock(&self.cause)
            .as_ref()
            .filter(|cause| cause.when.elapsed() <= within)
            .map(|cause| cause.reading.text.clone())
    }

    fn pending_name(&self, servers: &str) -> Option<String> {
        if self.started.elapsed() < SILENT {
            return None;
        }
        let mut names = lock(&self.names);
        let wait = if names.is_none() { LOOK } else { Duration::ZERO };
        names.get_or_insert_with(|| Names::look_up(servers)).pending(wait).map(str::to_owned)
    }

    /// Keeps why a connection failed.
    pub(super) fn note_cause(&self, mut reading: Reading) {
        let advertised = match (reading.about, phrases::unresolved(&reading.text), self.facts.get()) {
            (Some(About::Name), Some(name), Some(facts)) if !names::has_host(&facts.servers, name) => {
                Some(name.to_owned())
            }
            _ => None,
        };
        if let Some(name) = advertised {
            let why = reading.text.split(';').next().unwrap_or_default().to_owned();
            reading.text = format!(
                "{why}; a broker advertises the name {name}: check advertised.listeners on the brokers and the DNS of this \
                 machine"
            );
        }
        let mut cause = lock(&self.cause);
        // Without a token each broker fails, and for that reason.
        let has_no_token = self.tokens.as_ref().is_some_and(|tokens| !tokens.is_good())
            && cause.as_ref().is_some_and(|cause| cause.reading.about == Some(About::Token));
        if !has_no_token || reading.about == Some(About::Token) {
            *cause = Some(Cause { reading, when: Instant::now() });
        }
    }

    /// Forgets a cause of this kind: it passed.
    pub(super) fn forget_cause(&self, about: About) {
        let mut cause = lock(&self.cause);
        if cause.as_ref().is_some_and(|cause| cause.reading.about == Some(about)) {
            *cause = None;
        }
    }

    /// For `ClientContext::log`: librdkafka's lines under their own target, with levels that mean something. What it
    /// calls an error is a broken connection that it repairs by itself: a warning here.
    pub fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        if facility == "FAIL" {
            // The error event that follows says the same, and is logged.
            self.note_cause(phrases::read(RDKafkaErrorCode::BrokerTransportFailure, line));
            tracing::debug!(target: "librdkafka", event = "librdkafka", facility, "{line}");
            return;
        }
        if facility == "COORD" && line.contains(phrases::NO_KIP848) {
            let hint = "use --group-protocol classic";
            self.refuse(&format!(
                "the brokers do not have the group protocol consumer (KIP-848, from Kafka 4.0 on); {hint}"
            ));
        }
        // What ends the client comes as an error too; what ends the run is said once, with the verdict.
        let said = facility == "FATAL" || self.has_refusal();
        match level {
            _ if said => tracing::debug!(target: "librdkafka", event = "librdkafka", facility, "{line}"),
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
    pub fn error(self: &Arc<Self>, error: &KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        // Our own answer to librdkafka's wish for a token.
        if reason.contains(PENDING) {
            return;
        }
        if self.without_group.load(Ordering::Relaxed) && of_group(code) {
            tracing::debug!(event = "client_error", error = name(code), "{reason}");
            return;
        }
        if self.is_repeated(code, reason) {
            return;
        }
        let reading = phrases::read(code, reason);
        // The broker's alert about our certificate comes as a broken connection.
        let of_certificate = matches!(reading.about, Some(About::BrokersCertificate | About::OurCertificate));
        let label = name(if of_certificate { RDKafkaErrorCode::SSL } else { code });
        self.metrics.errors.with_label_values(&[&label]).inc();
        if matches!(code, RDKafkaErrorCode::AllBrokersDown) {
            self.contact.store(false, Ordering::Relaxed);
        } else if reading.about.is_some_and(|about| about != About::Token)
            || matches!(
                code,
                RDKafkaErrorCode::Resolve | RDKafkaErrorCode::SSL | RDKafkaErrorCode::BrokerTransportFailure
            )
        {
            self.note_cause(reading.clone());
        }
        // A listener that has taken a login offers SASL. It refuses one that comes too soon behind the last, as with tokens that
        // live for seconds.
        let is_too_soon = reason.contains(phrases::SASL_STATE) && self.was_reached.load(Ordering::Relaxed);
        let is_final = self.is_final(code, &reading) && !is_too_soon && !self.established.load(Ordering::Relaxed);
        let text = match lock(&self.cause).as_ref() {
            Some(cause) if code == RDKafkaErrorCode::AllBrokersDown && cause.when.elapsed() <= QUIET => {
                format!("no connection to any of the brokers: {}", cause.reading.text)
            }
            _ => reading.text.clone(),
        };
        if is_final || self.has_refusal() || self.looking.load(Ordering::Acquire) {
            // Said once, with the verdict.
            tracing::debug!(event = "client_error", error = label, "{text}");
        } else if self.is_due(&label) {
            tracing::warn!(event = "client_error", error = label, "{text}");
        }
        if !is_final {
            return;
        }
        match phrases::place(reason) {
            Some(place) if reading.about == Some(About::BrokersCertificate) => self.look_at_certificate(place, reading),
            _ => self.refuse(&reading.text),
        }
    }

    fn is_repeated(&self, code: RDKafkaErrorCode, reason: &str) -> bool {
        let mut last = lock(&self.last_error);
        if let Some((last_code, last_reason, when)) = &*last
            && *last_code == code
            && last_reason == reason
            && when.elapsed() < TWICE
        {
            return true;
        }
        *last = Some((code, reason.to_owned(), Instant::now()));
        false
    }

    /// Whether this kind of line was not logged for a while; it counts as logged then.
    pub(super) fn is_due(&self, label: &str) -> bool {
        let mut logged = lock(&self.logged);
        let due = logged.get(label).is_none_or(|when| when.elapsed() >= QUIET);
        if due {
            logged.insert(label.to_owned(), Instant::now());
        }
        due
    }

    /// Whether no retry can help. A token endpoint that is down for now may come back; an untrusted certificate and a
    /// refused login do not.
    fn is_final(&self, code: RDKafkaErrorCode, reading: &Reading) -> bool {
        match code {
            // Whether a topic is missing for good is asked of the metadata: a new one is not known everywhere at once.
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => false,
            // A broker refuses a token that has ended, and it ended because no other could be had.
            RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => {
                reading.class == Class::Refused && self.tokens.as_ref().is_none_or(|tokens| tokens.is_good())
            }
            _ => reading.class == Class::Refused,
        }
    }

    /// Says the refusal after a look at what is wrong with the certificate, beside the loop.
    fn look_at_certificate(self: &Arc<Self>, place: String, reading: Reading) {
        if self.looking.swap(true, Ordering::AcqRel) {
            return;
        }
        let checks_host = self.facts.get().is_none_or(|facts| facts.checks_host);
        let (state, said) = (Arc::downgrade(self), reading.clone());
        let look = move || {
            let text = certificate::fault(&place, checks_host).unwrap_or(said.text);
            if let Some(state) = Weak::upgrade(&state) {
                state.note_cause(Reading { text: text.clone(), ..said });
                state.refuse(&text);
            }
        };
        if std::thread::Builder::new().name("certificate".to_owned()).spawn(look).is_err() {
            self.refuse(&reading.text);
        }
    }

    /// For `ClientContext::stats_raw`: broker state and round-trip times; gives back the rest for the program.
    pub fn statistics<'a>(&self, json: &'a [u8]) -> Option<Statistics<'a>> {
        let read = serde_json::from_slice::<Statistics<'_>>(json);
        let statistics = read.inspect_err(|error| self.metrics.unreadable(error)).ok()?;
        lock(&self.nodes).show(&statistics, &self.metrics);
        let any_up = statistics.brokers.values().any(Broker::is_up);
        if any_up {
            self.reached();
        } else {
            self.contact.store(false, Ordering::Relaxed);
        }
        self.is_lost.store(!statistics.brokers.values().any(Broker::is_address), Ordering::Relaxed);
        Some(statistics)
    }
}

#[cfg(test)]
mod tests;
