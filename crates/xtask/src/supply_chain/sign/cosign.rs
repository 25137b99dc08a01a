//! cosign without the internet: a key made for the run, no log, no authority, and a proxy that nobody answers at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use crate::manifests::tools::output;
use crate::published::commands::SIGNATURE;
use crate::supply_chain::tools::Tools;

/// Two keys, of which the second never signs, and what cosign needs in place of the public services.
pub struct Cosign<'t> {
    tools: &'t Tools,
    folder: TempDir,
    password: String,
}

/// Which of the keys.
#[derive(Clone, Copy)]
pub enum Key {
    /// The one that signs.
    Right,
    /// Another.
    Wrong,
}

/// What cosign answers.
pub struct Answer {
    /// Its exit code.
    pub code: Option<i32>,
    /// stdout.
    pub said: String,
    /// stderr.
    pub complained: String,
}

impl<'t> Cosign<'t> {
    /// Makes the keys.
    pub fn new(tools: &'t Tools) -> Result<Self> {
        let folder = tempfile::tempdir_in(tools.folder())?;
        // It protects files that live as long as this value, from who can read the folder.
        let password = uuid();
        let cosign = Self { tools, folder, password };
        for name in ["right", "wrong"] {
            cosign.done(&["generate-key-pair", "--output-key-prefix", &cosign.path(name)])?;
        }
        cosign.done(&["signing-config", "create", "--out", &cosign.path("signing-config.json")])?;
        cosign.done(&["trusted-root", "create", "--out", &cosign.path("trusted-root.json")])?;
        Ok(cosign)
    }

    /// Signs an image.
    pub fn sign(&self, image: &str) -> Result<()> {
        let (key, config, root) = self.signing();
        let flags =
            ["--yes", "--allow-http-registry", "--key", &key, "--signing-config", &config, "--trusted-root", &root];
        self.done(&[&["sign"][..], &flags, &[image]].concat())
    }

    /// Attaches a signed statement to an image.
    pub fn attest(&self, image: &str, kind: &str, predicate: &Path) -> Result<()> {
        let (key, config, root) = self.signing();
        let flags =
            ["--yes", "--allow-http-registry", "--key", &key, "--signing-config", &config, "--trusted-root", &root];
        let file = predicate.to_str().context("a path that is no UTF-8")?;
        self.done(&[&["attest", "--type", kind, "--predicate", file][..], &flags, &[image]].concat())
    }

    /// Asks for a signature. cosign takes any attestation for one, so that its yes is not enough: see [`signed`].
    pub fn verify(&self, image: &str, key: Key) -> Result<Answer> {
        self.ask("verify", &[], image, key)
    }

    /// Asks for a statement of a kind.
    pub fn verify_attestation(&self, image: &str, kind: &str, key: Key) -> Result<Answer> {
        self.ask("verify-attestation", &["--type", kind], image, key)
    }

