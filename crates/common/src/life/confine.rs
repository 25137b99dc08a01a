//! Between the settings and the work: the admin port is taken, the process confines itself, and only then starts threads.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::early::Early;
use super::{Event, Settings};
use crate::admin;
use crate::args::Listen;
use crate::args::sandbox::Sandbox;
use crate::config::Problems;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::logging::Lines;
use crate::sandbox::{self, Prepared, Rules, State};

/// How long a thread that was joined may take to leave.
const LEAVE: Duration = Duration::from_millis(500);
/// What a file needs that is neither the root's nor a home's.
const OWN_FOLDER: &str = "give it a folder of its own";

/// What has come of the settings. It is made on their thread, and gone on with on the main thread.
pub(super) struct Settled {
    /// The admin server's address.
    pub listen: Listen,
    /// How the process confines itself.
    pub plan: Plan,
    /// To say what is wrong.
    pub early: Early,
    /// The work's way to the main thread, which must not hold it: its end is the end of the work.
    pub events: UnboundedSender<Event>,
    /// The life of the work's thread.
    pub work: Box<dyn FnOnce(Option<TcpListener>, UnboundedSender<Event>) + Send>,
}

impl Settled {
    /// Takes the port, confines the process, releases the log and starts the work. `is_ending` when a signal has come.
    ///
    /// # Errors
    /// When the thread cannot be started; inside, the exit code for what is wrong and has been said.
    pub(super) fn go_on(self, lines: &Lines, is_ending: bool) -> io::Result<Result<(), Exit>> {
        let Self { listen, plan, early, events, work } = self;
        let refused = |problem: String| {
            let mut problems = Problems::new();
            problems.add(problem);
            early.configuration(&problems);
            Ok(Err(Exit::Usage))
        };
        // Before it confines itself: no port can be bound after that.
        let listener = match admin::bind(listen) {
            Ok(listener) => listener,
            Err(problem) => return refused(problem),
        };
        let as_they_are = plan.as_they_are.clone();
        let state = match plan.carry_out(is_ending) {
            Ok(state) => state,
            Err(problem) => return refused(problem),
        };
        lines.release();
        if let Some(state) = state {
            say(&state, &as_they_are);
            sandbox::note(state);
        }
        // Not waited for: it is left behind when it hangs.
        std::thread::Builder::new().name("work".to_owned()).spawn(move || work(listener, events))?;
        Ok(Ok(()))
    }
}

/// How the process confines itself.
pub(super) struct Plan {
    mode: Sandbox,
    /// `None` when it is not to.
    prepared: Option<Result<Prepared, String>>,
    /// Files that can only be read as they are.
    as_they_are: Vec<String>,
}

impl Plan {
    /// Gathers the rules from the settings and hands them to the kernel. Looks at every path, which may hang: not for the main thread.
    pub(super) fn new(settings: &Settings<'_>) -> Self {
        let mode = settings.sandbox;
        if mode == Sandbox::Off {
            return Self { mode, prepared: None, as_they_are: Vec::new() };
        }
        let rules = rules(settings);
        let as_they_are = rules.as_they_are.iter().map(|path| path.display().to_string()).collect();
        Self { mode, prepared: Some(Prepared::new(&rules)), as_they_are }
    }

    /// Confines the process. The calling thread has to be its only one, except in a run that is ending: a signal was logged then.
    fn carry_out(self, is_ending: bool) -> Result<Option<State>, String> {
        let Some(prepared) = self.prepared else { return Ok(None) };
        let alone = if is_ending { Ok(true) } else { sandbox::alone(LEAVE) };
        let entered = prepared.and_then(Prepared::enter);
        let mut state = entered.unwrap_or_else(State::nothing);
        match alone {
            Ok(true) => {}
            Ok(false) => state.missing.push("threads that were there before stay free".to_owned()),
            Err(error) => state.missing.push(format!("whether threads were there before is unknown: {error}")),
        }
        if self.mode == Sandbox::Require && !state.missing.is_empty() {
            return Err(format!(
                "--sandbox (KAFKA_CLIENT_SANDBOX) is require, but the process cannot confine itself wholly: {}; use auto, or a \
                 kernel that can (Linux 6.12 or newer)",
                state.missing()
            ));
        }
        Ok(Some(state))
    }
}

