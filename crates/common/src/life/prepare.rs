//! From the command line to work that is ready to run: flags, log, settings, metrics, admin port, and the program's own part.

use std::sync::Arc;

use super::early::Early;
use super::flags::{NotRun, Said, said, typed_log_format, version};
use super::surroundings::Surroundings;
use super::{Job, Parts, Program, Registered, Settings, subcommands};
use crate::admin::{self, Admin};
use crate::args::{Given, LogFormat};
use crate::config::{Layers, Problems};
use crate::connection::Oauth;
use crate::exit::Exit;
use crate::health::Health;
use crate::kafka::expiry;
use crate::kafka::oauth::TokenSource;
use crate::kafka::promises::{self, Weakness};
use crate::kafka::{self, ClientState};
use crate::logging::{self, Lines};
use crate::metrics::ClientMetrics;
use crate::shutdown::Shutdown;
use crate::telemetry::Tracer;

/// Work that is ready, with what the main thread watches it by.
pub(super) struct Ready {
    pub surroundings: Surroundings,
    pub job: Job,
    pub early: Early,
}

/// Does all that comes before the work.
///
/// # Errors
/// The exit code of a process that has nothing more to do: what was asked for is done, or what is wrong has been said.
pub(super) fn prepare<P: Program>(lines: &Lines, shutdown: &Shutdown) -> Result<Ready, Exit> {
    let what_runs = kafka::program(P::NAME, P::VERSION);
    let command = P::command(version(&what_runs));
    let early = |format: LogFormat| Early { program: P::NAME, json: logging::is_json(format), lines: lines.clone() };
    let Said { matches, layers, mut problems } = said(&command).map_err(|not_run| match not_run {
        // In color where the terminal has it.
        NotRun::Shown(text) => subcommands::printed(text.print(), &early(LogFormat::Auto)),
        NotRun::Refused { problems, format } => {
            early(format).usage(&problems);
            Exit::Usage
        }
    })?;
    if let Some((subcommands::HEALTHCHECK, flags)) = matches.subcommand() {
        return Err(subcommands::healthcheck(flags, &early(typed_log_format(&layers))));
    }
    let (own, flags, only_show) = match matches.subcommand() {
        Some((subcommands::CONFIG, flags)) => (None, flags, true),
        Some((own, flags)) => (Some(own), flags, false),
        None => (None, &matches, false),
    };
    // clap has checked them already.
    let args = P::args(own, flags).map_err(|_| Exit::Usage)?;
    let early = early(P::log(&args).log_format);
    let filter = layers.get(logging::FILTER).map(|(filter, _)| filter);
    problems.note(logging::start(P::log(&args), filter, lines));
    let config = P::configure(&args, Given(flags), &layers, &mut problems);
    if only_show {
        let properties = P::settings(&config).properties;
        let shown = subcommands::config(&command, flags, &layers, properties, P::secrets(), &early);
        return Err(if refused(&problems, &early) { Exit::Usage } else { shown });
    }
    if refused(&problems, &early) {
        return Err(Exit::Usage);
    }
    warn(&layers, P::settings(&config).weakened);
    match assemble::<P>(config, what_runs, lines, shutdown) {
        Ok((surroundings, job)) => Ok(Ready { surroundings, job, early }),
        Err(problem) => {
            problems.add(problem);
            refused(&problems, &early);
            Err(Exit::Usage)
        }
    }
}

/// Says what is wrong with the settings, if something is.
fn refused(problems: &Problems, early: &Early) -> bool {
    if !problems.is_empty() {
        early.configuration(problems);
    }
    !problems.is_empty()
}

fn warn(layers: &Layers, weakened: &[Weakness]) {
    promises::warn(weakened);
    for miss in layers.near_misses() {
        tracing::warn!(event = "unknown_variable", "{miss}");
    }
}

/// Puts metrics, health, admin server and the program's own part together.
fn assemble<P: Program>(
    config: P::Config,
    what_runs: crate::metrics::Program,
    lines: &Lines,
    shutdown: &Shutdown,
) -> Result<(Surroundings, Job), String> {
    let registered = P::register(&what_runs).map_err(|error| error.to_string())?;
    let Registered { metrics, work, client, http, log, spans } = registered;
    lines.count_dropped(log.dropped);
    let Settings {
        listen,
        connection,
        properties,
        subject,
        drain_timeout,
        stall_limit,
        endless,
        termination_log,
        outlet,
        traces,
        ..
    } = P::settings(&config);
    let tracer = traces.cloned().map(|traces| Tracer::start(traces, P::VERSION, &spans)).transpose()?;
    let health = Health::new(stall_limit, "starting: no broker has answered yet");
    let listener = admin::bind(listen)?;
    let admin = listener
        .map(|listener| (listener, Admin { page: metrics.page(), http, health: health.clone(), program: what_runs }));
    expiry::watch(properties, client.certificate_expiry.clone());
    let client = client_state(subject, client, connection.oauth.clone())?;
    let mut surroundings = Surroundings {
        admin,
        health: health.clone(),
        drain_timeout,
        endless,
        termination_log: termination_log.to_owned(),
        outlet,
        account: None,
        tracer: tracer.clone(),
        routes: admin::Routes::default(),
    };
    let mut job = P::start(config, Parts { client, metrics: work, health, shutdown: shutdown.clone(), tracer })?;
    surroundings.account = job.account.clone();
    surroundings.routes = std::mem::take(&mut job.routes);
    Ok((surroundings, job))
}

fn client_state(subject: String, metrics: ClientMetrics, oauth: Option<Oauth>) -> Result<Arc<ClientState>, String> {
    let tokens = oauth.map(TokenSource::new).transpose()?;
    Ok(Arc::new(ClientState::new(subject, metrics, tokens)))
}
