//! What strace writes, read: the names of the system calls that a program made, from its start on.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// For the last lines after the program's end.
const LAST_LINES: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);

/// The options of a trace into a file. The traced process stays our child, and strace becomes its grandchild: so its signals and its
/// exit code are its own.
pub fn arguments(log: &Path) -> Vec<String> {
    let mut arguments =
        ["--daemonize", "--follow-forks", "--quiet=attach,personality,thread-execve"].map(str::to_owned).to_vec();
    // Arguments are of no use here but for the program's path.
    arguments.extend(["--string-limit=0", "--output"].map(str::to_owned));
    arguments.push(log.display().to_string());
    arguments
}

/// The calls of a program that has ended, of which this is the path inside the image.
///
/// # Errors
/// When the trace does not get to its end, or the program was never started.
pub fn read(log: &Path, program: &str) -> Result<BTreeSet<String>> {
    let began = Instant::now();
    loop {
        let text = fs::read_to_string(log).unwrap_or_default();
        match calls(&text, program) {
            Some(calls) => return Ok(calls),
            None if began.elapsed() < LAST_LINES => std::thread::sleep(LOOK),
            None => {
                let last: Vec<_> = text.lines().rev().take(3).collect();
                anyhow::bail!("the trace of {program} has no start or no end; its last lines: {last:?}");
            }
        }
    }
}

/// `None` while the first process has not ended, or when it never became the program.
fn calls(text: &str, program: &str) -> Option<BTreeSet<String>> {
    let start = format!("execve(\"{program}\"");
    let mut lines = text.lines().skip_while(|line| !is_start(line, &start)).peekable();
    let first = lines.peek()?.split_whitespace().next()?.to_owned();
    let (mut calls, mut ended) = (BTreeSet::new(), false);
    for line in lines {
        let (process, said) = line.split_once(' ')?;
        let said = said.trim_start();
        ended |= process == first && said.starts_with("+++ ");
        calls.extend(name(said));
    }
    ended.then_some(calls)
}

/// Whether the program was started by this line. A shell or chroot that looks for it gets an error.
fn is_start(line: &str, start: &str) -> bool {
    line.contains(start) && line.ends_with("= 0")
}

/// The name of the call that a line begins with: `poll([...` and `poll(<unfinished ...>`, but not `<... poll resumed>`.
fn name(said: &str) -> Option<String> {
    let (name, _) = said.split_once('(')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then(|| name.to_owned())
}

/// Fails for a name that strace does not know: it is misspelt, or no call at all.
pub fn ensure_known(names: &BTreeSet<String>) -> Result<()> {
    let list: Vec<_> = names.iter().map(String::as_str).collect();
    let output = Command::new("strace")
        .arg(format!("--trace={}", list.join(",")))
        .args(["--output=/dev/null", "true"])
        .output()
        .context("strace can't be run")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "not all of them are system calls: {}", said.trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"70 execve("/usr/sbin/chroot", [...], 0x1 /* 9 vars */) = 0
70 setgroups(1, [0]) = 0
70 execve("/usr/local/bin/kafka-consumer", [...], 0x1 /* 9 vars */) = -1 ENOENT (No such file or directory)
70 execve("/usr/local/bin/kafka-consumer", [...], 0x1 /* 9 vars */) = 0
70 brk(NULL)                = 0x5
71 poll([{fd=3, events=POLLIN}], 1, 100 <unfinished ...>
70 clone3({flags=CLONE_VM}, 88) = 72
71 <... poll resumed>)      = ? ERESTART_RESTARTBLOCK (Interrupted by signal)
71 restart_syscall(<... resuming interrupted poll ...>) = 0
71 syscall_0x1d6(0, 0) = -1 ENOSYS
71 --- SIGCONT {si_signo=SIGCONT, si_code=SI_USER (0)} ---
71 +++ exited with 0 +++
70 exit_group(0) = ?
70 +++ exited with 0 +++
"#;

    fn names(log: &str) -> Option<Vec<String>> {
        Some(calls(log, "/usr/local/bin/kafka-consumer")?.into_iter().collect())
    }

    #[test]
    fn a_program_s_calls_count_from_its_start_and_in_all_threads() {
        let expected = ["brk", "clone3", "execve", "exit_group", "poll", "restart_syscall", "syscall_0x1d6"];
        assert_eq!(names(LOG).unwrap(), expected);
    }

    #[test]
    fn a_program_that_a_signal_killed_has_ended() {
        let killed = LOG.replace("70 +++ exited with 0 +++", "70 +++ killed by SIGABRT (core dumped) +++");
        assert_eq!(names(&killed), names(LOG));
    }

    #[test]
    fn a_trace_that_is_not_complete_is_none() {
        let (unfinished, _) = LOG.rsplit_once("70 +++").unwrap();
        assert_eq!(names(unfinished), None);
        assert_eq!(names(&LOG.replace("9 vars */) = 0", "9 vars */) = -1 EACCES")), None);
        assert_eq!(names(""), None);
    }
}
