//! Each rule's command under strace: a rule that never matches what it is about would match nothing anywhere.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::event::Event;
use super::rules::{Rule, Rules};
use super::strace::Trace;
use super::trace::{Reader, View};
use crate::manifests::set::Problems;

const REPOSITORY: &str = "localhost:5000/kafka-consumer";
/// What a process of the container runs at first.
const PROGRAM: &str = "/usr/local/bin/kafka-consumer";
/// How long a command may take.
const COMMAND: Duration = Duration::from_secs(30);

/// The rules that match an event.
///
/// # Errors
/// When a rule looks at a field that is not known.
pub fn matching<'a>(rules: &'a Rules, event: &Event, repository: &str) -> Result<Vec<&'a str>> {
    let mut matching = Vec::new();
    for rule in &rules.rules {
        let holds = rule.condition.holds(&|name| event.field(name, repository));
        if holds.with_context(|| format!("rule {:?}", rule.name))? {
            matching.push(rule.name.as_str());
        }
    }
    Ok(matching)
}

/// Runs the command of each rule. What a rule does not match, and what two match, of which Falco would tell one.
pub fn commands(rules: &Rules) -> Result<Problems> {
    let scratch = tempfile::tempdir()?;
    let mut problems = Problems::new();
    for (number, rule) in rules.rules.iter().enumerate() {
        let (trace, shell) = Trace::of(Path::new("/bin/sh"), &scratch.path().join(number.to_string()));
        // Some of it is refused, here or there: what counts is that it was tried.
        shell.args(["-c", &rule.command]).run(COMMAND)?;
        let events = Reader::new(&View::default(), PROGRAM).events(&trace.text()?)?;
        problems.extend(of_events(rules, rule, &events, "its command")?);
    }
    Ok(problems)
}

/// The same for the lines above each rule.
pub fn lines(rules: &Rules) -> Result<Problems> {
    let mut problems = Problems::new();
    for rule in &rules.rules {
        for lines in &rule.lines {
            let trace: String = lines.lines().map(|line| format!("1 {line}\n")).collect();
            let events = Reader::new(&View::default(), PROGRAM).events(&trace)?;
            problems.extend(of_events(rules, rule, &events, lines)?);
        }
    }
    Ok(problems)
}

fn of_events(rules: &Rules, rule: &Rule, events: &[Event], what: &str) -> Result<Problems> {
    let (mut problems, mut found) = (Problems::new(), false);
    for event in events {
        let matching = matching(rules, event, REPOSITORY)?;
        found |= matching.contains(&rule.name.as_str());
        if matching.len() > 1 {
            problems.push(format!("{matching:?} all match {:?}: Falco tells the first only", event.line));
        }
    }
    if !found {
        problems.push(format!("rule {:?} does not match {what}", rule.name));
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs;

    #[test]
    fn each_rule_matches_the_lines_above_it() {
        assert_eq!(lines(&Rules::load(&programs::root()).unwrap()).unwrap(), Problems::new());
    }

    #[test]
    fn other_images_and_ordinary_calls_match_nothing() {
        let rules = Rules::load(&programs::root()).unwrap();
        let events = |line: &str| Reader::new(&View::default(), PROGRAM).events(&format!("1 {line}\n")).unwrap();
        let shell = events("execve(\"/bin/sh\", [\"sh\"], 0x7f /* 3 vars */) = 0");
        assert_eq!(matching(&rules, &shell[0], "docker.io/library/kafka-consumer-like").unwrap(), Vec::<&str>::new());
        assert_eq!(
            matching(&rules, &shell[0], "ghcr.io/a/b/kafka-producer").unwrap(),
            ["Kafka client runs another program"]
        );
        for line in [
            "execve(\"/usr/local/bin/kafka-consumer\", [], 0x7f /* 3 vars */) = 0",
            "openat(AT_FDCWD</>, \"/dev/termination-log\", O_WRONLY|O_TRUNC) = 3</dev/termination-log>",
            "openat(AT_FDCWD</>, \"/tmp/x\", O_RDWR|O_CREAT, 0600) = 3</tmp/x>",
            "openat(AT_FDCWD</>, \"/etc/ld.so.cache\", O_RDONLY|O_CLOEXEC) = 3</etc/ld.so.cache>",
            "openat(AT_FDCWD</>, \"/lib/x86_64-linux-gnu/libc.so.6\", O_RDONLY|O_CLOEXEC) = 3</usr/lib/x86_64-linux-gnu/libc.so.6>",
            "openat(AT_FDCWD</>, \"/opt/x.so\", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)",
            "connect(4<TCP:[1]>, {sa_family=AF_INET, sin_port=htons(9092), sin_addr=inet_addr(\"192.0.2.1\")}, 16) = -1 EINPROGRESS (Operation now in progress)",
            "connect(4<TCP:[1]>, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr(\"127.0.0.1\")}, 16) = 0",
            "connect(4<UDP:[1]>, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr(\"192.0.2.1\")}, 16) = 0",
        ] {
            assert_eq!(matching(&rules, &events(line)[0], REPOSITORY).unwrap(), Vec::<&str>::new(), "{line}");
        }
    }
}
