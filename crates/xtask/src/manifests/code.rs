//! What the manifests say of the programs, against the programs: variables, deadlines, probes, exit codes.

use std::time::Duration;

use clap::Command;
use common::admin::{LIVEZ, READYZ};
use common::args::SECRETS;
use common::args::traces::{TRACE_SECRETS, TRACES};
use common::config::SecretVariable;
use common::config::layers::ALIASES;
use common::config::units;
use common::exit::Exit;
use common::life;
use kafka_consumer::config::LISTEN;
use serde_json::Value;

use super::set::{Object, Pod, Problems, Set, at, list_at, map_at, text};

/// After the drain deadline a program may take this long for its report.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Between two tries of a Job Kubernetes waits 10 s, then twice as long each time.
const FIRST_BACKOFF: u64 = 10;
/// The subcommand of a Job that is no run of the producer.
const AUDIT: &str = "audit";
const ROUND_TRIP: &str = "round-trip";
const CHECK: &str = "check";
/// For the scheduler, the image and the start of a try.
const START: u64 = 30;

/// A program and what it says of itself.
pub struct Program {
    /// The name of the binary, the image and the container.
    pub name: &'static str,
    command: Command,
    drain: &'static str,
}

impl Program {
    /// Both.
    pub fn both() -> [Self; 2] {
        [
            Self {
                name: kafka_producer::NAME,
                command: kafka_producer::args::command(String::new()),
                drain: "PRODUCER_DRAIN_TIMEOUT",
            },
            Self {
                name: kafka_consumer::NAME,
                command: kafka_consumer::args::command(String::new()),
                drain: "CONSUMER_DRAIN_TIMEOUT",
            },
        ]
    }

    /// All variables that it reads.
    fn variables(&self) -> Vec<String> {
        let mut names = life::variables(&self.command);
        let own: &[SecretVariable] =
            if self.name == kafka_producer::NAME { &kafka_producer::args::SECRETS } else { &[] };
        let secrets = SECRETS.iter().chain(&TRACE_SECRETS).chain(own);
        names.extend(secrets.flat_map(|secret| [secret.name.to_owned(), secret.file.to_owned()]));
        names.extend(TRACES.iter().map(|variable| variable.name.to_owned()));
        names.extend(ALIASES.iter().map(|(alias, _)| (*alias).to_owned()));
        names.extend(["RUST_LOG".to_owned(), "ENV_DIR".to_owned()]);
        names
    }

    /// What applies when a variable is not set.
    pub fn default(&self, variable: &str) -> String {
        let arg = self.command.get_arguments().find(|arg| arg.get_env().is_some_and(|name| name == variable));
        let values = arg.map(|arg| arg.get_default_values()).unwrap_or_default();
        values.first().map(|value| value.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// A container that runs a program.
pub struct Work<'a> {
    /// The pod that it is in.
    pub pod: Pod<'a>,
    /// The container.
    pub container: &'a Value,
    /// The variables that it sets; of a value that only the cluster knows there is a stand-in, or nothing if it may be missing.
    pub variables: Vec<(String, String)>,
}

/// All containers that run a program.
pub fn works<'a>(set: &'a Set, program: &Program) -> Vec<Work<'a>> {
    let of_program = |container: &&Value| is_of(text(container, "/image"), program);
    let works = set.pods().flat_map(|pod| {
        let containers = pod.containers().filter(of_program);
        containers.map(move |container| Work { pod, container, variables: variables(set, pod.owner, container) })
    });
    works.collect()
}

/// Whether an image is the program's.
pub fn is_of(image: &str, program: &Program) -> bool {
    let repository = image.split('@').next().unwrap_or_default();
    repository.rsplit('/').next().is_some_and(|name| name.split(':').next() == Some(program.name))
}

fn variables(set: &Set, owner: &Object, container: &Value) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for source in list_at(container, "/envFrom") {
        if let Some(map) = set.find("ConfigMap", owner.namespace(), text(source, "/configMapRef/name")) {
            let data = map_at(&map.value, "/data").iter();
            variables.extend(data.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())));
        }
    }
    for variable in list_at(container, "/env") {
        let secret = at(variable, "/valueFrom/secretKeyRef");
        let stand_in = !secret.is_null() && secret["optional"].as_bool() != Some(true);
        let value = if stand_in { "stand-in" } else { text(variable, "/value") };
        variables.push((text(variable, "/name").to_owned(), value.to_owned()));
    }
    variables
}

