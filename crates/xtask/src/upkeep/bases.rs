//! The age of the bases' digests: a pin that nobody renews keeps the holes of its day.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;

use crate::images::PROGRAMS;
use crate::images::reference::{self, Reference};
use crate::manifests::tools::output;
use crate::programs;

/// A pin may be this old while its makers have a newer image.
const DAYS: i64 = 30;

/// `false` when a pin has to be renewed.
pub fn run() -> Result<bool> {
    let mut bases: Vec<Reference> = Vec::new();
    for program in PROGRAMS {
        let path = programs::root().join(format!("Dockerfile.{program}"));
        for base in reference::bases(&fs::read_to_string(path)?)? {
            if !bases.contains(&base) {
                bases.push(base);
            }
        }
    }
    let mut fresh = true;
    for base in bases {
        let age = age(pinned(&base.digest)?, Timestamp::now());
        let name = base.whole.split('@').next().unwrap_or_default().to_owned();
        let (good, line) = verdict(&base, age, || newest(&name))?;
        println!("{line}");
        fresh &= good;
    }
    Ok(fresh)
}

/// Whether a pin may stay. The registry is asked about old ones only.
fn verdict(base: &Reference, age: i64, newest: impl FnOnce() -> Result<String>) -> Result<(bool, String)> {
    let name = base.whole.split('@').next().unwrap_or_default();
    if age <= DAYS {
        return Ok((true, format!("{name}: pinned {age} days ago")));
    }
    let newest = newest()?;
    Ok(if newest == base.digest {
        (true, format!("{name}: pinned {age} days ago, and still the newest"))
    } else {
        (false, format!("{name}: pinned {age} days ago, {DAYS} are the limit: its makers have {newest} by now"))
    })
}

/// When the digest came into a Dockerfile.
fn pinned(digest: &str) -> Result<Timestamp> {
    let root = programs::root();
    let shallow = output(Command::new("git").args(["rev-parse", "--is-shallow-repository"]).current_dir(&root))?;
    ensure!(
        shallow.trim() == "false",
        "the history is cut off: fetch all commits, so that it says when a base was pinned"
    );
    let mut log = Command::new("git");
    log.args(["log", "--format=%ct", "-S", digest, "--", "Dockerfile.*"]).current_dir(&root);
    let seconds = output(&mut log)?;
    // The newest first; a digest that came back counts from its return.
    let seconds = seconds.lines().next().with_context(|| format!("no commit has {digest} in a Dockerfile"))?;
    Ok(Timestamp::from_second(seconds.parse()?)?)
}

fn age(since: Timestamp, now: Timestamp) -> i64 {
    (now.as_second() - since.as_second()) / (24 * 60 * 60)
}

/// The digest that the tag has in its registry.
fn newest(image: &str) -> Result<String> {
    let mut inspect = Command::new("skopeo");
    inspect.args(["inspect", "--no-tags", "--format", "{{.Digest}}", &format!("docker://{image}")]);
    Ok(output(&mut inspect)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Reference {
        let path = programs::root().join("Dockerfile.consumer");
        reference::last(&fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn only_an_old_pin_that_has_a_successor_is_told() {
        let (old, new) = (base(), format!("sha256:{}", "3".repeat(64)));
        assert!(verdict(&old, DAYS, || unreachable!("it is young")).unwrap().0);
        assert!(verdict(&old, DAYS + 1, || Ok(old.digest.clone())).unwrap().0);
        let (good, line) = verdict(&old, DAYS + 1, || Ok(new.clone())).unwrap();
        assert!(!good && line.contains("pinned 31 days ago") && line.contains(&new), "{line}");
        verdict(&old, DAYS + 1, || anyhow::bail!("nobody answers")).unwrap_err();
    }

    #[test]
    fn days_are_whole() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(age(at(0), at(86_399)), 0);
        assert_eq!(age(at(0), at(31 * 86_400)), 31);
    }
}
