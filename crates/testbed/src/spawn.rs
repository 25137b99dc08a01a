//! Starts child processes that can't outlive this one, however it ends.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use anyhow::{Context, Result, anyhow};

/// A command that is killed by the kernel when this process ends, where the system has `setpriv` (any Linux with
/// util-linux). `setpriv` replaces itself by the program, so the process id is the program's.
pub(crate) fn tied_command(program: &Path) -> Command {
    static SETPRIV: OnceLock<Option<PathBuf>> = OnceLock::new();
    match SETPRIV.get_or_init(working_setpriv) {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// Busybox has one that can't.
fn working_setpriv() -> Option<PathBuf> {
    let setpriv = on_path("setpriv")?;
    let tried = Command::new(&setpriv).args(["--pdeathsig", "KILL", "--", "true"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success()).then_some(setpriv)
}

/// Held, no child is being started. One that is has copies of all our sockets until it becomes its program, so that a port
/// closed by us is not free yet.
pub(crate) fn no_spawning() -> MutexGuard<'static, ()> {
    static SPAWNING: Mutex<()> = Mutex::new(());
    SPAWNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Spawns from a thread that lives as long as the process: the kernel's "parent" is the thread that forked, and a test's
/// thread may well end before a broker that other tests share.
pub(crate) fn spawn(command: Command) -> Result<Child> {
    type Request = (Command, Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<Sender<Request>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (requests, inbox) = channel::<Request>();
        thread::Builder::new()
            .name("spawner".into())
            .spawn(move || {
                for (mut command, reply) in inbox {
                    // The command is dropped before the reply: it may hold our copy of a pipe's writing end.
                    let spawning = no_spawning();
                    let spawned = command.spawn();
                    drop(spawning);
                    drop(command);
                    let _ = reply.send(spawned);
                }
            })
            .expect("a thread can be started");
        requests
    });
    let (reply, outcome) = channel();
    let name = format!("{:?}", command.get_program());
    spawner.send((command, reply)).map_err(|_| anyhow!("the spawning thread is gone"))?;
    outcome.recv().context("the spawning thread is gone")?.with_context(|| format!("can't start {name}"))
}

/// Where an executable is found on the search path.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}
