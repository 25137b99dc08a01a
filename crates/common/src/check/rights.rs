//! The rights that the programs need: one table, for the check, and for the page that tells whom to ask for what.

use crate::kafka::native::Operation;

/// What a right is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The topic.
    Topic,
    /// The consumer group.
    Group,
    /// The id of transactions.
    TransactionalId,
}

impl Resource {
    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Group => "group",
            Self::TransactionalId => "transactional id",
        }
    }
}

/// What a program is asked to do, and needs rights for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// `kafka-producer`.
    Publish,
    /// `kafka-producer --create-topic`.
    CreateTopic,
    /// `kafka-producer --transactional-id`.
    Transaction,
    /// `kafka-producer round-trip`.
    RoundTrip,
    /// `kafka-consumer`, in no group, and its audit.
    Read,
    /// `kafka-consumer --group`.
    ReadInGroup,
}

impl Feature {
    /// As it is typed.
    pub const fn command(self) -> &'static str {
        match self {
            Self::Publish => "kafka-producer",
            Self::CreateTopic => "kafka-producer --create-topic",
            Self::Transaction => "kafka-producer --transactional-id",
            Self::RoundTrip => "kafka-producer round-trip",
            Self::Read => "kafka-consumer without a group, kafka-consumer audit",
            Self::ReadInGroup => "kafka-consumer --group",
        }
    }
}

/// A right that a feature needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// For what.
    pub feature: Feature,
    /// The operation.
    pub operation: Operation,
    /// What it is on.
    pub on: Resource,
    /// Why, for people.
    pub why: &'static str,
}

const fn need(feature: Feature, operation: Operation, on: Resource, why: &'static str) -> Need {
    Need { feature, operation, on, why }
}

/// All of them. Read and Write bring Describe with them.
pub const NEEDS: [Need; 10] = [
    need(
        Feature::Publish,
        Operation::Write,
        Resource::Topic,
        "to publish; brokers before 2.8 also want IdempotentWrite on the cluster",
    ),
    need(Feature::CreateTopic, Operation::Write, Resource::Topic, "to publish"),
    need(
        Feature::CreateTopic,
        Operation::Create,
        Resource::Topic,
        "to create it where it is missing; Create on the cluster does it too",
    ),
    need(Feature::Transaction, Operation::Write, Resource::Topic, "to publish"),
    need(
        Feature::Transaction,
        Operation::Write,
        Resource::TransactionalId,
        "to begin and commit; in shares each has -INDEX behind it",
    ),
    need(Feature::RoundTrip, Operation::Write, Resource::Topic, "to publish"),
    need(Feature::RoundTrip, Operation::Read, Resource::Topic, "to read back"),
    need(Feature::Read, Operation::Read, Resource::Topic, "to read"),
    need(Feature::ReadInGroup, Operation::Read, Resource::Topic, "to read"),
    need(Feature::ReadInGroup, Operation::Read, Resource::Group, "to be a member and to commit"),
];

/// What these features need, each right once.
pub fn needs(features: &[Feature]) -> Vec<Need> {
    let mut all: Vec<Need> = Vec::new();
    for need in NEEDS.iter().filter(|need| features.contains(&need.feature)) {
        if all.iter().all(|known| (known.operation, known.on) != (need.operation, need.on)) {
            all.push(*need);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_right_is_asked_for_once_and_each_feature_has_some() {
        let all = needs(&[Feature::Publish, Feature::RoundTrip, Feature::Transaction]);
        let rights: Vec<_> = all.iter().map(|need| (need.operation.name(), need.on.label())).collect();
        assert_eq!(rights, [("Write", "topic"), ("Write", "transactional id"), ("Read", "topic")]);
        for need in NEEDS {
            assert!(!needs(&[need.feature]).is_empty());
        }
    }
}
