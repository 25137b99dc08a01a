//! The profile: what is allowed, written in the one form that podman, docker, containerd and CRI-O read alike.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::programs;

/// What a call that is not allowed returns: ENOSYS, as an old kernel does, so that libraries try what they did before there was it.
const ENOSYS: u64 = 38;
/// Calls for which more than the name counts.
const CLONE: &str = "clone";
/// All flags of `clone` that make a namespace: none may be set.
const NAMESPACES: u64 = 0x7e02_0000;

/// The names of the allowed calls.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile(pub BTreeSet<String>);

/// Where it is.
pub fn path() -> PathBuf {
    programs::root().join("infra/policies/seccomp/kafka-clients.json")
}

impl Profile {
    /// The committed one.
    ///
    /// # Errors
    /// When it is missing, or is more or less than [`Profile::json`] would write.
    pub fn committed() -> Result<Self> {
        let path = path();
        let text = fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
        Self::parse(&text)
            .with_context(|| format!("{}: write it by `cargo xtask supply-chain seccomp`", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        let names = value.pointer("/syscalls").and_then(Value::as_array).into_iter().flatten();
        let names = names.filter_map(|rule| rule.get("names")?.as_array()).flatten();
        let profile = Self(names.filter_map(|name| Some(name.as_str()?.to_owned())).collect());
        ensure!(profile.json()? == text, "it was changed by hand, or is of another form");
        Ok(profile)
    }

    /// Its text. `architectures` and not Docker's `archMap`: the kubelet's runtimes do not know that. Other processors' calls, x32 and
    /// i386 among them, kill the program: the profile would mean other calls by the same numbers.
    pub fn json(&self) -> Result<String> {
        let plain: Vec<_> = self.0.iter().filter(|name| *name != CLONE).collect();
        let masked = json!({"index": 0, "value": NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"});
        let value = json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": ENOSYS,
            "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [
                {"names": plain, "action": "SCMP_ACT_ALLOW"},
                {"names": [CLONE], "action": "SCMP_ACT_ALLOW", "args": [masked]},
            ],
        });
        Ok(serde_json::to_string_pretty(&value)? + "\n")
    }

    /// Writes it in place of the committed one.
    pub fn write(&self) -> Result<()> {
        let path = path();
        fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
        fs::write(&path, self.json()?).with_context(|| format!("can't write {}", path.display()))
    }

    /// Of these calls, those that it does not allow.
    pub fn missing<'a>(&self, calls: &'a BTreeSet<String>) -> Vec<&'a str> {
        calls.iter().filter(|name| !self.0.contains(*name)).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(names: &[&str]) -> Profile {
        Profile(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let written = profile(&["clone", "read", "write"]).json().unwrap();
        assert_eq!(Profile::parse(&written).unwrap(), profile(&["clone", "read", "write"]));
        for (what, by) in [
            ("SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW"),
            ("38", "1"),
            ("SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"),
            ("2114060288", "0"),
            ("\"read\"", "\"write\""),
        ] {
            let changed = written.replacen(what, by, 1);
            assert_ne!(changed, written, "{what}");
            Profile::parse(&changed).unwrap_err();
        }
    }

    #[test]
    fn a_call_that_is_not_allowed_is_missing() {
        let calls = profile(&["read", "sendmmsg"]).0;
        assert_eq!(profile(&["clone", "read"]).missing(&calls), ["sendmmsg"]);
        assert!(profile(&["clone", "read", "sendmmsg"]).missing(&calls).is_empty());
    }
}
