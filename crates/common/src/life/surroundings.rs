//! What the main thread knows of the work: prepared before it, watched by while it runs.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Account;
use crate::admin::{Admin, Routes};
use crate::health::Health;
use crate::report::Outlet;
use crate::telemetry::Tracer;

/// What the main thread watches the work by, and what it tells of it.
pub(super) struct Surroundings {
    /// The admin server's port, if there is one, and what it shows.
    pub admin: Option<(TcpListener, Admin)>,
    /// What the program adds to the admin server.
    pub routes: Routes,
    /// Shared with the work and the admin server.
    pub health: Health,
    /// How long the work may take to end after a signal.
    pub drain_timeout: Duration,
    /// Whether a signal is the clean end of the run.
    pub endless: bool,
    /// Where the report is left for Kubernetes.
    pub termination_log: PathBuf,
    /// Where the report is shown.
    pub outlet: Outlet,
    /// The counts of the run.
    pub account: Option<Arc<dyn Account>>,
    /// Spans that wait to be sent.
    pub tracer: Option<Tracer>,
}
