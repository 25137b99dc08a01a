//! What the kernel says about how a process is confined, beside what the engine was asked for.

use std::fs;

use anyhow::{Context, Result};

use super::container::{CPUS, MEMORY, USER};

/// What is missing of the confinement of the manifests; empty when all is as it should be.
pub fn missing(pid: u32) -> Result<Vec<String>> {
    let read = |file: &str| {
        let path = format!("/proc/{pid}/{file}");
        fs::read_to_string(&path).with_context(|| format!("can't read {path}"))
    };
    let mut missing = unconfined(&read("status")?, &read("mountinfo")?);
    let cgroups = read("cgroup")?;
    let memory = limit(&cgroups, "memory", "memory.limit_in_bytes", "memory.max")?;
    if memory != MEMORY.to_string() {
        missing.push(format!("its memory is limited to {memory}"));
    }
    // Version 2 says both in one file.
    let cpus = match limit(&cgroups, "cpu", "cpu.cfs_quota_us", "cpu.max")? {
        both if both.contains(' ') => both,
        quota => format!("{quota} {}", limit(&cgroups, "cpu", "cpu.cfs_period_us", "")?),
    };
    let cores =
        cpus.split_once(' ').and_then(|(quota, period)| Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?));
    if cores != Some(CPUS) {
        missing.push(format!("its processor time is limited to {cpus}"));
    }
    Ok(missing)
}

/// The same for what `/proc/.../status` and `/proc/.../mountinfo` tell.
fn unconfined(status: &str, mounts: &str) -> Vec<String> {
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let user = [USER.to_string().as_str(); 4].join(" ");
    let nothing = "0000000000000000";
    let wanted = [
        ("Uid", user.as_str()),
        ("Gid", &user),
        ("CapInh", nothing),
        ("CapPrm", nothing),
        ("CapEff", nothing),
        ("CapBnd", nothing),
        ("CapAmb", nothing),
        ("NoNewPrivs", "1"),
        // 2: filtered.
        ("Seccomp", "2"),
    ];
    let wrong = wanted.into_iter().filter(|(name, value)| field(name) != *value);
    let mut wrong: Vec<_> = wrong.map(|(name, value)| format!("{name} is {:?} and not {value}", field(name))).collect();
    // 592 517 0:115 / / ro,relatime - overlay ...
    let root = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|words| words.get(4) == Some(&"/"));
    let options = root.and_then(|words| words.get(5).copied()).unwrap_or_default();
    if options.split(',').all(|option| option != "ro") {
        wrong.push(format!("its root is mounted {options:?}"));
    }
    wrong
}

/// A limit of the process's control group, of version 1 or 2.
fn limit(cgroups: &str, controller: &str, file_1: &str, file_2: &str) -> Result<String> {
    let groups = cgroups.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let of_controller = |(names, _): &(&str, &str)| names.split(',').any(|name| name == controller);
    let path = match groups.clone().find(of_controller) {
        Some((_, group)) => format!("/sys/fs/cgroup/{controller}{group}/{file_1}"),
        None => {
            let (_, group) = groups.clone().find(|(names, _)| names.is_empty()).context("it is in no control group")?;
            format!("/sys/fs/cgroup{group}/{file_2}")
        }
    };
    Ok(fs::read_to_string(&path).with_context(|| format!("can't read {path}"))?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tkafka-consumer\nUid:\t65532\t65532\t65532\t65532\nGid:\t65532\t65532\t65532\t65532\n\
        CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n\
        CapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";
    const MOUNTS: &str =
        "592 517 0:115 / / ro,relatime - overlay overlay rw\n593 592 0:22 / /sys ro - sysfs sysfs rw\n";

    #[test]
    fn what_is_confined_passes() {
        assert_eq!(unconfined(STATUS, MOUNTS), Vec::<String>::new());
    }

    #[test]
    fn each_thing_missing_is_told() {
        for (good, bad, told) in [
            ("Uid:\t65532", "Uid:\t0", "Uid is"),
            ("Gid:\t65532\t65532", "Gid:\t65532\t0", "Gid is"),
            ("CapEff:\t00000000", "CapEff:\t000001ff", "CapEff is"),
            ("CapBnd:\t00000000", "CapBnd:\t000001ff", "CapBnd is"),
            ("CapAmb:\t00000000", "CapAmb:\t000001ff", "CapAmb is"),
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0", "NoNewPrivs is"),
            ("Seccomp:\t2", "Seccomp:\t0", "Seccomp is"),
        ] {
            let wrong = unconfined(&STATUS.replace(good, bad), MOUNTS);
            assert_eq!(wrong.len(), 1, "{wrong:?}");
            assert!(wrong[0].starts_with(told), "{wrong:?}");
        }
        for mounts in [MOUNTS.replace("/ ro,", "/ rw,"), String::new()] {
            assert!(unconfined(STATUS, &mounts)[0].starts_with("its root is mounted"));
        }
    }
}
