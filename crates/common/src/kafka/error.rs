//! What an error of librdkafka means for the process: which exit code, and what a person can do about it.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::exit::Exit;
use crate::verdict::Verdict;

/// The verdict on a configuration that librdkafka refuses as a whole, before any broker is asked.
pub fn creation(error: &KafkaError) -> Verdict {
    let reason = match error {
        KafkaError::ClientCreation(reason) => reason.as_str(),
        // This variant's text repeats the property's value.
        KafkaError::ClientConfig(_, reason, key, _) if !crate::config::properties::is_secret(key) => reason,
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
    /// Anything else: librdkafka retries it, or it concerns one message.
    Other,
}

/// Sorts a code. The lists are explicit, so that an unknown code never ends a process as "refused".
pub fn class(code: RDKafkaErrorCode) -> Class {
    use RDKafkaErrorCode as Code;
    match code {
        Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism
        | Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::UnknownTopicOrPartition
        | Code::UnknownTopic
        | Code::UnknownPartition
        | Code::InvalidTopic
        | Code::MessageSizeTooLarge
        | Code::InvalidMessageSize
        | Code::PolicyViolation
        | Code::InvalidTransactionTimeout
        | Code::InvalidRecord
        | Code::UnsupportedVersion
        | Code::InvalidRequiredAcks => Class::Refused,
        Code::BrokerTransportFailure | Code::AllBrokersDown | Code::Resolve | Code::OperationTimedOut | Code::SSL => {
            Class::Unreachable
        }
        _ => Class::Other,
    }
}

/// What a person can do about a code; empty when librdkafka's own words say it all.
pub fn hint(code: RDKafkaErrorCode) -> &'static str {
    use RDKafkaErrorCode as Code;
    match code {
        Code::Authentication | Code::SaslAuthenticationFailed => {
            "check KAFKA_SASL_MECHANISM, KAFKA_USERNAME and the password"
        }
        Code::UnsupportedSASLMechanism => "the broker does not offer this mechanism: check KAFKA_SASL_MECHANISM",
        Code::TopicAuthorizationFailed => "the user needs Read or Write, and Describe, on the topic",
        Code::GroupAuthorizationFailed => "the user needs Read on the group: check KAFKA_CONSUMER_GROUP",
        Code::ClusterAuthorizationFailed => {
            "the user needs Write on the topic, which includes idempotent writes on current brokers"
        }
        Code::TransactionalIdAuthorizationFailed => "the user needs Write on the transactional id",
        Code::UnknownTopicOrPartition | Code::UnknownTopic => {
            "create the topic (the producer does it with --create-topic), or check KAFKA_TOPIC"
        }
        Code::UnknownPartition => "the topic has fewer partitions",
        Code::InvalidTopic => "a topic name has 1 to 249 letters, digits, dots, underscores or hyphens",
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => {
            "the broker refuses the whole batch when it is over the topic's max.message.bytes: \
             send smaller messages, raise that limit, or lower -X batch.size below it so that neighbours do not fail too"
        }
        Code::Resolve => "check the host names in KAFKA_BOOTSTRAP_SERVERS and the brokers' advertised listeners",
        Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut => {
            "check the address, the port, KAFKA_SECURITY_PROTOCOL and firewalls or NetworkPolicies in between"
        }
        Code::SSL => {
            "check KAFKA_SECURITY_PROTOCOL, KAFKA_SSL_CA_LOCATION and, where the broker asks for a client certificate, \
             KAFKA_SSL_CERTIFICATE_LOCATION"
        }
        Code::InvalidTransactionTimeout => "lower --timeout: brokers allow transactions of 15 minutes at most",
        _ => "",
    }
}

/// A code's name as librdkafka's documentation has it, for labels and the report: a bounded set.
pub fn name(code: RDKafkaErrorCode) -> String {
    format!("{code:?}")
}

/// `reason (hint)`, or the reason alone.
pub fn with_hint(reason: &str, code: RDKafkaErrorCode) -> String {
    match hint(code) {
        "" => reason.to_owned(),
        hint => format!("{reason}; {hint}"),
    }
}

/// The code inside an error, where it has one.
pub fn code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    error.rdkafka_error_code()
}
