//! What a login may do, as the brokers tell it with a description.

use rdkafka::bindings::rd_kafka_AclOperation_t;

use super::elements;

/// An operation of Kafka's access control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// To read records, or to be a member of a group.
    Read,
    /// To write records.
    Write,
    /// To create a topic.
    Create,
    /// To see that something is there.
    Describe,
    /// To see how something is configured.
    DescribeConfigs,
}

impl Operation {
    const ALL: [Self; 5] = [Self::Read, Self::Write, Self::Create, Self::Describe, Self::DescribeConfigs];

    /// As Kafka's tools write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Create => "Create",
            Self::Describe => "Describe",
            Self::DescribeConfigs => "DescribeConfigs",
        }
    }

    const fn of(native: rd_kafka_AclOperation_t) -> Option<Self> {
        use rd_kafka_AclOperation_t as Native;
        match native {
            Native::RD_KAFKA_ACL_OPERATION_READ => Some(Self::Read),
            Native::RD_KAFKA_ACL_OPERATION_WRITE => Some(Self::Write),
            Native::RD_KAFKA_ACL_OPERATION_CREATE => Some(Self::Create),
            Native::RD_KAFKA_ACL_OPERATION_DESCRIBE => Some(Self::Describe),
            Native::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS => Some(Self::DescribeConfigs),
            _ => None,
        }
    }
}

/// The operations that a login is allowed, of those that matter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations(u8);

impl Operations {
    /// Whether this one is among them.
    pub const fn has(self, operation: Operation) -> bool {
        self.0 & (1 << operation as u8) != 0
    }

    /// Their names.
    pub fn names(self) -> Vec<&'static str> {
        Operation::ALL.into_iter().filter(|operation| self.has(*operation)).map(Operation::name).collect()
    }

    /// What the brokers told; `None` where they told nothing, which librdkafka says by a null pointer.
    ///
    /// # Safety
    /// `pointer` is null or points to `count` elements that are alive.
    pub(super) unsafe fn read(pointer: *const rd_kafka_AclOperation_t, count: usize) -> Option<Self> {
        if pointer.is_null() {
            return None;
        }
        // SAFETY: the caller's promise.
        let all = unsafe { elements(pointer, count) };
        Some(Self(all.iter().filter_map(|native| Operation::of(*native)).fold(0, |set, one| set | (1 << one as u8))))
    }
}

impl FromIterator<Operation> for Operations {
    fn from_iter<I: IntoIterator<Item = Operation>>(operations: I) -> Self {
        Self(operations.into_iter().fold(0, |set, one| set | (1 << one as u8)))
    }
}
