//! What the brokers answer to questions, as plain data.

use rdkafka::error::RDKafkaErrorCode;

use super::{Operations, TopicPartition};

/// Which records of transactions count for an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Up to the last stable offset.
    ReadCommitted,
    /// Up to the high watermark.
    ReadUncommitted,
}

/// A topic's identity, which a topic of the same name that is created later does not share. Zero where brokers have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicId(pub [i64; 2]);

impl TopicId {
    /// Whether the brokers told one: old ones, and librdkafka's mock cluster, answer zeros.
    pub fn is_known(self) -> bool {
        self.0 != [0, 0]
    }
}

/// What the brokers say of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionAnswer {
    /// Its number.
    pub partition: i32,
    /// The broker that leads it, if there is one.
    pub leader: Option<i32>,
}

/// What the brokers say of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicAnswer {
    /// Its name.
    pub name: String,
    /// Its identity and partitions, or why they are not told.
    pub found: Result<(TopicId, Vec<PartitionAnswer>), RDKafkaErrorCode>,
    /// What the login may do with it, where that was asked for and told.
    pub allowed: Option<Operations>,
}

/// What the brokers say of themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterAnswer {
    /// The cluster's id; empty where it is not told.
    pub id: String,
    /// What the login may do with the cluster, where that was told.
    pub allowed: Option<Operations>,
}

/// What the coordinator says of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupAnswer {
    /// Whether no rebalance is under way.
    pub is_stable: bool,
    /// How many partitions this client's member has; `None` when the coordinator knows no such member.
    pub own_partitions: Option<usize>,
    /// How many members there are.
    pub members: usize,
    /// Kafka's word for its state, such as `Stable` or `Empty`; a group that does not exist is `Dead`.
    pub state: String,
    /// What the login may do with it, where that was asked for and told.
    pub allowed: Option<Operations>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An offset for each partition asked about; negative when there is none.
    Offsets(Vec<(TopicPartition, Result<i64, RDKafkaErrorCode>)>),
    /// The topics asked about.
    Topics(Vec<TopicAnswer>),
    /// The brokers themselves.
    Cluster(ClusterAnswer),
    /// The group asked about.
    Group(Result<GroupAnswer, RDKafkaErrorCode>),
    /// The question as a whole was not answered, and why.
    Failed(RDKafkaErrorCode, String),
}
