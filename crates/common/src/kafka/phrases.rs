//! The words of librdkafka, OpenSSL and brokers that a verdict depends on, in one table, each with what it means for us. A
//! test for each row makes the real librdkafka say it, so that an upgrade cannot change a verdict unseen.

use rdkafka::error::RDKafkaErrorCode;

use super::error::{self, Class};

/// What librdkafka said, in our words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What a retry can do.
    pub class: Class,
    /// What happened and what to do about it.
    pub text: String,
    /// What it is about, where the table has it.
    pub about: Option<About>,
}

/// What a row of the table is about, where somebody has to look closer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The broker's certificate is refused by us.
    BrokersCertificate,
    /// The broker refuses our certificate, or misses it.
    OurCertificate,
    /// The broker offers no such login.
    Login,
    /// The port speaks something else.
    Protocol,
    /// A name that cannot be resolved.
    Name,
    /// A token that could not be had.
    Token,
}

/// What a broker says to a login where it expects none.
pub const SASL_STATE: &str = "Request not valid in current SASL state";

/// What librdkafka says of a coordinator without KIP-848, in a line for debugging and nowhere else. The consumer's test
/// `a_broker_without_the_new_group_protocol_is_named_as_such` shows that it still says so.
pub(super) const NO_KIP848: &str = "ConsumerGroupHeartbeatRequest not supported by broker";

/// How an error of a fetch begins. `cargo xtask e2e security` shows that it does.
const FETCH: &str = "Fetch from broker ";

/// One row.
struct Phrase {
    /// All of these are in librdkafka's line.
    words: &'static [&'static str],
    about: About,
    class: Class,
    /// What happened, in our words, from the place (`HOST:PORT`) and the line; `None` when the line does not fit after all.
    says: fn(&str, &str) -> Option<String>,
    hint: &'static str,
}

const OURS: &str = "check KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION";

/// The first row that fits holds.
const PHRASES: &[Phrase] = &[
    Phrase {
        words: &["certificate verify failed"],
        about: About::BrokersCertificate,
        class: Class::Refused,
        says: |place, _| Some(format!("{place}: the broker's certificate cannot be verified")),
        hint: "check KAFKA_SSL_CA_LOCATION, the certificate's dates and its host names",
    },
    Phrase {
        words: &["alert certificate required"],
        about: About::OurCertificate,
        class: Class::Refused,
        says: |place, _| Some(format!("{place} asks for a client certificate")),
        hint: "set KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION",
    },
    Phrase {
        words: &["alert unknown ca"],
        about: About::OurCertificate,
        class: Class::Refused,
        says: |place, _| Some(format!("{place} does not trust the authority of this client's certificate")),
        hint: OURS,
    },
    // What is wrong with it comes behind `alert`: bad certificate, certificate unknown, expired or revoked.
    Phrase {
        words: &["alert", "certificate"],
        about: About::OurCertificate,
        class: Class::Refused,
        says: |place, line| {
            let alert = line.split_once("alert ")?.1.split(':').next()?.trim();
            let alert = Some(alert).filter(|alert| alert.contains("certificate"))?;
            Some(format!("{place} refuses this client's certificate, or the lack of one ({alert})"))
        },
        hint: OURS,
    },
    // The connection ended, and librdkafka words it as an answer: a broker that restarts refuses nobody.
    Phrase {
        words: &["mechanism handshake failed: Local: "],
        about: About::Protocol,
        class: Class::Unreachable,
        says: |place, _| Some(format!("{place} hung up (Disconnected) before the login")),
        hint: "",
    },
    Phrase {
        words: &["mechanism handshake failed", SASL_STATE],
        about: About::Login,
        class: Class::Refused,
        says: |place, _| Some(format!("{place}: this listener offers no SASL")),
        hint: "check KAFKA_SECURITY_PROTOCOL or the port",
    },
    Phrase {
        words: &["mechanism handshake failed", "supported mechanisms: "],
        about: About::Login,
        class: Class::Refused,
        says: |place, line| {
            let mechanism = line.split_once("SASL ")?.1.split(' ').next()?;
            let offered = line.split_once("supported mechanisms: ")?.1.split(" (after").next()?.trim();
            Some(format!("{place} does not offer the mechanism {mechanism}, but {offered}"))
        },
        hint: "check KAFKA_SASL_MECHANISM",
    },
    Phrase {
        words: &["Invalid response size "],
        about: About::Protocol,
        class: Class::Unreachable,
        says: |place, line| {
            let size = line.split_once("Invalid response size ")?.1.split(' ').next()?.parse::<i32>().ok()?;
            match size.to_be_bytes() {
                [b'H', b'T', b'T', b'P'] => Some(format!("{place} speaks HTTP, not Kafka")),
                // A TLS alert.
                [0x15, 3, ..] => Some(format!("{place} speaks TLS")),
                bytes if bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') => {
                    Some(format!("{place} does not speak Kafka: it answers {:?}", String::from_utf8_lossy(&bytes)))
                }
                _ => None,
            }
        },
        hint: "check the port and KAFKA_SECURITY_PROTOCOL",
    },
    Phrase {
        words: &["SSL handshake failed", "wrong version number"],
        about: About::Protocol,
        class: Class::Unreachable,
        says: |place, _| Some(format!("{place} does not speak TLS")),
        hint: "check KAFKA_SECURITY_PROTOCOL or the port",
    },
    Phrase {
        words: &["Disconnected", "in state SSL_HANDSHAKE"],
        about: About::Protocol,
        class: Class::Unreachable,
        says: |place, _| Some(format!("{place} hung up (Disconnected) during the TLS handshake: it may not speak TLS")),
        hint: "check KAFKA_SECURITY_PROTOCOL or the port",
    },
    // All that a broker with TLS, or one with logins, says to a client without is to hang up.
    Phrase {
        words: &["Disconnected", "in state APIVERSION_QUERY"],
        about: About::Protocol,
        class: Class::Unreachable,
        says: |place, _| Some(format!("{place} hung up (Disconnected) at the first request: the port may want TLS")),
        hint: "check KAFKA_SECURITY_PROTOCOL or the port",
    },
    Phrase {
        words: &["/bootstrap: ", "in state UP"],
        about: About::Protocol,
        class: Class::Unreachable,
        says: |place, line| {
            // Later it is a broker that ends, or a connection that was idle.
            let hung_up = line.contains("Disconnected") || line.contains("Send failed: ");
            let after = line.rsplit_once("(after ")?.1.split("ms in state").next()?.parse::<u64>().ok()?;
            (hung_up && after < 1000)
                .then(|| format!("{place} hung up (Disconnected) after the first request: it may want a login (SASL)"))
        },
        hint: "check KAFKA_SECURITY_PROTOCOL or the port",
    },
    Phrase {
        words: &["Failed to resolve '"],
        about: About::Name,
        class: Class::Unreachable,
        says: |_, line| {
            let (name, why) = line.split_once("Failed to resolve '")?.1.split_once("': ")?;
            Some(format!("Failed to resolve '{name}': {}", without_age(why)))
        },
        hint: "check KAFKA_BOOTSTRAP_SERVERS and the DNS of this machine",
    },
    // Of ours: what the token endpoint said is known better, and whether it is final.
    Phrase {
        words: &["OAUTHBEARER token"],
        about: About::Token,
        class: Class::Unreachable,
        says: |_, line| Some(line.to_owned()),
        hint: "",
    },
];

