//! The consumer as a program.
fn main() {}
