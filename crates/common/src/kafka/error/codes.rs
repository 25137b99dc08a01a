//! One row for each error code of librdkafka: whether a retry can help, what the code is about, and what a person can do.

use rdkafka::error::RDKafkaErrorCode::{self, *};

use super::Class::{self, Refused, Transient, Unreachable};

/// What an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Reaching a broker, and logging in there.
    Connection,
    /// A topic or one of its partitions.
    Topic,
    /// The consumer group.
    Group,
    /// One message, or the batch it is in.
    Message,
    /// The transaction, or the producer's identity.
    Transaction,
    /// The client itself, or a request that these programs do not send.
    Client,
}

/// What is known of one code.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The code.
    pub code: RDKafkaErrorCode,
    /// What a retry can do.
    pub class: Class,
    /// What it is about.
    pub of: Of,
    /// What a person can do; empty when librdkafka's own words say it all.
    pub hint: &'static str,
}

/// The number of a code, which a newer broker may send without librdkafka knowing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub i32);

impl From<RDKafkaErrorCode> for Number {
    fn from(code: RDKafkaErrorCode) -> Self {
        Self(code as i32)
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match row(*self) {
            Some(row) => row.code.fmt(f),
            None => write!(f, "error {}, which this version of librdkafka does not know", self.0),
        }
    }
}

/// The row of a code; `None` for a number that this librdkafka does not know.
pub fn row(code: impl Into<Number>) -> Option<&'static Row> {
    let number = code.into();
    TABLE.iter().find(|row| Number::from(row.code) == number)
}

/// The code with this number; `Unknown` for one that librdkafka does not know, `None` for no error.
pub fn known(number: Number) -> Option<RDKafkaErrorCode> {
    (number.0 != 0).then(|| row(number).map_or(RDKafkaErrorCode::Unknown, |row| row.code))
}

const fn r(code: RDKafkaErrorCode, class: Class, of: Of, hint: &'static str) -> Row {
    Row { code, class, of, hint }
}

const LOGIN: &str = "check KAFKA_SASL_MECHANISM, KAFKA_USERNAME and the password";
const ADDRESS: &str =
    "check the address, the port, KAFKA_SECURITY_PROTOCOL and firewalls or NetworkPolicies in between";
const SIZE: &str = "the broker refuses the whole batch when it is over the topic's max.message.bytes: \
     send smaller messages, raise that limit, or lower -X batch.size below it so that neighbours do not fail too";
const NO_TOPIC: &str = "create the topic (the producer does it with --create-topic), or check KAFKA_TOPIC";
const REPLICAS: &str = "fewer replicas are in sync than the topic's min.insync.replicas: check the brokers";
/// Said of a question about the topic. What a broker says of a fetch, or of a message, is about one right: [`super::Right`].
const NO_RIGHT: &str = "the user may not even see the topic: it needs Read on the topic to consume, or Write on the topic to \
     produce, each of which includes Describe";
const KIP_848: &str = "the broker does not support what the client asks for: --group-protocol consumer (KIP-848) needs Apache Kafka \
     4.0 with the feature group.version=1 and consumer among its group.coordinator.rebalance.protocols; else use \
     --group-protocol classic";
const FENCED: &str = "another producer uses the same transactional id: give each its own";
const DELEGATION: &str = "check the delegation token";