/// What librdkafka's error, or its line about a failed connection, means.
pub fn read(code: RDKafkaErrorCode, line: &str) -> Reading {
    let line = plain(line);
    let place = place(line);
    for phrase in PHRASES.iter().filter(|phrase| phrase.words.iter().all(|word| line.contains(word))) {
        if let Some(text) = (phrase.says)(place.as_deref().unwrap_or("a broker"), line) {
            return Reading { class: phrase.class, text: error::joined(&text, phrase.hint), about: Some(phrase.about) };
        }
    }
    let text = match code {
        // librdkafka counts the addresses that it was given and those it learned of as one.
        RDKafkaErrorCode::AllBrokersDown => "no connection to any of the brokers",
        _ => without_age(line),
    };
    // The topic is known by then: it is its records that may not be read.
    let text = match text.starts_with(FETCH) {
        true => error::with_hint_of(text, code, error::Right::Read),
        false => error::with_hint(text, code),
    };
    Reading { class: error::class(code), text, about: None }
}

/// `HOST:PORT` of the broker that a line is about: it begins with its name, `ssl://HOST:PORT/NODE: `.
pub fn place(line: &str) -> Option<String> {
    let name = plain(line).split(": ").next()?;
    let name = name.split_once("://").map_or(name, |(_, name)| name);
    let name = name.rsplit_once('/').map_or(name, |(name, _)| name);
    let (host, port) = name.rsplit_once(':')?;
    (!host.is_empty() && port.parse::<u16>().is_ok() && !host.contains(' ')).then(|| name.to_owned())
}

/// The name that could not be resolved, with its port.
pub fn unresolved(line: &str) -> Option<&str> {
    line.split_once("Failed to resolve '")?.1.split('\'').next()
}

/// A line without librdkafka's own decoration, `[thrd:main]: `.
fn plain(line: &str) -> &str {
    match line.split_once("]: ") {
        Some((before, rest)) if before.starts_with("[thrd:") => rest.trim(),
        _ => line.trim(),
    }
}

/// A line without `(after 3ms in state CONNECT, 2 identical error(s) suppressed)`.
fn without_age(line: &str) -> &str {
    line.rfind(" (after ").filter(|_| line.ends_with(')')).map_or(line, |end| &line[..end])
}

#[cfg(test)]
mod tests;