/// What the settings say may be read and written.
fn rules(settings: &Settings<'_>) -> Rules {
    let mut rules = Rules::of_every_run();
    let property = |key: &str| settings.properties.get(key).map(std::path::Path::new);
    // `probe` is librdkafka's word for the system's authorities. When these end, and whether they are replaced, is looked at for as
    // long as the process lives.
    for key in ["ssl.ca.location", "ssl.certificate.location", "ssl.key.location"] {
        if let Some(path) = property(key).filter(|path| *path != "probe") {
            rules.kept(path);
        }
    }
    let Connection { oauth, password_file, key_password_file, .. } = settings.connection;
    let oauth = oauth.iter().flat_map(|oauth| [&oauth.ca_location, &oauth.client_secret_file]);
    for path in oauth.chain([password_file, key_password_file]).flatten() {
        rules.kept(path);
    }
    let once = ["ssl.keystore.location", "ssl.crl.location"].into_iter().filter_map(property);
    let traces = settings.traces.into_iter();
    let traces = traces.flat_map(|traces| {
        let client = traces.client.iter().flat_map(|(certificate, key)| [certificate.as_path(), key]);
        traces.ca.as_deref().into_iter().chain(client)
    });
    for path in once.chain(traces).chain(settings.inputs.iter().map(|path| path.as_path())) {
        rules.once(path);
    }
    rules.written(settings.termination_log);
    rules
}

/// Says once how far the process is confined, and what is missing.
fn say(state: &State, as_they_are: &[String]) {
    let State { abi, files, bind, .. } = *state;
    let missing = state.missing();
    if missing.is_empty() {
        let words = "the process has confined itself";
        tracing::info!(event = "confined", sandbox.abi = abi, sandbox.files = files, sandbox.bind = bind, "{words}");
    } else {
        tracing::warn!(
            event = "confined",
            sandbox.abi = abi,
            sandbox.files = files,
            sandbox.bind = bind,
            sandbox.missing = missing,
            "the process has not confined itself wholly; the work goes on"
        );
    }
    for path in as_they_are {
        tracing::warn!(
            event = "confined_file",
            "{path}: cannot be read again once another file has taken its place: {OWN_FOLDER}"
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::path::{Path, PathBuf};

    use testbed::mount::Mount;

    use super::*;
    use crate::config::Secret;
    use crate::connection::Oauth;
    use crate::kafka::fakes::properties;
    use crate::kafka::rotation::OnChange;
    use crate::report::Outlet;

    #[test]
    fn whatever_is_replaced_while_the_program_runs_can_be_read_again() {
        let mounts: Vec<Mount> = (0..6).map(|_| Mount::new(&[("file", "one")]).unwrap()).collect();
        let files: Vec<PathBuf> = mounts.iter().map(|mount| mount.path("file")).collect();
        let text = |at: usize| files[at].to_str().unwrap();
        let properties = properties(&[
            ("ssl.ca.location", text(0)),
            ("ssl.certificate.location", text(1)),
            ("ssl.key.location", text(2)),
        ]);
        let connection = Connection {
            bootstrap_servers: String::new(),
            oauth: Some(Oauth {
                token_url: String::new(),
                client_id: String::new(),
                client_secret: Secret::new("secret"),
                client_secret_file: Some(files[3].clone()),
                scope: None,
                ca_location: None,
            }),
            password_file: Some(files[4].clone()),
            key_password_file: Some(files[5].clone()),
        };
        let rules = rules(&Settings {
            listen: Listen::Off,
            connection: &connection,
            properties: &properties,
            subject: String::new(),
            drain_timeout: Duration::ZERO,
            stall_limit: Duration::ZERO,
            endless: true,
            weakened: &[],
            termination_log: Path::new("/dev/termination-log"),
            outlet: Outlet::TerminationLog,
            traces: None,
            sandbox: Sandbox::Auto,
            on_credential_change: OnChange::End,
            inputs: Vec::new(),
        });
        for file in &files {
            // Its folder: a new version gets there only by way of it.
            assert!(rules.read.contains(file.parent().unwrap()), "{} in {rules:?}", file.display());
        }
        assert!(rules.as_they_are.is_empty(), "{rules:?}");
    }
}
