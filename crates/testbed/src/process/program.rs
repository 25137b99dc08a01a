//! What to run: arguments, environment, working folder and where its streams go.

use std::env;
use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::{Outcome, Process};
use crate::spawn::{on_path, spawn, tied_command};

/// The variables that a program gets from ours: where things are, and what a coverage run needs. Nothing that configures it.
const INHERITED: [&str; 5] = ["PATH", "HOME", "TMPDIR", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"];

/// A variable that every program gets from now on, for a suite that runs all of them in one mode.
static EVERYWHERE: OnceLock<(&'static str, String)> = OnceLock::new();

/// Gives every program from now on this variable, unless its own say otherwise.
///
/// # Errors
/// The second time.
pub fn set_everywhere(name: &'static str, value: &str) -> Result<()> {
    ensure!(EVERYWHERE.set((name, value.to_owned())).is_ok(), "a variable for all programs can be set once");
    Ok(())
}

/// A program about to be run, with an environment of nothing but what is given here, in an empty folder of its own.
pub struct Program {
    path: PathBuf,
    command: Command,
    folder: Option<PathBuf>,
    stdout: Option<Stdio>,
    stderr: Option<Stdio>,
}

impl Program {
    /// The program at this path, as `env!("CARGO_BIN_EXE_kafka-producer")`, or a name on the search path.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self::with(path.as_ref(), tied_command)
    }

    /// As [`Program::new`], for a program that goes on when this process has ended.
    pub(crate) fn untied(path: impl AsRef<Path>) -> Self {
        Self::with(path.as_ref(), |path| Command::new(path))
    }

    fn with(path: &Path, command: impl FnOnce(&Path) -> Command) -> Self {
        // Absolute, as it starts in another folder.
        let found = if path.components().count() == 1 {
            on_path(&path.to_string_lossy())
        } else {
            std::path::absolute(path).ok()
        };
        let path = found.unwrap_or_else(|| path.to_owned());
        let mut command = command(&path);
        command.env_clear().stdin(Stdio::null());
        command.envs(INHERITED.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        command.envs(EVERYWHERE.get().map(|(name, value)| (name, value)));
        Self { path, command, folder: None, stdout: None, stderr: None }
    }

    /// One more argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// More arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// One variable of its environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Variables of its environment.
    pub fn envs(mut self, vars: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>) -> Self {
        self.command.envs(vars);
        self
    }

    /// The folder it runs in. Left out, it is an empty one that goes with the process.
    pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Its standard input can be written to ([`Process::write_stdin`]). Left out, it is empty.
    pub fn stdin_piped(self) -> Self {
        self.stdin(Stdio::piped())
    }

    /// Its standard input is this: a file, a pipe's end.
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.command.stdin(stdin);
        self
    }

    /// Its standard output goes there and is not captured: a file (for very much output, or `/dev/full`), a pipe's writing
    /// end ([`std::io::pipe`]; its reading end dropped is a closed pipe, and kept unread a stalled one), or [`Stdio::inherit`].
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = Some(stdout.into());
        self
    }

    /// As [`Program::stdout`], for its standard error.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.stderr = Some(stderr.into());
        self
    }

    /// In a process group of its own: what is typed at a terminal to end us doesn't reach it, we end it.
    pub(crate) fn own_group(mut self) -> Self {
        self.command.process_group(0);
        self
    }

    /// Starts it.
    pub fn spawn(self) -> Result<Process> {
        ensure!(self.path.is_file(), "there is no program {}", self.path.display());
        let mut command = self.command;
        let scratch = match self.folder {
            Some(folder) => {
                command.current_dir(folder);
                None
            }
            None => {
                let scratch = TempDir::new().context("no temporary folder")?;
                command.current_dir(scratch.path());
                Some(scratch)
            }
        };
        command.stdout(self.stdout.unwrap_or_else(Stdio::piped)).stderr(self.stderr.unwrap_or_else(Stdio::piped));
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Process::new(name, spawn(command)?, scratch)
    }

    /// Starts it and waits for its end.
    pub fn run(self, timeout: Duration) -> Result<Outcome> {
        self.spawn()?.wait(timeout)
    }
}

/// The path of a program of this workspace, built by the same profile as the caller. A test gets its own package's program
/// from cargo (`CARGO_BIN_EXE_...`) and another's only here, so who calls has to build it first.
pub fn built(name: &str) -> Result<PathBuf> {
    let caller = env::current_exe()?;
    // target/debug/xtask, or target/debug/deps/some_test-0123.
    let folders = caller.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("{name} is not built for this profile: run cargo build -p {name}"))
}
