//! The life of a program, the same for both. A program implements [`Program`]; its `main` is [`main`].
//!
//! In order: signal handlers (`run`) → flags and settings (`prepare`) → admin port, the process confines itself (`confine`) →
//! log, metrics and the program's own [`Program::start`] (`prepare`) → its work → the verdict ([`Finish::with`]) → the report →
//! the clients are dropped → the last log lines.
//!
//! The main thread only watches: signals, the drain deadline, the admin server, and it alone says how the run ended. Two others,
//! one after another, do everything that can block: `settings` reads flags, env files and settings, and ends; `work` does the rest.
//! In between the main thread is alone, and restricts itself and with it all threads to come. So a signal is seen wherever the
//! program stands, and a run that hangs is left behind with an honest report, made from its [`Account`].

mod confine;
mod early;
mod flags;
mod prepare;
mod run;
mod signals;
mod subcommands;
mod surroundings;

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgMatches, Command};
use tokio::sync::mpsc::UnboundedSender;

use crate::admin::Routes;
use crate::args::sandbox::Sandbox;
use crate::args::{Given, Listen, LogArgs};
use crate::config::{Layers, Problems, Properties, SecretVariable};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::health::Health;
use crate::kafka::ClientState;
use crate::kafka::promises::Weakness;
use crate::kafka::rotation::OnChange;
use crate::metrics::{self, ClientMetrics, HttpMetrics, LogMetrics, Metrics};
use crate::report::{Outlet, Report};
use crate::shutdown::Shutdown;
use crate::telemetry::{self, SpanMetrics, Tracer};
use crate::verdict::Verdict;

pub use flags::{NotRun, Said, said, variables, version};
pub use run::main;

/// What a program gives to the runner.
pub trait Program: 'static {
    /// The program's name.
    const NAME: &'static str;
    /// The program's version.
    const VERSION: &'static str;
    /// The flags, as typed.
    type Args;
    /// The checked settings.
    type Config: Send + 'static;
    /// The metrics of the work.
    type Metrics: Send + 'static;

    /// The whole command line, subcommands included. The runner carries out `config` and `healthcheck`.
    fn command(version: String) -> Command;

    /// The flags of a run, or of a subcommand of the program's own, by its name.
    ///
    /// # Errors
    /// Never, after clap has checked them.
    fn args(subcommand: Option<&str>, flags: &ArgMatches) -> Result<Self::Args, clap::Error>;

    /// The flags of the log, which starts before the settings are checked.
    fn log(args: &Self::Args) -> &LogArgs;

    /// Checks all settings. Problems are collected; the settings are used only when there are none.
    fn configure(args: &Self::Args, given: Given<'_>, layers: &Layers, problems: &mut Problems) -> Self::Config;

    /// The settings that the runner itself needs.
    fn settings(config: &Self::Config) -> Settings<'_>;

    /// The program's own secrets, beside those of a connection.
    fn secrets() -> &'static [SecretVariable] {
        &[]
    }

    /// Registers all metrics.
    ///
    /// # Errors
    /// When a name is taken.
    fn register(program: &metrics::Program) -> prometheus::Result<Registered<Self::Metrics>>;

    /// Gets the work ready. Runs on the work's thread.
    ///
    /// # Errors
    /// A problem with the settings that shows only now; it is reported as one.
    fn start(config: Self::Config, parts: Parts<Self::Metrics>) -> Result<Job, String>;
}

/// The settings that the runner needs.
pub struct Settings<'a> {
    /// Address of the admin server.
    pub listen: Listen,
    /// Brokers and login.
    pub connection: &'a Connection,
    /// librdkafka's settings.
    pub properties: &'a Properties,
    /// What the client works on, for error messages: `topic orders, group billing`.
    pub subject: String,
    /// How long the work may take to end after a signal.
    pub drain_timeout: Duration,
    /// How long the work loop may stand still before the process counts as dead.
    pub stall_limit: Duration,
    /// Whether the run has no end of its own: a signal is then its clean end.
    pub endless: bool,
    /// Which settings weaken what the program promises by default.
    pub weakened: &'a [Weakness],
    /// Where Kubernetes looks for the report.
    pub termination_log: &'a Path,
    /// Where people and scripts look for the report.
    pub outlet: Outlet,
    /// Traces, if there are any.
    pub traces: Option<&'a telemetry::Settings>,
    /// How far the process confines itself.
    pub sandbox: Sandbox,
    /// What is done about a certificate or key that was replaced.
    pub on_credential_change: OnChange,
    /// Files that the work opens by itself.
    pub inputs: Vec<PathBuf>,
}

