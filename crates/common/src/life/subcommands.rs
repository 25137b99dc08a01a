//! What a program does instead of its work: show its settings, ask a running one for its health.

use std::io;

use clap::{ArgMatches, Command};

use super::early::Early;
use crate::admin;
use crate::args::traces::{TRACE_SECRETS, TRACES};
use crate::args::{Listen, SECRETS};
use crate::config::{Layers, Properties, SecretVariable, show};
use crate::exit::Exit;
use crate::outlet;

/// The subcommand that shows the settings.
pub(super) const CONFIG: &str = "config";
/// The subcommand that asks a running process.
pub(super) const HEALTHCHECK: &str = "healthcheck";

/// `config`: prints the effective settings, each with where it came from.
pub(super) fn config(
    command: &Command,
    flags: &ArgMatches,
    layers: &Layers,
    properties: &Properties,
    own_secrets: &[SecretVariable],
    early: &Early,
) -> Exit {
    let secrets = [SECRETS.as_slice(), &TRACE_SECRETS, own_secrets].concat();
    printed(outlet::print(&show::settings(command, flags, layers, &TRACES, &secrets, properties)), early)
}

/// `healthcheck`: asks a running process whether it lives.
pub(super) fn healthcheck(flags: &ArgMatches, early: &Early) -> Exit {
    let listen = flags.get_one::<Listen>("listen").copied().unwrap_or(Listen::Off);
    match admin::healthcheck(listen) {
        Ok(()) => Exit::Ok,
        Err(reason) => {
            early.failed(Exit::Incomplete, &reason);
            Exit::Incomplete
        }
    }
}

/// How printing ended. A closed pipe, as of `| head`, has read enough.
pub(super) fn printed(result: io::Result<()>, early: &Early) -> Exit {
    match result {
        Ok(()) => Exit::Ok,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
        Err(error) => {
            early.failed(Exit::Incomplete, &format!("stdout cannot be written: {error}"));
            Exit::Incomplete
        }
    }
}
