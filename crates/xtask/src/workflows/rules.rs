//! What the project demands of workflows beyond what actionlint and zizmor know.

use serde_json::{Value, json};

use super::Problems;
use super::file::Workflow;
use crate::manifests::set::{list_at, map_at, text};

/// With one of these a job can change what others run: nothing that an earlier run left behind may get into it.
const POWERS: [&str; 5] = ["packages", "id-token", "attestations", "artifact-metadata", "contents"];
/// Actions that bring files of earlier runs.
const CACHES: [&str; 3] = ["Swatinem/rust-cache@", "actions/cache@", "actions/cache/"];

/// Everything that is not as it has to be.
pub fn check(workflows: &[Workflow]) -> Problems {
    let mut problems = Problems::new();
    for workflow in workflows {
        let mut wrong = |what: String| problems.push(format!("{}: {what}", workflow.path));
        if !workflow.text.starts_with("# ") {
            wrong("the first line is a comment that says what the file is for".to_owned());
        }
        if workflow.value["permissions"] != json!({}) {
            wrong("`permissions: {}` on top, and each job says what it needs".to_owned());
        }
        for line in workflow.text.lines() {
            let Some((_, uses)) = line.split_once("uses: ") else { continue };
            if !uses.starts_with("./") && !is_pinned(uses) {
                wrong(format!("`{uses}`: by commit, with the version as a comment: owner/name@... # v1.2.3"));
            }
        }
        for (name, job) in workflow.jobs() {
            for what in job_problems(job) {
                wrong(format!("job {name}: {what}"));
            }
        }
    }
    problems
}

/// `owner/name@`, a whole commit, and the version for people.
fn is_pinned(uses: &str) -> bool {
    let Some((action, version)) = uses.split_once(" # ") else { return false };
    let commit = action.split_once('@').map_or("", |(_, commit)| commit);
    let number = version.strip_prefix('v').is_some_and(|rest| rest.split('.').all(|part| part.parse::<u32>().is_ok()));
    commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) && number
}

fn job_problems(job: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let permissions = map_at(job, "/permissions");
    if permissions.is_empty() {
        problems.push("has no permissions of its own".to_owned());
    }
    // One that calls a workflow has neither.
    if job.get("uses").is_none() {
        let on = text(job, "/runs-on");
        if on.ends_with("-latest") || on.is_empty() {
            problems.push("runs on a machine without a version, which changes one day".to_owned());
        }
        if job.get("timeout-minutes").is_none() {
            problems.push("has no timeout-minutes: the default is six hours".to_owned());
        }
    }
    let writes = |power: &&str| permissions.get(*power).is_some_and(|granted| granted == "write");
    let powers: Vec<&str> = POWERS.into_iter().filter(writes).collect();
    let runs = |line: &str| list_at(job, "/steps").any(|step| text(step, "/run").starts_with(line));
    for step in list_at(job, "/steps") {
        let uses = text(step, "/uses");
        let caches = CACHES.iter().any(|cache| uses.starts_with(cache)) || step.pointer("/with/cache").is_some();
        if caches && !powers.is_empty() {
            problems.push(format!("a cache ({uses}) in a job that may write {powers:?}"));
        }
    }
    let scans = runs("cargo xtask release scan") || runs("cargo xtask supply-chain scan");
    if scans && permissions.iter().any(|(name, _)| name != "contents") {
        problems.push("scans, and may do more than read the sources".to_owned());
    }
    if scans && !powers.is_empty() {
        problems.push("scans, and may write".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# For a test.\npermissions: {}\njobs:\n  one:\n    runs-on: ubuntu-24.04\n    timeout-minutes: 5\n    \
        permissions:\n      contents: read\n    steps:\n      - uses: a/b@0123456789012345678901234567890123456789 # v1.2.3\n      \
        - run: cargo xtask supply-chain scan\n";

    fn of(text: &str) -> Problems {
        check(&[Workflow::read("w.yml", text.to_owned()).unwrap()])
    }

    #[test]
    fn a_good_one_has_no_problem() {
        assert_eq!(of(GOOD), Problems::new());
    }

    #[test]
    fn each_fault_is_told() {
        let commit = "0123456789012345678901234567890123456789";
        for (from, to, told) in [
            ("# For a test.\n", "", "first line is a comment"),
            ("permissions: {}\n", "permissions: read-all\n", "`permissions: {}` on top"),
            ("permissions: {}\n", "", "`permissions: {}` on top"),
            ("24.04", "latest", "without a version"),
            ("    timeout-minutes: 5\n", "", "timeout-minutes"),
            (&format!("{commit} # v1.2.3"), "v1", "by commit"),
            (&format!("{commit} # v1.2.3"), commit, "by commit"),
            ("# v1.2.3", "# main", "by commit"),
            ("contents: read\n", "contents: read\n      packages: read\n", "more than read the sources"),
            ("contents: read\n", "contents: write\n", "may write"),
            ("    permissions:\n      contents: read\n", "", "no permissions of its own"),
        ] {
            let found = of(&GOOD.replacen(from, to, 1));
            assert!(found.len() == 1 && found[0].contains(told), "{from:?} to {to:?}: {found:?}");
        }
        let cached = GOOD.replace("uses: a/b@", "uses: actions/cache@").replace("supply-chain scan", "docs");
        assert_eq!(of(&cached), Problems::new());
        for power in POWERS {
            let found = of(&cached.replace("contents: read", &format!("{power}: write")));
            assert!(found.len() == 1 && found[0].contains("a cache (actions/cache@"), "{power}: {found:?}");
        }
    }
}
