//! The settings that pods and containers get, shown to the programs themselves: `config` refuses what a run would refuse.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::code::{Program, works};
use super::layout::compose_variables;
use super::set::{Problems, Set};
use super::tools::output;
use crate::programs::Programs;

/// Where the Secret is mounted.
const CREDENTIALS: &str = "/etc/kafka-clients";

/// Of the files.
pub fn check(set: &Set, built: &Programs) -> Result<Problems> {
    let mut problems = of_pods(set, built)?;
    for (name, binary) in [(kafka_producer::NAME, &built.producer), (kafka_consumer::NAME, &built.consumer)] {
        let variables = compose_variables(set, name)?;
        problems.extend(refused(binary, &variables)?.map(|error| format!("compose: {name}: {error}")));
    }
    Ok(problems)
}

/// Of what kustomize makes of them.
pub fn of_pods(set: &Set, built: &Programs) -> Result<Problems> {
    let mut problems = Problems::new();
    for program in Program::both() {
        let binary = if program.name == kafka_producer::NAME { &built.producer } else { &built.consumer };
        for work in works(set, &program) {
            problems.extend(refused(binary, &work.variables)?.map(|error| work.pod.owner.problem(error)));
        }
    }
    Ok(problems)
}

/// What the program says against them.
fn refused(binary: &Path, variables: &[(String, String)]) -> Result<Option<String>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().display().to_string();
    let moved = variables.iter().map(|(name, value)| (name, value.replace(CREDENTIALS, &path)));
    if variables.iter().any(|(_, value)| value.starts_with(CREDENTIALS)) {
        credentials(folder.path())?;
    }
    let mut command = Command::new(binary);
    command.arg("config").current_dir(folder.path()).env_clear().envs(moved);
    let output = command.output().context("the program can't be run")?;
    let error = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    // A warning is about a name that is nearly one of its variables.
    Ok((!output.status.success() || !error.is_empty()).then_some(error))
}

/// What a Secret would have: the programs refuse a file that is missing or no certificate.
fn credentials(folder: &Path) -> Result<()> {
    fs::write(folder.join("password"), "stand-in")?;
    let request = "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 1 -subj /CN=stand-in";
    let mut openssl = Command::new("openssl");
    openssl.args(request.split(' ')).arg("-keyout").arg(folder.join("ca.key"));
    output(openssl.arg("-out").arg(folder.join("ca.crt"))).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_refuses_is_a_problem() {
        let variables = [("KAFKA_PASSWORD_FILE".to_owned(), format!("{CREDENTIALS}/password"))];
        assert_eq!(refused(Path::new("/bin/true"), &variables).unwrap(), None);
        assert!(refused(Path::new("/bin/false"), &variables).unwrap().is_some());
    }
}
