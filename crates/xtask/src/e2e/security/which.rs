//! Which of the two programs a case is about.

/// One of the two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// `kafka-producer`.
    Producer,
    /// `kafka-consumer`.
    Consumer,
}

/// Both, in the order of the table.
pub const BOTH: &[Which] = &[Which::Producer, Which::Consumer];

impl Which {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}
