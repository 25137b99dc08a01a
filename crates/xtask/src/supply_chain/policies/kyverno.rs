//! Kyverno's command line: what it says of a pod by a policy. It takes a policy with a mistyped field for none, so what it has loaded is
//! counted first.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::published::policies::GUARDED;
use crate::supply_chain::sign::cosign::Answer;
use crate::supply_chain::tools::Tools;

/// The namespace with the label.
pub const SAFE: &str = "guarded";

/// The command line, with a folder for what it reads.
pub struct Kyverno<'t> {
    tools: &'t Tools,
    folder: TempDir,
}

/// What becomes of a pod.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The policy was evaluated, and had nothing against it.
    Admitted,
    /// It had, for this reason.
    Denied(String),
    /// The policy does not look at such pods.
    Ignored,
}

impl<'t> Kyverno<'t> {
    /// One that knows the namespace [`SAFE`].
    pub fn new(tools: &'t Tools) -> Result<Self> {
        let folder = tempfile::tempdir_in(tools.folder())?;
        let labels = json!({GUARDED.0: GUARDED.1});
        let values = json!({
            "apiVersion": "cli.kyverno.io/v1alpha1", "kind": "Values", "metadata": {"name": "values"},
            "namespaceSelector": [{"name": SAFE, "labels": labels}, {"name": "other", "labels": {"of": "others"}}],
        });
        fs::write(folder.path().join("values.yaml"), values.to_string())?;
        Ok(Self { tools, folder })
    }

    /// Judges a pod by one policy.
    ///
    /// # Errors
    /// When Kyverno has loaded no rule, or could not evaluate it.
    pub fn judge(&self, policy: &Value, pod: &Value) -> Result<Verdict> {
        let path = |name: &str| self.folder.path().join(name);
        fs::write(path("policy.yaml"), policy.to_string())?;
        fs::write(path("pod.yaml"), pod.to_string())?;
        let mut kyverno = self.tools.kyverno()?;
        kyverno.arg("apply").arg(path("policy.yaml")).arg("--resource").arg(path("pod.yaml"));
        kyverno.arg("--values-file").arg(path("values.yaml")).args(["--registry", "--remove-color"]);
        let output = self.alone(&mut kyverno).output().context("kyverno can't be run")?;
        verdict(&Answer::of(&output))
    }

    /// Neither a person's credentials, nor a cluster, nor the internet.
    fn alone<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let nobody = "http://127.0.0.1:9";
        command.env("HTTPS_PROXY", nobody).env("HTTP_PROXY", nobody).env("NO_PROXY", "localhost,127.0.0.1");
        command.env("HOME", self.folder.path()).env("DOCKER_CONFIG", self.folder.path()).env_remove("KUBECONFIG")
    }
}

fn verdict(answer: &Answer) -> Result<Verdict> {
    let all = || format!("code {:?}\n{}\n{}", answer.code, answer.said.trim(), answer.complained.trim());
    let loaded = answer.said.lines().find_map(|line| line.strip_prefix("Applying ")?.split_once(" policy rule(s) to "));
    let (rules, resources) = loaded.with_context(|| format!("kyverno does not say what it applies: {}", all()))?;
    ensure!(rules != "0", "kyverno has loaded 0 rules: a field of the policy is mistyped\n{}", all());
    ensure!(rules == "1" && resources.starts_with("1 resource"), "not one rule and one pod: {}", all());
    let counts = answer.said.lines().find(|line| line.starts_with("pass: "));
    let counts = counts.with_context(|| format!("kyverno does not say how it went: {}", all()))?;
    match counts.trim() {
        "pass: 1, fail: 0, warn: 0, error: 0, skip: 0" if answer.code == Some(0) => Ok(Verdict::Admitted),
        "pass: 0, fail: 0, warn: 0, error: 0, skip: 0" if answer.code == Some(0) => Ok(Verdict::Ignored),
        "pass: 0, fail: 1, warn: 0, error: 0, skip: 0" if answer.code == Some(1) => {
            // Such as: 1 - kafka-clients-images an image is not signed ...
            let reason = answer.said.lines().find_map(|line| line.strip_prefix("1 - "));
            let reason = reason.and_then(|reason| reason.split_once(' ')).map(|(_, reason)| reason.trim().to_owned());
            Ok(Verdict::Denied(reason.with_context(|| format!("refused without a reason: {}", all()))?))
        }
        _ => bail!("kyverno could not judge: {}", all()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: i32, rules: &str, end: &str) -> Answer {
        let said = format!("\nApplying {rules} policy rule(s) to 1 resource(s)...\n{end} \n");
        Answer { code: Some(code), said, complained: String::new() }
    }

    #[test]
    fn each_end_is_told_from_the_others() {
        let of = |code, rules, end| verdict(&answer(code, rules, end));
        assert_eq!(of(0, "1", "\npass: 1, fail: 0, warn: 0, error: 0, skip: 0").unwrap(), Verdict::Admitted);
        assert_eq!(of(0, "1", "\npass: 0, fail: 0, warn: 0, error: 0, skip: 0").unwrap(), Verdict::Ignored);
        let denied = "policy p -> resource guarded/Pod/p failed:\n1 - p not signed\n\npass: 0, fail: 1, warn: 0, error: 0, skip: 0";
        assert_eq!(of(1, "1", denied).unwrap(), Verdict::Denied("not signed".to_owned()));
    }

    #[test]
    fn no_rule_no_count_and_an_error_are_no_verdict() {
        let pass = "pass: 1, fail: 0, warn: 0, error: 0, skip: 0";
        for (code, rules, end) in [
            (0, "0", pass),
            (0, "2", pass),
            (0, "1", "nothing"),
            (1, "1", pass),
            (1, "1", "pass: 0, fail: 0, warn: 0, error: 1, skip: 0"),
            (1, "1", "pass: 0, fail: 1, warn: 0, error: 0, skip: 0"),
        ] {
            assert!(verdict(&answer(code, rules, end)).is_err(), "{code} {rules} {end}");
        }
    }
}
