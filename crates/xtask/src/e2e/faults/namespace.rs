//! A network, a table of mounts and a packet filter of the suite's own: nothing that it does reaches the rest of the machine.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// Set in the process that runs inside.
const INSIDE: &str = "XTASK_FAULTS_INSIDE";
/// Loopback is down in a new network.
const SETUP: &str = "ip link set lo up && exec \"$@\"";

/// Whether this process has namespaces of its own.
pub fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// Replaces this process by itself in namespaces of its own, as root or, where the system lets users do it, as a user who is
/// root there. Where neither can be had it goes on as it is: the proxies cut then.
pub fn enter() -> Result<()> {
    if is_inside() {
        return Ok(());
    }
    let kinds: [&[&str]; 2] = [&["--net", "--mount"], &["--user", "--map-root-user", "--net", "--mount"]];
    for kind in kinds {
        let unshare = |program: &[&str]| {
            let mut command = Command::new("unshare");
            command.args(kind).args(["--", "sh", "-c", SETUP, "sh"]).args(program);
            command
        };
        let tried = unshare(&["true"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if tried.is_ok_and(|status| status.success()) {
            let mut command = unshare(&[]);
            command.arg(env::current_exe()?).args(env::args_os().skip(1)).env(INSIDE, "yes");
            return Err(command.exec()).context("unshare cannot be run");
        }
    }
    eprintln!("no namespaces for this user: connections are cut by proxies; rows that need mounts will fail");
    Ok(())
}
