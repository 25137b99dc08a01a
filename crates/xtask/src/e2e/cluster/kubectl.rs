//! kubectl, run as a person runs it: the one way by which the suite talks to a cluster.

use std::env;
use std::ffi::OsString;
use std::io::PipeReader;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use testbed::process::{Outcome, Process, Program};

/// How long a call may take that waits for nothing.
const CALL: Duration = Duration::from_secs(60);
/// Beyond the time that kubectl itself was told to wait.
pub(super) const MARGIN: Duration = Duration::from_secs(15);
/// Between two looks at the cluster.
pub(super) const LOOK: Duration = Duration::from_millis(300);

/// kubectl for one cluster. Clones are for other threads.
#[derive(Clone, Debug, Default)]
pub struct Kubectl {
    context: Option<String>,
}

impl Kubectl {
    /// For the cluster of this context, or of the current one.
    pub fn new(context: Option<String>) -> Self {
        Self { context }
    }

    fn program(&self, args: &[&str]) -> Result<Program> {
        let context = self.context.iter().flat_map(|context| ["--context", context]);
        Ok(Program::new("kubectl").envs(environment()?).args(context).args(args))
    }

    /// Starts one that goes on until it is dropped.
    pub fn spawn(&self, args: &[&str]) -> Result<Process> {
        self.program(args)?.spawn()
    }

    /// As [`Kubectl::spawn`], with its standard output in a pipe.
    pub fn stream(&self, args: &[&str]) -> Result<(Process, PipeReader)> {
        let (reader, writer) = std::io::pipe()?;
        Ok((self.program(args)?.stdout(writer).spawn()?, reader))
    }

    /// Runs it to its end, whatever that is.
    pub fn outcome(&self, args: &[&str]) -> Result<Outcome> {
        self.outcome_within(CALL, args)
    }

    /// As [`Kubectl::outcome`], for what may take longer.
    pub fn outcome_within(&self, timeout: Duration, args: &[&str]) -> Result<Outcome> {
        self.program(args)?.run(timeout)
    }

    /// Runs it and returns what it said on stdout.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        self.run_within(CALL, args)
    }

    /// As [`Kubectl::run`], for what may take longer.
    pub fn run_within(&self, timeout: Duration, args: &[&str]) -> Result<String> {
        said(args, self.program(args)?.run(timeout)?)
    }

    /// What it prints with `-o json`.
    pub fn json(&self, args: &[&str]) -> Result<Value> {
        let said = self.run(&[args, &["-o", "json"]].concat())?;
        serde_json::from_str(&said).with_context(|| format!("kubectl {}: not one JSON value: {said}", args.join(" ")))
    }

    /// The objects that it lists.
    pub fn items(&self, args: &[&str]) -> Result<Vec<Value>> {
        match self.json(args)?.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => Ok(items),
            _ => bail!("kubectl {}: no list", args.join(" ")),
        }
    }

    /// Hands it an object on stdin (`-f -` is among the arguments), and returns how it ended.
    pub fn send_outcome(&self, args: &[&str], object: &Value) -> Result<Outcome> {
        let mut process = self.program(args)?.stdin_piped().spawn()?;
        process.write_stdin(object.to_string()).with_context(|| format!("kubectl {}", args.join(" ")))?;
        process.close_stdin();
        process.wait(CALL)
    }

    /// As [`Kubectl::send_outcome`], for what must succeed.
    pub fn send(&self, args: &[&str], object: &Value) -> Result<String> {
        said(args, self.send_outcome(args, object)?)
    }

    /// Runs a line of documentation that begins with kubectl, by a shell in a folder.
    pub fn shell(&self, line: &str, folder: &Path, timeout: Duration) -> Result<()> {
        let kubectl =
            self.context.as_ref().map_or("kubectl".to_owned(), |context| format!("kubectl --context '{context}'"));
        let line = line.replace("kubectl ", &format!("{kubectl} "));
        let program = Program::new("sh").envs(environment()?).current_dir(folder).args(["-c", &line]);
        let outcome = program.run(timeout)?;
        ensure!(outcome.status.success(), "{line}: {}", outcome.stderr.trim());
        Ok(())
    }

    /// Deletes it, if it is there, and waits until it is gone.
    pub fn delete(&self, args: &[&str], timeout: Duration) -> Result<()> {
        let limit = format!("--timeout={}s", timeout.as_secs());
        let all = [&["delete", "--ignore-not-found", "--wait", &limit], args].concat();
        self.run_within(timeout + MARGIN, &all).map(drop)
    }
}

/// All of ours: it says where the cluster is, and what helps to log in there.
fn environment() -> Result<Vec<(OsString, OsString)>> {
    let mut variables: Vec<_> = env::vars_os().collect();
    // kubectl starts in other folders than we do.
    for (_, value) in variables.iter_mut().filter(|(name, _)| name == "KUBECONFIG") {
        let paths = env::split_paths(value).map(std::path::absolute).collect::<Result<Vec<_>, _>>()?;
        *value = env::join_paths(paths)?;
    }
    Ok(variables)
}

pub(super) fn said(args: &[&str], outcome: Outcome) -> Result<String> {
    ensure!(outcome.status.success(), "kubectl {}: {}", args.join(" "), outcome.stderr.trim());
    Ok(outcome.stdout)
}

/// Looks until there is a value; the error of a missed deadline says what was waited for and what was last seen.
pub fn until<T>(timeout: Duration, what: &str, mut look: impl FnMut() -> Result<Seen<T>>) -> Result<T> {
    let deadline = Instant::now() + timeout;
    loop {
        match look()? {
            Seen::Yes(value) => return Ok(value),
            Seen::NotYet(_) if Instant::now() < deadline => thread::sleep(LOOK),
            Seen::NotYet(seen) => bail!("within {timeout:?} not seen: {what}; last seen: {seen}"),
        }
    }
}

/// What a look has shown.
pub enum Seen<T> {
    /// What was waited for.
    Yes(T),
    /// Something else, which the error tells.
    NotYet(String),
}

impl Seen<()> {
    /// By whether it is so.
    pub fn when(so: bool, seen: impl Into<String>) -> Self {
        if so { Self::Yes(()) } else { Self::NotYet(seen.into()) }
    }
}

/// A text inside an object; empty where it is missing.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A number inside an object; 0 where it is missing, as Kubernetes leaves zeros out.
pub fn number(object: &Value, pointer: &str) -> u64 {
    object.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// A list inside an object; empty where it is missing.
pub fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
