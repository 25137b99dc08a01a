//! Brokers to test against, and running the real programs as processes.
//!
//! | module | what it is for |
//! |---|---|
//! | [`mock`] | librdkafka's own mock cluster, inside the test's process: starts in milliseconds, injects faults |
//! | [`apache`] | a real Apache Kafka as processes: one to several nodes, logins, TLS, rights, brokers that die |
//! | [`process`] | a real program run as a process: environment, output, signals, exit code |
//! | [`records`] | records put into and read out of a topic by a plain client |
//! | [`dns`] | a name server that answers, denies, or is too long for UDP |
//! | [`groups`] | what the brokers say of consumer groups |
//! | [`http`] | one GET on loopback, for `/metrics`, `/livez` and `/readyz`; reading a request |
//! | [`mount`] | files that are replaced at once, as Kubernetes mounts a Secret |
//! | [`otlp`] | a receiver of the spans that a program exports |
//! | [`pipes`] | pipes that are full, named pipes |
//! | [`ports`] | ports that are free |
//! | [`proxy`] | a network that holds bytes back, delays them, resets connections |
//! | [`visitors`] | a port that counts who comes, and sends everybody away |
//!
//! Every wait ends by an event or by its deadline, and a missed deadline says what was seen until then. Everything started
//! here ends with its owner: dropped, panicked or killed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this crate is only used by tests and tasks, where a panic is the report"
)]

pub mod apache;
pub mod dns;
pub mod groups;
pub mod http;
pub mod mock;
pub mod mount;
pub mod otlp;
pub mod pipes;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod records;
mod spawn;
pub mod visitors;
