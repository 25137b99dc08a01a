//! Where something is that was found.

/// A record in the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its attempt and number, where they can be read.
    pub message: Option<(u32, u64)>,
}

/// A message of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its number.
    pub seq: u64,
    /// The process that sent it.
    pub attempt: u32,
}