/// A program's metrics, those of the work and those that both programs have.
pub struct Registered<M> {
    /// All of them, to be scraped.
    pub metrics: Metrics,
    /// Of the work.
    pub work: M,
    /// Of the connections.
    pub client: ClientMetrics,
    /// Of the admin server.
    pub http: HttpMetrics,
    /// Of the log.
    pub log: LogMetrics,
    /// Of traces.
    pub spans: SpanMetrics,
}

/// What the runner gives to the work.
pub struct Parts<M> {
    /// The state of the connection to the brokers.
    pub client: Arc<ClientState>,
    /// The metrics of the work.
    pub metrics: M,
    /// To be told of progress and readiness.
    pub health: Health,
    /// Tells the work to end, and by when.
    pub shutdown: Shutdown,
    /// Takes spans, if there are traces.
    pub tracer: Option<Tracer>,
}

/// The work, ready to run.
pub struct Job {
    /// The counts of the run. `None` for work without a report, such as a dry run.
    pub account: Option<Arc<dyn Account>>,
    /// What the program adds to the admin server.
    pub routes: Routes,
    /// The work. It ends by one of the methods of [`Finish`].
    pub run: Box<dyn FnOnce(Finish) + Send>,
}

/// The counts of a run, shared by the work, which writes them, and the runner, which reports on them at any moment: also on a
/// run that hangs.
pub trait Account: Send + Sync {
    /// The report on a run that ends now with this verdict.
    fn report(&self, verdict: &Verdict) -> Report;

    /// What a run that is ended by force now has done so far, such as `10 of 20 messages acknowledged`; `None` when nothing is
    /// left to do.
    fn undone(&self) -> Option<String>;

    /// What is left to be told to others when the report has been shown, if anything. Not to outlast two seconds.
    fn farewell(&self, exit: Exit) -> Option<Farewell> {
        let _ = exit;
        None
    }
}

/// What a process does last. It must end by itself.
pub type Farewell = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How the work hands its end over. Dropped unused, as by a panic, it counts as a failure.
pub struct Finish {
    events: UnboundedSender<Event>,
    early: early::Early,
}

impl Finish {
    /// Hands the verdict over, and returns when the report has been shown. Only then may a client be dropped: that can hang.
    pub fn with(self, verdict: Verdict) {
        let (shown, wait) = std::sync::mpsc::channel();
        if self.events.send(Event::Verdict(verdict, shown)).is_ok() {
            // Never sent, only dropped.
            let _ = wait.recv();
        }
    }

    /// Ends the run because of a problem with the settings that shows only when they are used: reported as all such problems
    /// are, without a report.
    pub fn refuse(self, problem: impl Into<String>) {
        let mut problems = Problems::new();
        problems.add(problem);
        self.early.configuration(&problems);
        self.silently(Exit::Usage);
    }

    /// Ends a run that has said all there is to say.
    pub fn silently(self, exit: Exit) {
        // The other end goes only with the process.
        let _ = self.events.send(Event::Ended(exit));
    }
}

/// What the work's thread tells the main thread.
enum Event {
    /// The settings are read, and their thread ends.
    Settled(Box<confine::Settled>),
    /// The work starts.
    Ready(Box<surroundings::Surroundings>),
    /// The work has ended; the sender is dropped when the report has been shown.
    Verdict(Verdict, std::sync::mpsc::Sender<()>),
    /// The process ends without a report.
    Ended(Exit),
}