/// All of it.
pub fn check(set: &Set) -> Problems {
    let mut problems = Problems::new();
    let programs = Program::both();
    let all: Vec<String> = programs.iter().flat_map(Program::variables).collect();
    for map in set.of_kind("ConfigMap").filter(|map| map.name() == "kafka-clients") {
        let unknown = map_at(&map.value, "/data").keys().filter(|name| !all.contains(name));
        problems.extend(unknown.map(|name| map.problem(format!("no program knows the variable {name}"))));
    }
    for program in &programs {
        let works = works(set, program);
        let is_run = |work: &&Work| ![AUDIT, ROUND_TRIP, CHECK].iter().any(|other| does(work.container, other));
        if !works.iter().any(|work| is_run(&work)) {
            problems.push(format!("no pod runs {}", program.name));
        }
        for work in &works {
            let mut problem = |what: String| problems.push(work.pod.owner.problem(what));
            let known = program.variables();
            for variable in list_at(work.container, "/env").map(|variable| text(variable, "/name")) {
                if !known.iter().any(|name| name == variable) {
                    problem(format!("{} knows no variable {variable}", program.name));
                }
            }
            // It comes before the program, has no probes, and its code is not the Job's.
            if does(work.container, CHECK) {
                continue;
            }
            grace(work, program, &mut problem);
            probes(work, program, &mut problem);
            if work.pod.owner.kind() == "Job" {
                job(work, program, &mut problem);
            }
        }
    }
    problems
}

impl Work<'_> {
    /// The value of a variable, or the program's default.
    pub fn value(&self, program: &Program, name: &str) -> String {
        let set = self.variables.iter().rev().find(|(variable, value)| variable == name && !value.is_empty());
        set.map_or_else(|| program.default(name), |(_, value)| value.clone())
    }
}

fn grace(work: &Work<'_>, program: &Program, problem: &mut impl FnMut(String)) {
    let grace = at(work.pod.spec, "/terminationGracePeriodSeconds").as_u64().unwrap_or(30);
    let drain = work.value(program, program.drain);
    match units::duration(&drain) {
        Ok(drain) if drain + LAST_WORDS < Duration::from_secs(grace) => {}
        Ok(drain) => problem(format!(
            "terminationGracePeriodSeconds is {grace}: it must be more than {} ({drain:?}) and a second for the report, \
             or the kubelet kills the program before",
            program.drain
        )),
        Err(error) => problem(format!("{}={drain}: {error}", program.drain)),
    }
}

fn probes(work: &Work<'_>, program: &Program, problem: &mut impl FnMut(String)) {
    let listen = match work.value(program, "ADMIN_LISTEN") {
        // A consumer that names its group has an admin server, whoever does not say otherwise.
        unset if unset.is_empty() && !work.value(program, "KAFKA_CONSUMER_GROUP").is_empty() => LISTEN.to_string(),
        listen => listen,
    };
    let port = listen.rsplit_once(':').and_then(|(_, port)| port.parse::<u64>().ok());
    let ports: Vec<_> = list_at(work.container, "/ports")
        .map(|port| (text(port, "/name"), at(port, "/containerPort").as_u64()))
        .collect();
    for (name, declared) in ports.iter().filter(|(_, declared)| *declared != port) {
        problem(format!("port {name} is {declared:?}, but ADMIN_LISTEN is {listen}"));
    }
    for (probe, path) in [("startupProbe", LIVEZ), ("livenessProbe", LIVEZ), ("readinessProbe", READYZ)] {
        let asked = at(work.container, &format!("/{probe}/httpGet"));
        // A Job ends by itself, and nothing is routed to it.
        if asked.is_null() && work.pod.owner.kind() == "Job" {
            continue;
        }
        if text(asked, "/path") != path {
            problem(format!("{probe} asks {:?}, not {path}", text(asked, "/path")));
        }
        let named = text(asked, "/port");
        if !ports.iter().any(|(name, _)| *name == named) {
            problem(format!("{probe} asks port {named:?}, which the container has not"));
        }
    }
}

