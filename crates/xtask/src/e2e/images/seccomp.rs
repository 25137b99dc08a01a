//! Both programs under the seccomp profile of `infra/policies/seccomp`: they do their work, and what they do not need fails.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::confined::Confined;
use super::container::{Root, Runtime};
use super::{Bench, Scenario};
use crate::e2e::activities::{self, Scene, probe};
use crate::programs;

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "image-seccomp",
        claim: "under the seccomp profile both look up names, log in by TLS, publish, log, stop and continue, and end as without it",
        run: activities,
    },
    Scenario {
        name: "image-seccomp-refused",
        claim: "under the seccomp profile unshare, mount, ptrace, bpf, keyctl and the like are no system calls",
        run: refused,
    },
];

/// What a call that is not allowed returns: ENOSYS.
const NO_SUCH_CALL: i32 = 38;
const REFUSED: [&str; 13] = [
    "unshare",
    "unshare-user",
    "setns",
    "mount",
    "umount2",
    "ptrace",
    "process_vm_readv",
    "bpf",
    "keyctl",
    "userfaultfd",
    "io_uring_setup",
    "clone3",
    "clone-user",
];

fn profile() -> Result<PathBuf> {
    let path = programs::root().join("infra/policies/seccomp/kafka-clients.json");
    path.canonicalize().with_context(|| format!("no profile {}", path.display()))
}

fn activities(bench: &mut Bench) -> Result<String> {
    // Not needed any more, and a machine of two cores has enough to do.
    bench.cluster = None;
    let stage = Confined::of(bench.runtime.under(&profile()?), bench.images.clone());
    let mut scene = Scene::new()?;
    let mut done = Vec::new();
    for activity in activities::ALL.into_iter().flatten().filter(|activity| activity.short) {
        (activity.run)(&mut scene, &stage).with_context(|| format!("{} under the profile", activity.name))?;
        done.push(activity.name);
    }
    ensure!(!done.is_empty(), "no activity is a short one");
    Ok(done.join(", "))
}

fn refused(bench: &mut Bench) -> Result<String> {
    // Numbers of calls are a processor's own.
    ensure!(cfg!(target_arch = "x86_64"), "the profile is for x86-64 only");
    let probe = probe::built(true)?;
    let answers = |runtime: &Runtime| -> Result<BTreeMap<String, i32>> {
        let container = runtime.container("probe").mounted(&probe, "/tmp/probe");
        let (code, said) = container.run(bench.consumer(), Root::ReadOnly, Some("/tmp/probe"), &["calls"])?;
        ensure!(code == Some(0), "the probe ended with {code:?}: {said}");
        let answer = |line: &str| {
            let (name, error) = line.split_once(' ')?;
            Some((name.to_owned(), error.parse().ok()?))
        };
        Ok(said.lines().filter_map(answer).collect())
    };
    let (without, under) = (answers(&bench.runtime)?, answers(&bench.runtime.under(&profile()?))?);
    for name in REFUSED {
        ensure!(under.get(name) == Some(&NO_SUCH_CALL), "{name} is answered by {:?}: {under:?}", under.get(name));
    }
    ensure!(under.get("thread") == Some(&0), "no thread can be started: {under:?}");
    // Otherwise it would be the engine, or the kernel, that refuses them anyway.
    let by_profile: Vec<_> = REFUSED.into_iter().filter(|name| without.get(*name) != Some(&NO_SUCH_CALL)).collect();
    ensure!(by_profile.len() > REFUSED.len() / 2, "without the profile they are no system calls either: {without:?}");
    Ok(format!(
        "{} calls answered by ENOSYS, of which {} have another answer without the profile",
        REFUSED.len(),
        by_profile.len()
    ))
}
