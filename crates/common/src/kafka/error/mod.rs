//! What an error of librdkafka means for the process: which exit code, and what a person can do about it.

mod codes;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::exit::Exit;
use crate::verdict::Verdict;

pub use codes::{Number, Of, Row, TABLE, known, row};

/// The verdict on a configuration that librdkafka refuses as a whole, before any broker is asked.
pub fn creation(error: &KafkaError) -> Verdict {
    let reason = match error {
        KafkaError::ClientCreation(reason) => reason.as_str(),
        // This variant's text repeats the property's value.
        KafkaError::ClientConfig(_, reason, key, _) if !crate::config::secret::is_secret(key) => reason,
        KafkaError::ClientConfig(..) => "a secret property is refused",
        _ => "the client cannot be created",
    };
    Verdict::new(Exit::Usage, format!("librdkafka refuses the configuration: {reason}"))
}

/// What an error code says of a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The broker refused: no retry of the same request can help.
    Refused,
    /// The brokers cannot be reached now.
    Unreachable,
    /// It passes, or librdkafka retries it.
    Transient,
}

impl Class {
    /// The exit code of a run that ends for such an error.
    pub const fn exit(self) -> Exit {
        match self {
            Class::Refused => Exit::Refused,
            Class::Unreachable => Exit::Unreachable,
            Class::Transient => Exit::Incomplete,
        }
    }
}

/// Whether a retry can help. A number that librdkafka does not know never ends a process as "refused".
pub fn class(code: impl Into<Number>) -> Class {
    row(code).map_or(Class::Transient, |row| row.class)
}

/// Whether the error is about one message, so that the others may still be delivered.
pub fn of_message(code: impl Into<Number>) -> bool {
    row(code).is_some_and(|row| row.of == Of::Message)
}

/// Whether the error is about the consumer group.
pub fn of_group(code: impl Into<Number>) -> bool {
    row(code).is_some_and(|row| row.of == Of::Group)
}

/// What a person can do about a code; empty when librdkafka's own words say it all.
pub fn hint(code: impl Into<Number>) -> &'static str {
    row(code).map_or("", |row| row.hint)
}

/// A code's name as librdkafka's documentation has it, for labels and the report: a bounded set. A number that librdkafka
/// does not know is that number.
pub fn name(code: impl Into<Number>) -> String {
    let number = code.into();
    match row(number) {
        Some(row) => format!("{:?}", row.code),
        None => number.0.to_string(),
    }
}

/// The right on a topic that a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// To fetch.
    Read,
    /// To produce.
    Write,
}

/// As [`with_hint`], for the answer to a request that needs this right on the topic: what is missing is that one.
pub fn with_hint_of(reason: &str, code: impl Into<Number>, right: Right) -> String {
    let code = code.into();
    match right {
        _ if code != RDKafkaErrorCode::TopicAuthorizationFailed.into() => with_hint(reason, code),
        Right::Read => joined(reason, "the user needs Read on the topic"),
        Right::Write => joined(reason, "the user needs Write on the topic"),
    }
}

/// `reason; hint`, or the reason alone.
pub fn with_hint(reason: &str, code: impl Into<Number>) -> String {
    joined(reason, hint(code))
}

/// `reason; hint`, or the reason alone.
pub(super) fn joined(reason: &str, hint: &str) -> String {
    if hint.is_empty() { reason.to_owned() } else { format!("{reason}; {hint}") }
}

/// The code inside an error, where it has one.
pub fn code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    error.rdkafka_error_code()
}
