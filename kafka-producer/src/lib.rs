//! The producer as a library: publishes a number of messages and says honestly what became of each.

pub mod source;
