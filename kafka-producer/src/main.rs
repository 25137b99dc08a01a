//! The entry point of `kafka-producer`.

fn main() {}
