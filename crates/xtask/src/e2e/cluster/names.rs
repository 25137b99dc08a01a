//! What the suite on Kubernetes calls things, and how long they may take.

use std::time::Duration;

/// The programs' namespace.
pub const PROGRAMS: &str = "kafka-clients";
/// The broker's.
pub const BROKER: &str = "kafka";
/// Who may fetch metrics.
pub const MONITORING: &str = "monitoring";
/// Of this suite: neither the programs' nor monitoring's.
pub const WORK: &str = "kafka-clients-e2e";
/// The pods of the consumer.
pub const CONSUMERS: &str = "app.kubernetes.io/name=kafka-consumer";

/// The folder of the broker, and of the programs.
pub const BROKER_FOLDER: &str = "kafka/single";
/// See [`BROKER_FOLDER`].
pub const PROGRAMS_FOLDER: &str = "k8s";

/// How long an installation may take until all of it is ready: images may have to be pulled.
pub const READY: Duration = Duration::from_secs(420);
/// How long a rollout, or the end of a Job, may take.
pub const LONG: Duration = Duration::from_secs(300);
/// How long anything may take that the cluster does by itself at once.
pub const SOON: Duration = Duration::from_secs(90);
