//! From the command line to work that is ready to run. Before the process confines itself: flags and settings, on a thread that
//! ends with that. After it: metrics, health, and the program's own part.

use std::net::TcpListener;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::confine::{Plan, Settled};
use super::early::Early;
use super::flags::{NotRun, Said, said, typed_log_format, version};
use super::surroundings::Surroundings;
use super::{Event, Finish, Job, Parts, Program, Registered, Settings, subcommands};
use crate::admin::{self, Admin};
use crate::args::{Given, LogFormat};
use crate::config::{Layers, Problems};
use crate::connection::Oauth;
use crate::exit::Exit;
use crate::health::Health;
use crate::kafka::expiry;
use crate::kafka::oauth::TokenSource;
use crate::kafka::promises::{self, Weakness};
use crate::kafka::{self, ClientState, rotation};
use crate::logging::{self, Lines};
use crate::metrics::ClientMetrics;
use crate::shutdown::{Shutdown, Signal};
use crate::telemetry::Tracer;
use crate::verdict::Verdict;

/// The life of the thread that reads the settings. Whatever it has to say goes to the main thread, and it ends.
pub(super) fn settings<P: Program>(events: UnboundedSender<Event>, lines: &Lines, shutdown: &Shutdown) {
    let event = match settled::<P>(events.clone(), lines, shutdown) {
        Ok(settled) => Event::Settled(Box::new(settled)),
        Err(exit) => Event::Ended(exit),
    };
    // The other end goes only with the process.
    let _ = events.send(event);
}

/// Does all that comes before the process confines itself.
///
/// # Errors
/// The exit code of a process that has nothing more to do: what was asked for is done, or what is wrong has been said.
fn settled<P: Program>(events: UnboundedSender<Event>, lines: &Lines, shutdown: &Shutdown) -> Result<Settled, Exit> {
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
    let settings = P::settings(&config);
    let (listen, plan) = (settings.listen, Plan::new(&settings));
    let work = {
        let (early, lines, shutdown) = (early.clone(), lines.clone(), shutdown.clone());
        move |listener, events| work::<P>(config, what_runs, listener, events, early, &lines, &shutdown)
    };
    Ok(Settled { listen, plan, early, events, work: Box::new(work) })
}

/// The life of the work's thread.
fn work<P: Program>(
    config: P::Config,
    what_runs: crate::metrics::Program,
    listener: Option<TcpListener>,
    events: UnboundedSender<Event>,
    early: Early,
    lines: &Lines,
    shutdown: &Shutdown,
) {
    // Its end tells the main thread that this thread has ended, and with it the clients.
    let _alive = events.clone();
    match assemble::<P>(config, what_runs, listener, lines, shutdown) {
        Ok((surroundings, job)) => {
            let endless = surroundings.endless;
            let _ = events.send(Event::Ready(Box::new(surroundings)));
            let finish = Finish { events, early };
            match shutdown.requested() {
                Some(signal) => finish.with(before_the_start(signal, endless)),
                None => (job.run)(finish),
            }
        }
        Err(problem) => Finish { events, early }.refuse(problem),
    }
}

fn before_the_start(signal: Signal, endless: bool) -> Verdict {
    if endless {
        return Verdict::ok();
    }
    Verdict::new(signal.exit(), format!("{}: the work had not started", signal.name()))
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
    listener: Option<TcpListener>,
    lines: &Lines,
    shutdown: &Shutdown,
) -> Result<(Surroundings, Job), String> {
    let registered = P::register(&what_runs).map_err(|error| error.to_string())?;
    let Registered { metrics, work, client, http, log, spans } = registered;
    lines.count_dropped(log.dropped);
    let Settings {
        connection,
        properties,
        subject,
        drain_timeout,
        stall_limit,
        endless,
        termination_log,
        outlet,
        traces,
        on_credential_change,
        ..
    } = P::settings(&config);
    let tracer = traces.cloned().map(|traces| Tracer::start(traces, P::VERSION, &spans)).transpose()?;
    let health = Health::new(stall_limit, "starting: no broker has answered yet");
    let admin = listener
        .map(|listener| (listener, Admin { page: metrics.page(), http, health: health.clone(), program: what_runs }));
    expiry::watch(properties, client.certificate_expiry.clone());
    let client = client_state(subject, client, connection.oauth.clone())?;
    rotation::watch(&client, properties, connection, on_credential_change);
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
