//! Falco itself, on this machine's Docker: the rules are valid, each one's command alerts in an image of our name that has a shell, and
//! an ordinary run of both programs alerts nothing.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testbed::process::{Process, Program};

use super::super::compose::Compose;
use super::alerts;
use super::rules::{Rule, Rules};
use crate::manifests::Done;
use crate::manifests::tools::output;
use crate::{images, programs};

/// Falco with our rules and no others.
const COMPOSE: &str = "infra/policies/falco/compose.yaml";
const RULES: &str = "/etc/falco/kafka-clients.yaml";
/// An image of our name with a shell, and a container of it.
const IMAGE: &str = "localhost:5000/kafka-consumer:provoked";
const CONTAINER: &str = "kafka-clients-provoked";
/// How long Falco may take to begin, its image pulled.
const BEGIN: Duration = Duration::from_secs(180);
/// How long an alert may take.
const ALERT: Duration = Duration::from_secs(30);
/// Between two tries to be noticed.
const TRY: Duration = Duration::from_millis(500);
/// What docker's client needs of our environment.
const DOCKER: [&str; 4] = ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "XDG_RUNTIME_DIR"];

/// Runs it. `false` when a rule is wrong.
pub fn run() -> Result<bool> {
    let rules = Rules::load(&programs::root())?;
    let mut done = Done::default();
    let validate = ["run", "--rm", "falco", "/usr/bin/falco", "-o", "json_output=true", "-V", RULES];
    let answer = output(compose(&["--progress", "quiet"]).args(validate));
    let problems = answer.map_or_else(|error| vec![format!("{error:#}")], |answer| alerts::validation(&answer));
    done.of("falco -V", problems);
    if !done.well {
        return Ok(false);
    }
    let falco = Falco::start()?;
    let intruder = Intruder::start()?;
    falco.wait_until_it_sees(&intruder, &rules)?;
    ordinary()?;
    for rule in &rules.rules {
        intruder.run(&rule.command)?;
        // Told at the end, with all others.
        let _ = falco.wait_for(rule);
    }
    done.of(
        "each rule's command, and an ordinary run",
        alerts::judge(&alerts::read(&falco.process.stdout()), &rules, CONTAINER),
    );
    Ok(done.well)
}

/// Both programs, as compose runs them: the consumer is asked for its health, reads what the producer sends, and is stopped.
fn ordinary() -> Result<()> {
    let programs = Compose::up()?;
    programs.produce()?;
    programs.down()
}

fn compose(flags: &[&str]) -> Command {
    let mut compose = Command::new("docker");
    compose.arg("compose").args(flags).args(["--file", COMPOSE]).current_dir(programs::root());
    compose
}

/// A running Falco. Dropped, it is gone.
struct Falco {
    process: Process,
}

impl Falco {
    fn start() -> Result<Self> {
        let docker = DOCKER.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        let up = ["compose", "--file", COMPOSE, "up", "--no-log-prefix", "falco"];
        Ok(Self { process: Program::new("docker").envs(docker).args(up).current_dir(programs::root()).spawn()? })
    }

    /// It says that it has begun before it has: so something is done until it tells.
    fn wait_until_it_sees(&self, intruder: &Intruder, rules: &Rules) -> Result<()> {
        let deadline = Instant::now() + BEGIN;
        let told = || rules.rules.iter().any(|rule| self.tells(rule));
        while !told() {
            let log = || {
                format!("Falco has told nothing within {BEGIN:?}:\n{}{}", self.process.stdout(), self.process.stderr())
            };
            ensure!(self.process.is_running() && Instant::now() < deadline, log());
            intruder.run("/bin/true")?;
            thread::sleep(TRY);
        }
        Ok(())
    }

    fn tells(&self, rule: &Rule) -> bool {
        alerts::has(&alerts::read(&self.process.stdout()), &rule.name, CONTAINER)
    }

    fn wait_for(&self, rule: &Rule) -> Result<String> {
        self.process.wait_for_stdout(ALERT, |stdout| alerts::has(&alerts::read(stdout), &rule.name, CONTAINER))
    }
}

impl Drop for Falco {
    fn drop(&mut self) {
        let _ = compose(&[]).args(["down", "--timeout", "10"]).output();
    }
}

/// A container of an image that has our name, and a shell. Dropped, it is gone.
struct Intruder;

impl Intruder {
    fn start() -> Result<Self> {
        // Debian with perl, which is here already when the images were built here.
        let dockerfile = images::dockerfile(&programs::root(), images::PROGRAMS[0])?;
        let base = dockerfile.lines().find_map(|line| line.strip_prefix("FROM ")?.split(' ').next());
        let base = base.context("the Dockerfile has no FROM")?;
        output(Command::new("docker").args(["pull", "--quiet", base]))?;
        output(Command::new("docker").args(["tag", base, IMAGE]))?;
        let intruder = Self;
        let run = ["run", "--detach", "--name", CONTAINER, "--network=none", "--user=65532:65532", IMAGE];
        output(Command::new("docker").args(run).args(["sleep", "infinity"]))?;
        Ok(intruder)
    }

    /// Runs a command in it, whatever becomes of it: some of it is refused.
    fn run(&self, command: &str) -> Result<()> {
        let status = Command::new("docker").args(["exec", CONTAINER, "/bin/sh", "-c", command]).output()?.status;
        ensure!(status.code().is_some_and(|code| code < 125), "docker exec: {status}");
        Ok(())
    }
}

impl Drop for Intruder {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", CONTAINER]).output();
        let _ = Command::new("docker").args(["rmi", IMAGE]).output();
    }
}
