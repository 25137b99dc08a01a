//! What the rules repeat of other files: the open ports, the programs' paths, the file of the last words.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use super::rules::Rules;
use crate::images;
use crate::manifests::set::{Object, Problems, Set, at, list_at, text};

/// The lists in the rules.
const PORTS: &str = "kafka_client_ports";
const PROGRAMS: &str = "kafka_client_programs";
/// The label of our pods, by which the network policies select them.
const PART_OF: &str = "/spec/podSelector/matchLabels/app.kubernetes.io~1part-of";

/// Where they differ.
pub fn check(root: &Path, set: &Set, rules: &Rules) -> Result<Problems> {
    let mut problems = Problems::new();
    let listed = |name: &str| -> BTreeSet<String> { rules.lists.get(name).into_iter().flatten().cloned().collect() };
    let open: BTreeSet<String> = open(set).iter().map(u16::to_string).collect();
    if listed(PORTS) != open {
        problems.push(format!("{PORTS} is {:?}; the network policies open {open:?}", listed(PORTS)));
    }
    let mut own = BTreeSet::new();
    for pod in set.pods().filter(|pod| pod.owner.path.starts_with("infra/k8s/")) {
        for container in pod.containers() {
            own.extend(list_at(container, "/ports").map(|port| port["containerPort"].to_string()));
        }
    }
    for values in rules.rules.iter().map(|rule| rule.condition.values("fd.sport")).filter(|values| !values.is_empty()) {
        let more: BTreeSet<String> = values.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
        let more: BTreeSet<String> = more.difference(&open).cloned().collect();
        if more != own {
            problems.push(format!("beside {PORTS} the ports {more:?} are let through; the pods listen on {own:?}"));
        }
    }
    let mut programs = BTreeSet::new();
    for program in images::PROGRAMS {
        let dockerfile = images::dockerfile(root, program)?;
        let entry = dockerfile.lines().rev().find_map(|line| line.strip_prefix("ENTRYPOINT [\"")?.strip_suffix("\"]"));
        programs.extend(entry.map(str::to_owned));
    }
    if listed(PROGRAMS) != programs {
        problems.push(format!("{PROGRAMS} is {:?}; the images start {programs:?}", listed(PROGRAMS)));
    }
    let last_words = set.pods().flat_map(|pod| pod.containers()).map(|it| text(it, "/terminationMessagePath"));
    for path in last_words.filter(|path| !path.is_empty()).collect::<BTreeSet<_>>() {
        if !rules.rules.iter().any(|rule| rule.condition.values("fd.name").contains(path)) {
            problems
                .push(format!("no rule lets the programs write {path}, which the pods name as terminationMessagePath"));
        }
    }
    Ok(problems)
}

/// The TCP ports that our pods may connect to.
fn open(set: &Set) -> BTreeSet<u16> {
    let ours = |policy: &&Object| policy.text(PART_OF) == "kafka-clients" && policy.namespace() == "kafka-clients";
    let rules = set.of_kind("NetworkPolicy").filter(ours).flat_map(|policy| list_at(&policy.value, "/spec/egress"));
    let mut open = BTreeSet::new();
    for port in rules.flat_map(|rule| list_at(rule, "/ports")).filter(|port| text(port, "/protocol") == "TCP") {
        let number = |name: &str| at(port, name).as_u64().and_then(|port| u16::try_from(port).ok());
        if let Some(first) = number("/port") {
            open.extend(first..=number("/endPort").unwrap_or(first));
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use super::super::rules::FILE;
    use super::*;
    use crate::programs;

    /// What is wrong with the real rules after a change of their text.
    fn problems(from: &str, to: &str) -> Problems {
        let root = programs::root();
        let file = std::fs::read_to_string(root.join(FILE)).unwrap();
        assert!(file.contains(from), "{from}");
        check(&root, &Set::load(&root).unwrap(), &Rules::read(&file.replacen(from, to, 1)).unwrap()).unwrap()
    }

    #[test]
    fn the_rules_agree_with_the_manifests_and_the_images() {
        assert_eq!(problems("items", "items"), Problems::new());
    }

    #[test]
    fn each_difference_is_told() {
        for (from, to, told) in [
            ("[53, ", "[", PORTS),
            ("9098]", "9098, 443]", PORTS),
            ("fd.sport = 8080", "fd.sport = 8081", "listen on"),
            ("[/usr/local/bin/kafka-producer, ", "[", PROGRAMS),
            ("fd.name = /dev/termination-log", "fd.name = /dev/null", "/dev/termination-log"),
        ] {
            let found = problems(from, to);
            assert!(!found.is_empty() && found.iter().all(|one| one.contains(told)), "{from} to {to}: {found:?}");
        }
    }
}