    /// What commands that people copy answer, as they stand, by these tools and without the internet.
    pub fn shell(&self, commands: &str, variables: &[(&str, &str)], key: Key) -> Result<Answer> {
        let cosign = self.command()?;
        let mut path = std::ffi::OsString::new();
        for program in [cosign.get_program(), self.tools.crane()?.get_program()] {
            path.push(Path::new(program).parent().context("a tool without a folder")?);
            path.push(":");
        }
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", commands]).current_dir(self.folder.path());
        bash.envs(cosign.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("PATH", path);
        bash.env("KEY", self.public(key)).envs(variables.iter().copied());
        let output = bash.output().context("bash can't be run")?;
        Ok(Answer::of(&output))
    }

    /// A public key, for what verifies without cosign.
    pub fn public_key(&self, key: Key) -> Result<String> {
        fs::read_to_string(self.public(key)).context("a key that was made for this run")
    }

    fn public(&self, key: Key) -> String {
        self.path(match key {
            Key::Right => "right.pub",
            Key::Wrong => "wrong.pub",
        })
    }

    fn ask(&self, command: &str, more: &[&str], image: &str, key: Key) -> Result<Answer> {
        let key = self.public(key);
        let root = self.path("trusted-root.json");
        let flags = ["--key", &key, "--insecure-ignore-tlog", "--trusted-root", &root, "--allow-http-registry"];
        let output = self.command()?.arg(command).args(more).args(flags).arg(image).output()?;
        Ok(Answer::of(&output))
    }

    fn signing(&self) -> (String, String, String) {
        (self.path("right.key"), self.path("signing-config.json"), self.path("trusted-root.json"))
    }

    fn done(&self, arguments: &[&str]) -> Result<()> {
        output(self.command()?.args(arguments)).map(drop)
    }

    fn command(&self) -> Result<Command> {
        let mut cosign = self.tools.cosign()?;
        let nobody = "http://127.0.0.1:9";
        cosign.env("COSIGN_PASSWORD", &self.password).env("NO_PROXY", "localhost,127.0.0.1");
        cosign.env("HTTPS_PROXY", nobody).env("HTTP_PROXY", nobody);
        // Neither a person's cache nor credentials.
        cosign.env("HOME", self.folder.path()).env("DOCKER_CONFIG", self.folder.path());
        Ok(cosign)
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.to_string_lossy().into_owned()
    }
}

/// Fails unless an answer is a yes to a signature, and not only to an attestation that is attached as signatures are.
pub fn signed(answer: &Answer) -> Result<()> {
    ensure!(answer.code == Some(0), "cosign refuses: {}", answer.complaint());
    let claims: Value = serde_json::from_str(answer.said.trim()).context("cosign's claims")?;
    let of_signature = |claim: &Value| claim.pointer("/critical/type").and_then(Value::as_str) == Some(SIGNATURE);
    ensure!(claims.as_array().is_some_and(|claims| claims.iter().any(of_signature)), "attested, but not signed");
    Ok(())
}

/// The statements in an answer.
pub fn predicates(answer: &Answer) -> Result<Vec<Value>> {
    ensure!(answer.code == Some(0), "cosign refuses: {}", answer.complaint());
    let mut found = Vec::new();
    for line in answer.said.lines().filter(|line| !line.trim().is_empty()) {
        let envelope: Value = serde_json::from_str(line)?;
        let payload = envelope.get("payload").and_then(Value::as_str).context("an attestation without a payload")?;
        let statement: Value = serde_json::from_slice(&STANDARD.decode(payload)?)?;
        found.push(statement.get("predicate").cloned().context("a statement without a predicate")?);
    }
    if found.is_empty() {
        bail!("cosign says yes and shows no attestation");
    }
    Ok(found)
}

impl Answer {
    /// Of a command that ended.
    pub fn of(output: &std::process::Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), said: text(&output.stdout), complained: text(&output.stderr) }
    }

    /// The first error, of the many alike that cosign says for each attached file.
    pub fn complaint(&self) -> String {
        let error = self.complained.lines().find_map(|line| line.strip_prefix("Error: "));
        error.unwrap_or(self.complained.trim()).to_owned()
    }
}

/// A random word.
fn uuid() -> String {
    fs::read_to_string("/proc/sys/kernel/random/uuid")
        .unwrap_or_else(|_| fastrand::u128(..).to_string())
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(said: &str) -> Answer {
        Answer { code: Some(0), said: said.to_owned(), complained: String::new() }
    }

    #[test]
    fn an_attestation_is_no_signature() {
        let claim = |kind: &str| format!("\n[{{\"critical\":{{\"type\":\"{kind}\"}},\"optional\":{{}}}}]");
        assert!(signed(&answer(&claim(SIGNATURE))).is_ok());
        let error = signed(&answer(&claim("https://cyclonedx.org/bom"))).unwrap_err().to_string();
        assert_eq!(error, "attested, but not signed");
    }

    #[test]
    fn a_yes_without_a_statement_is_none() {
        assert!(predicates(&answer("\n")).is_err());
        let statement = STANDARD.encode(r#"{"predicate":{"a":1}}"#);
        assert_eq!(predicates(&answer(&format!("{{\"payload\":\"{statement}\"}}"))).unwrap()[0]["a"], 1);
    }
}
