//! What both programs share: how they are configured, how they talk to Kafka, how they report and how they end.
//!
//! Dependencies point one way. `args`, `config`, `connection`, `exit`, `health`, `shutdown` and `stamp` know neither rdkafka nor axum nor
//! prometheus; `kafka` does not know axum; `admin` does not know `kafka`; only `telemetry` knows OpenTelemetry, only `sandbox`
//! Landlock; nothing here knows a program.

pub mod admin;
pub mod args;
pub mod check;
pub mod config;
pub mod connection;
pub mod exit;
pub mod health;
pub mod kafka;
pub mod life;
pub mod logging;
pub mod metrics;
pub mod outlet;
pub mod pushgateway;
pub mod report;
pub mod sandbox;
pub mod shutdown;
pub mod stamp;
pub mod telemetry;
pub mod text;
mod tls;
pub mod verdict;