fn job(work: &Work<'_>, program: &Program, problem: &mut impl FnMut(String)) {
    let (owner, container) = (work.pod.owner, work.container);
    let rules: Vec<_> = list_at(&owner.value, "/spec/podFailurePolicy/rules").collect();
    let disruption = rules.first().is_some_and(|rule| {
        text(rule, "/action") == "Ignore" && text(rule, "/onPodConditions/0/type") == "DisruptionTarget"
    });
    if !disruption {
        problem("podFailurePolicy: the first rule ignores DisruptionTarget, or a drained node counts as a try".into());
    }
    let fatal = rules.iter().find(|rule| text(rule, "/action") == "FailJob").copied().unwrap_or(&Value::Null);
    let codes: Vec<u64> = list_at(fatal, "/onExitCodes/values").filter_map(Value::as_u64).collect();
    let wanted: Vec<u64> = Exit::ALL.iter().filter(|exit| exit.is_final()).map(|exit| u64::from(exit.code())).collect();
    if codes != wanted || text(fatal, "/onExitCodes/operator") != "In" {
        problem(format!("podFailurePolicy fails the Job for {codes:?}; final are {wanted:?} (common::exit)"));
    }
    if text(fatal, "/onExitCodes/containerName") != text(container, "/name") {
        problem("podFailurePolicy names another container".into());
    }
    if owner.text("/spec/template/spec/restartPolicy") != "Never" {
        problem("restartPolicy is not Never, as podFailurePolicy asks".into());
    }
    if does(container, AUDIT) {
        if text(container, "/terminationMessagePath") != program.default("CONSUMER_TERMINATION_LOG") {
            problem("terminationMessagePath is not where the program leaves its verdict".into());
        }
        return deadline(owner, "AUDIT_TIMEOUT", &work.value(program, "AUDIT_TIMEOUT"), problem);
    }
    if text(container, "/terminationMessagePath") != program.default("PRODUCER_TERMINATION_LOG") {
        problem("terminationMessagePath is not where the program leaves its report".into());
    }
    deadline(owner, "PRODUCER_TIMEOUT", &work.value(program, "PRODUCER_TIMEOUT"), problem);
    // A person's own run: one pod, and another try is another run.
    if does(container, ROUND_TRIP) {
        return;
    }
    let completions = owner.at("/spec/completions");
    if owner.text("/spec/completionMode") != "Indexed"
        || completions.as_u64().map(|number| number.to_string()) != Some(work.value(program, "PRODUCER_SHARDS"))
    {
        problem(format!("PRODUCER_SHARDS is not the completions ({completions}) of an Indexed Job"));
    }
    let run_id = list_at(container, "/env").find(|variable| text(variable, "/name") == "PRODUCER_RUN_ID");
    let label = "metadata.labels['batch.kubernetes.io/controller-uid']";
    if run_id.map(|variable| text(variable, "/valueFrom/fieldRef/fieldPath")) != Some(label) {
        problem(format!("PRODUCER_RUN_ID does not come from {label}, so a retry would be another run"));
    }
}

/// Whether it is no run of the program as a service or a Job, but one of its subcommands.
fn does(container: &Value, subcommand: &str) -> bool {
    list_at(container, "/args").next().and_then(Value::as_str) == Some(subcommand)
}

/// The Job's deadline leaves each try the time that the program gives itself, so that the program says how it ended.
fn deadline(owner: &Object, name: &str, timeout: &str, problem: &mut impl FnMut(String)) {
    let retries = owner.at("/spec/backoffLimit").as_u64().unwrap_or(6);
    let backoff: u64 = (0..retries).map(|retry| FIRST_BACKOFF << retry.min(16)).sum();
    match units::positive_duration(timeout) {
        Err(_) => problem(format!("{name} is {timeout:?}: a Job has one, or its deadline may cut it short")),
        Ok(timeout) => {
            let needed = (retries + 1) * (timeout.as_secs() + START) + backoff;
            let deadline = owner.at("/spec/activeDeadlineSeconds").as_u64().unwrap_or(0);
            if deadline < needed {
                problem(format!(
                    "activeDeadlineSeconds is {deadline}: {} tries of {timeout:?}, their starts and the waits between \
                     take {needed}",
                    retries + 1
                ));
            }
        }
    }
}