/// Sorted as librdkafka has them: its own errors first, then the broker's by number.
///
/// Refused is what Apache Kafka's own clients do not retry, without the errors that a new process is rid of (a fenced
/// producer, an unknown member, a lost sequence). Anything doubtful is transient: a retry costs time, a wrong refusal fails a Job.
pub const TABLE: &[Row] = &[
    r(BadMessage, Transient, Of::Connection, ""),
    r(BadCompression, Transient, Of::Message, "the batch is damaged, or its compression is not built in"),
    r(BrokerDestroy, Transient, Of::Client, ""),
    r(Fail, Transient, Of::Connection, ""),
    r(BrokerTransportFailure, Unreachable, Of::Connection, ADDRESS),
    r(CriticalSystemResource, Transient, Of::Client, "the machine is out of memory, threads or file descriptors"),
    r(Resolve, Unreachable, Of::Connection, "check KAFKA_BOOTSTRAP_SERVERS and the DNS of this machine"),
    r(MessageTimedOut, Transient, Of::Message, ""),
    r(PartitionEOF, Transient, Of::Client, ""),
    r(UnknownPartition, Transient, Of::Topic, "the partition has no leader, or the topic has fewer partitions"),
    r(FileSystem, Transient, Of::Client, ""),
    r(UnknownTopic, Refused, Of::Topic, NO_TOPIC),
    r(AllBrokersDown, Unreachable, Of::Connection, ADDRESS),
    r(InvalidArgument, Transient, Of::Client, ""),
    r(OperationTimedOut, Unreachable, Of::Connection, ADDRESS),
    r(QueueFull, Transient, Of::Client, ""),
    r(ISRInsufficient, Transient, Of::Topic, REPLICAS),
    r(NodeUpdate, Transient, Of::Client, ""),
    r(
        SSL,
        Unreachable,
        Of::Connection,
        "check KAFKA_SECURITY_PROTOCOL, KAFKA_SSL_CA_LOCATION and, where the broker asks for a client certificate, \
         KAFKA_SSL_CERTIFICATE_LOCATION",
    ),
    r(WaitingForCoordinator, Transient, Of::Group, ""),
    r(UnknownGroup, Transient, Of::Group, ""),
    r(InProgress, Transient, Of::Client, ""),
    r(PreviousInProgress, Transient, Of::Client, ""),
    r(ExistingSubscription, Transient, Of::Client, ""),
    r(AssignPartitions, Transient, Of::Client, ""),
    r(RevokePartitions, Transient, Of::Client, ""),
    r(Conflict, Transient, Of::Client, ""),
    r(State, Transient, Of::Client, ""),
    r(UnknownProtocol, Refused, Of::Group, "the group uses a protocol that this client does not know"),
    r(NotImplemented, Refused, Of::Client, "this build of librdkafka does not do that"),
    r(Authentication, Refused, Of::Connection, LOGIN),
    r(NoOffset, Transient, Of::Group, ""),
    r(Outdated, Transient, Of::Client, ""),
    r(TimedOutQueue, Unreachable, Of::Connection, ADDRESS),
    r(UnsupportedFeature, Refused, Of::Group, KIP_848),
    r(WaitCache, Transient, Of::Client, ""),
    r(Interrupted, Transient, Of::Client, ""),
    r(KeySerialization, Transient, Of::Client, ""),
    r(ValueSerialization, Transient, Of::Client, ""),
    r(KeyDeserialization, Transient, Of::Client, ""),
    r(ValueDeserialization, Transient, Of::Client, ""),
    r(Partial, Transient, Of::Client, ""),
    r(ReadOnly, Transient, Of::Client, ""),
    r(NoEnt, Transient, Of::Client, ""),
    r(Underflow, Transient, Of::Connection, ""),
    r(InvalidType, Transient, Of::Client, ""),
    r(Retry, Transient, Of::Client, ""),
    r(PurgeQueue, Transient, Of::Message, ""),
    r(PurgeInflight, Transient, Of::Message, ""),
    // What it stands for is asked of the client.
    r(Fatal, Transient, Of::Client, ""),
    r(Inconsistent, Transient, Of::Transaction, ""),
    r(GaplessGuarantee, Transient, Of::Transaction, ""),
    r(PollExceeded, Transient, Of::Group, "raise -X max.poll.interval.ms, or find out what held the consumer up"),
    r(UnknownBroker, Transient, Of::Connection, ""),
    r(NotConfigured, Transient, Of::Client, ""),
    r(Fenced, Transient, Of::Transaction, FENCED),
    r(Application, Transient, Of::Client, ""),
    r(AssignmentLost, Transient, Of::Group, ""),
    r(Noop, Transient, Of::Client, ""),
    r(AutoOffsetReset, Refused, Of::Topic, "choose a start with --from"),
    r(LogTruncation, Transient, Of::Topic, "an unclean leader election lost records"),
    r(
        InvalidDifferentRecord,
        Refused,
        Of::Message,
        "another message of the same batch is invalid: -X batch.num.messages=1 shows which",
    ),
    r(DestroyBroker, Transient, Of::Client, ""),
    r(Unknown, Transient, Of::Connection, "the broker met an error of its own: its log says which"),
    r(NoError, Transient, Of::Client, ""),
    r(OffsetOutOfRange, Transient, Of::Topic, ""),
    r(InvalidMessage, Transient, Of::Message, "the message was damaged on its way"),
    r(UnknownTopicOrPartition, Refused, Of::Topic, NO_TOPIC),
    r(InvalidMessageSize, Refused, Of::Message, SIZE),
    r(LeaderNotAvailable, Transient, Of::Topic, ""),
    r(NotLeaderForPartition, Transient, Of::Topic, ""),
    r(RequestTimedOut, Transient, Of::Topic, ""),
    r(BrokerNotAvailable, Transient, Of::Connection, ""),
    r(ReplicaNotAvailable, Transient, Of::Topic, ""),
    r(MessageSizeTooLarge, Refused, Of::Message, SIZE),
    r(StaleControllerEpoch, Transient, Of::Client, ""),
    r(OffsetMetadataTooLarge, Refused, Of::Group, ""),
    r(NetworkException, Unreachable, Of::Connection, ADDRESS),
    r(CoordinatorLoadInProgress, Transient, Of::Group, ""),
    r(CoordinatorNotAvailable, Transient, Of::Group, ""),
    r(NotCoordinator, Transient, Of::Group, ""),
    r(InvalidTopic, Refused, Of::Topic, "a topic name has 1 to 249 letters, digits, dots, underscores or hyphens"),
    r(MessageBatchTooLarge, Refused, Of::Message, "lower -X batch.size below the topic's segment.bytes"),
    r(NotEnoughReplicas, Transient, Of::Topic, REPLICAS),
    r(NotEnoughReplicasAfterAppend, Transient, Of::Topic, REPLICAS),
    r(InvalidRequiredAcks, Refused, Of::Topic, "check -X acks"),
    r(IllegalGeneration, Transient, Of::Group, ""),
    r(
        InconsistentGroupProtocol,
        Refused,
        Of::Group,
        "the members of the group share no assignor, or no group protocol: use the other members' -X \
         partition.assignment.strategy and --group-protocol, or another KAFKA_CONSUMER_GROUP",
    ),
    r(InvalidGroupId, Refused, Of::Group, "check KAFKA_CONSUMER_GROUP"),
    r(UnknownMemberId, Transient, Of::Group, ""),
    r(
        InvalidSessionTimeout,
        Refused,
        Of::Group,
        "the broker allows from group.min.session.timeout.ms to group.max.session.timeout.ms (6 s to 30 minutes by \
         default): check -X session.timeout.ms",
    ),
    r(RebalanceInProgress, Transient, Of::Group, ""),
    r(InvalidCommitOffsetSize, Refused, Of::Group, ""),
    r(TopicAuthorizationFailed, Refused, Of::Topic, NO_RIGHT),
    r(GroupAuthorizationFailed, Refused, Of::Group, "the user needs Read on the group: check KAFKA_CONSUMER_GROUP"),
    r(
        ClusterAuthorizationFailed,
        Refused,
        Of::Topic,
        "the user needs Write on the topic, which includes idempotent writes on current brokers",
    ),
    r(
        InvalidTimestamp,
        Refused,
        Of::Message,
        "the topic's message.timestamp.before.max.ms and message.timestamp.after.max.ms say which timestamps it takes",
    ),
    r(
        UnsupportedSASLMechanism,
        Refused,
        Of::Connection,
        "the broker does not offer this mechanism: check KAFKA_SASL_MECHANISM",
    ),
    r(IllegalSASLState, Refused, Of::Connection, "check KAFKA_SECURITY_PROTOCOL or the port"),
    r(UnsupportedVersion, Refused, Of::Group, KIP_848),
    r(TopicAlreadyExists, Transient, Of::Topic, ""),
    r(InvalidPartitions, Refused, Of::Topic, ""),
    r(InvalidReplicationFactor, Refused, Of::Topic, "the cluster has fewer brokers than that"),
    r(InvalidReplicaAssignment, Refused, Of::Topic, ""),
    r(InvalidConfig, Refused, Of::Topic, ""),
    r(NotController, Transient, Of::Client, ""),
    r(InvalidRequest, Refused, Of::Client, ""),
    r(
        UnsupportedForMessageFormat,
        Refused,
        Of::Message,
        "the topic's message format takes no headers: send without them",
    ),
    r(PolicyViolation, Refused, Of::Topic, "a policy of the cluster forbids it: ask its operators"),
    r(OutOfOrderSequenceNumber, Transient, Of::Transaction, ""),
    r(DuplicateSequenceNumber, Transient, Of::Transaction, ""),
    r(InvalidProducerEpoch, Transient, Of::Transaction, FENCED),
    r(InvalidTransactionalState, Transient, Of::Transaction, ""),
    r(InvalidProducerIdMapping, Transient, Of::Transaction, ""),
    r(
        InvalidTransactionTimeout,
        Refused,
        Of::Transaction,
        "lower --timeout: brokers allow transactions of 15 minutes at most",
    ),
    r(ConcurrentTransactions, Transient, Of::Transaction, ""),
    r(TransactionCoordinatorFenced, Transient, Of::Transaction, ""),
    r(TransactionalIdAuthorizationFailed, Refused, Of::Transaction, "the user needs Write on the transactional id"),
    r(SecurityDisabled, Refused, Of::Client, "the cluster has no authorizer"),
    r(OperationNotAttempted, Transient, Of::Client, ""),
    r(KafkaStorageError, Transient, Of::Topic, "a disk of the broker fails: its log says which"),
    r(LogDirNotFound, Refused, Of::Client, ""),
    r(SaslAuthenticationFailed, Refused, Of::Connection, LOGIN),
    r(UnknownProducerId, Transient, Of::Transaction, ""),
    r(ReassignmentInProgress, Transient, Of::Topic, ""),
    r(DelegationTokenAuthDisabled, Refused, Of::Connection, DELEGATION),
    r(DelegationTokenNotFound, Refused, Of::Connection, DELEGATION),
    r(DelegationTokenOwnerMismatch, Refused, Of::Connection, DELEGATION),
    r(DelegationTokenRequestNotAllowed, Refused, Of::Connection, DELEGATION),
    r(DelegationTokenAuthorizationFailed, Refused, Of::Connection, DELEGATION),
    r(DelegationTokenExpired, Refused, Of::Connection, DELEGATION),
    r(InvalidPrincipalType, Refused, Of::Client, ""),
    r(NonEmptyGroup, Transient, Of::Group, ""),
    r(GroupIdNotFound, Transient, Of::Group, ""),
    r(FetchSessionIdNotFound, Transient, Of::Connection, ""),
    r(InvalidFetchSessionEpoch, Transient, Of::Connection, ""),
    r(ListenerNotFound, Transient, Of::Topic, "the leader has no listener like the one that was asked"),
    r(TopicDeletionDisabled, Refused, Of::Topic, ""),
    r(FencedLeaderEpoch, Transient, Of::Topic, ""),
    r(UnknownLeaderEpoch, Transient, Of::Topic, ""),
    r(
        UnsupportedCompressionType,
        Refused,
        Of::Topic,
        "the topic's message format is too old for this compression: check -X compression.type",
    ),
    r(StaleBrokerEpoch, Transient, Of::Client, ""),
    r(OffsetNotAvailable, Transient, Of::Topic, ""),
    r(MemberIdRequired, Transient, Of::Group, ""),
    r(PreferredLeaderNotAvailable, Transient, Of::Topic, ""),
    r(
        GroupMaxSizeReached,
        Refused,
        Of::Group,
        "the group has as many members as the broker allows (group.max.size): run fewer, or raise it",
    ),
    r(FencedInstanceId, Refused, Of::Group, "another member uses the same -X group.instance.id: give each its own"),
    r(EligibleLeadersNotAvailable, Transient, Of::Topic, ""),
    r(ElectionNotNeeded, Transient, Of::Client, ""),
    r(NoReassignmentInProgress, Transient, Of::Client, ""),
    r(GroupSubscribedToTopic, Refused, Of::Group, ""),
    r(
        InvalidRecord,
        Refused,
        Of::Message,
        "a compacted topic (cleanup.policy=compact) takes only messages with a key: see --key; else the broker's log \
         says what is wrong with the message",
    ),
    r(UnstableOffsetCommit, Transient, Of::Group, ""),
    r(ThrottlingQuotaExceeded, Transient, Of::Client, ""),
    r(ProducerFenced, Transient, Of::Transaction, FENCED),
    r(ResourceNotFound, Refused, Of::Client, ""),
    r(DuplicateResource, Refused, Of::Client, ""),
    r(UnacceptableCredential, Refused, Of::Client, ""),
    r(InconsistentVoterSet, Transient, Of::Client, ""),
    r(InvalidUpdateVersion, Refused, Of::Client, ""),
    r(FeatureUpdateFailed, Refused, Of::Client, ""),
    r(PrincipalDeserializationFailure, Refused, Of::Client, ""),
    r(UnknownTopicId, Transient, Of::Topic, "the topic was deleted, and maybe created again"),
    r(FencedMemberEpoch, Transient, Of::Group, ""),
    r(UnreleasedInstanceId, Transient, Of::Group, "another member still holds the same -X group.instance.id"),
    r(UnsupportedAssignor, Refused, Of::Group, "check -X group.remote.assignor"),
    r(StaleMemberEpoch, Transient, Of::Group, ""),
    r(UnknownSubscriptionId, Transient, Of::Client, ""),
    r(TelemetryTooLarge, Transient, Of::Client, ""),
    r(RebootstrapRequired, Transient, Of::Connection, ""),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::native::described_codes;

    #[test]
    fn a_number_of_a_newer_broker_is_unknown_and_no_error_is_none() {
        assert_eq!(known(Number(0)), None);
        assert_eq!(known(Number(3)), Some(UnknownTopicOrPartition));
        assert_eq!(known(Number(30_000)), Some(Unknown));
    }

    #[test]
    fn each_code_that_librdkafka_describes_has_one_row() {
        let described = described_codes();
        assert!(described.len() > 100, "{} codes", described.len());
        for code in &described {
            let rows = TABLE.iter().filter(|row| row.code == *code).count();
            assert_eq!(rows, 1, "{code:?}: add a row to TABLE, or take one away");
        }
        assert_eq!(TABLE.len(), described.len(), "a row whose code librdkafka does not describe any more");
    }

    #[test]
    fn what_no_retry_can_mend_is_refused_with_a_hint() {
        use crate::kafka::error::{class, hint};
        for (code, says) in [
            (InvalidTimestamp, "message.timestamp"),
            (InvalidRecord, "key"),
            (InconsistentGroupProtocol, "partition.assignment.strategy"),
            (InvalidSessionTimeout, "session.timeout.ms"),
            (UnsupportedVersion, "--group-protocol"),
            (UnsupportedAssignor, "group.remote.assignor"),
            (FencedInstanceId, "group.instance.id"),
            (GroupMaxSizeReached, "group.max.size"),
            (InvalidGroupId, "KAFKA_CONSUMER_GROUP"),
        ] {
            assert_eq!(class(code), Refused, "{code:?}");
            assert!(hint(code).contains(says), "{code:?}: {}", hint(code));
        }
        // A number of a newer broker.
        assert_eq!((class(Number(119)), hint(Number(119))), (Transient, ""));
        assert_eq!(crate::kafka::error::name(Number(119)), "119");
        // A partition without a leader: it comes back.
        assert_eq!(class(UnknownPartition), Transient);
    }
}
