//! What an image says of its origin: sources, commit, base. Beside the labels of the Dockerfile, as only the build knows them.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::{dockerfile, reference};

/// The names, in OCI's namespace of annotations.
const NAMESPACE: &str = "org.opencontainers.image";

/// The labels of a program's image. `bases`: the local images in place of those that the Dockerfile names.
pub fn of(root: &Path, program: &str, bases: &[(String, String)]) -> Result<Vec<(String, String)>> {
    let base = reference::last(&dockerfile(root, program)?)?;
    let mut labels = base_labels(&base, bases);
    labels.extend(source(root).map(|url| label("source", url)));
    labels.extend(revision(root).map(|commit| label("revision", commit)));
    Ok(labels)
}

fn label(name: &str, value: impl Into<String>) -> (String, String) {
    (format!("{NAMESPACE}.{name}"), value.into())
}

/// What it is made on. An image in place of the pinned one is named as such, and has no digest that anybody else knows.
fn base_labels(base: &reference::Reference, bases: &[(String, String)]) -> Vec<(String, String)> {
    match bases.iter().find(|(pinned, _)| *pinned == base.whole) {
        Some((_, local)) => vec![label("base.name", local)],
        None => {
            let name = base.whole.split('@').next().unwrap_or_default();
            vec![label("base.name", name), label("base.digest", &base.digest)]
        }
    }
}

/// Where the sources are: the repository that a workflow runs for, else the one that the sources were cloned from.
fn source(root: &Path) -> Option<String> {
    let of_workflow =
        || Some(format!("{}/{}", env::var("GITHUB_SERVER_URL").ok()?, env::var("GITHUB_REPOSITORY").ok()?));
    of_workflow().or_else(|| address(&git(root, &["remote", "get-url", "origin"])?))
}

/// A remote's address as one for a browser, without the login that may be in it. `None` for a folder.
fn address(remote: &str) -> Option<String> {
    let rest = match remote.split_once("://") {
        Some(("https" | "http" | "ssh", rest)) => rest.split_once('@').map_or(rest, |(_, rest)| rest).to_owned(),
        Some(_) => return None,
        // git@host:owner/name
        None => remote.split_once('@')?.1.replacen(':', "/", 1),
    };
    let (host, path) = rest.trim_end_matches('/').trim_end_matches(".git").split_once('/')?;
    // A port is one of git's, not of a browser's.
    let host = host.split(':').next().unwrap_or_default();
    Some(format!("https://{host}/{path}"))
}

/// The commit that is built, if it is just that.
fn revision(root: &Path) -> Option<String> {
    let revision = git(root, &["rev-parse", "HEAD"])?;
    git(root, &["status", "--porcelain"]).filter(String::is_empty)?;
    Some(revision)
}

fn git(root: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs;

    #[test]
    fn the_base_is_the_pinned_one_or_says_that_it_is_not() {
        let base = reference::last(&dockerfile(&programs::root(), "consumer").unwrap()).unwrap();
        let pinned = base_labels(&base, &[]);
        assert_eq!(pinned[0].1, "gcr.io/distroless/cc-debian13:nonroot");
        assert_eq!(pinned[1], (format!("{NAMESPACE}.base.digest"), base.digest.clone()));
        let local = base_labels(&base, &[(base.whole.clone(), "localhost/stand-in/x:1".into())]);
        assert_eq!(local, [(format!("{NAMESPACE}.base.name"), "localhost/stand-in/x:1".into())]);
    }

    #[test]
    fn an_address_is_for_browsers_and_without_a_login() {
        for remote in [
            "https://github.com/owner/name.git",
            "https://somebody:secret@github.com/owner/name",
            "ssh://git@github.com:22/owner/name.git",
            "git@github.com:owner/name.git",
        ] {
            assert_eq!(address(remote).unwrap(), "https://github.com/owner/name", "{remote}");
        }
        for remote in ["/somewhere/name", "file:///somewhere/name", "../name", ""] {
            assert_eq!(address(remote), None, "{remote}");
        }
    }
}
