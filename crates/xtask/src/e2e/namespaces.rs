//! What takes namespaces, and so root: the program as process 1, and a name server that never answers. No cluster needed.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, kill_process};
use testbed::pipes;
use testbed::process::{Program, Signal};

use super::Scenario;
use super::bench::Bench;

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "process-1-sigterm",
        claim: "SIGTERM to either program as process 1, before it has read its settings, ends it with 143",
        run: process_1,
    },
    Scenario {
        name: "silent-dns",
        claim: "a name server that never answers: 3 within seconds of --timeout, and the verdict says what is waited for",
        run: silent_dns,
    },
];

/// For what should happen at once, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

fn process_1(bench: &mut Bench) -> Result<String> {
    for path in [bench.producer_path(), bench.consumer_path()] {
        let folder = tempfile::tempdir()?;
        let settings = folder.path().join("settings");
        pipes::named(&settings)?;
        let program = Program::new("unshare").args(["--pid", "--fork", "--kill-child"]).arg(path);
        let process = program.arg("--properties-file").arg(&settings).spawn()?;
        let _writer = pipes::wait_for_reader(&settings, SOON)?;
        // The kernel lets no signal kill process 1 that it has no handler for: before there was one, this one was lost.
        kill_process(child_of(process.pid())?, Signal::TERM)?;
        process.wait(SOON)?.expect_code(143)?;
    }
    Ok("both ended with 143".to_owned())
}

fn child_of(parent: u32) -> Result<Pid> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
    let child = children.split_whitespace().next().and_then(|child| child.parse().ok()).and_then(Pid::from_raw);
    child.context("unshare has no child")
}

fn silent_dns(bench: &mut Bench) -> Result<String> {
    const TIMEOUT: Duration = Duration::from_secs(5);
    /// A resolver gives up after two tries of this length for each of two addresses.
    const RESOLVER: &str = "options timeout:10 attempts:2\n";
    const HOST: &str = "kafka.example.com";
    // Taken, so that no answer comes, not even that nobody listens.
    let server = (2..255).find_map(|last| UdpSocket::bind(("127.53.53.".to_owned() + &last.to_string(), 53)).ok());
    let server = server.context("no port 53 on loopback: this scenario needs root")?;
    let folder = tempfile::tempdir()?;
    let resolver = folder.path().join("resolv.conf");
    fs::write(&resolver, format!("nameserver {}\n{RESOLVER}", server.local_addr()?.ip()))?;
    let run = |path: &Path| -> Result<Duration> {
        let began = Instant::now();
        let program = Program::new("unshare")
            .args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\""])
            .args([resolver.as_path(), path])
            .args(["-b", &format!("{HOST}:9092"), "-n", "1", "--timeout", &format!("{}s", TIMEOUT.as_secs())]);
        let outcome = program.env("ADMIN_LISTEN", "off").run(TIMEOUT + SOON)?.expect_code(3)?;
        let took = began.elapsed();
        ensure!(took < TIMEOUT * 2, "the verdict waited for the name server: {took:?}\n{outcome}");
        let said = format!("the name {HOST} is still being resolved");
        ensure!(outcome.stderr.contains(&said), "it does not say what it waited for\n{outcome}");
        Ok(took)
    };
    let took = [run(bench.producer_path())?, run(bench.consumer_path())?];
    Ok(format!("the verdicts came after {:.1} s and {:.1} s", took[0].as_secs_f64(), took[1].as_secs_f64()))
}
