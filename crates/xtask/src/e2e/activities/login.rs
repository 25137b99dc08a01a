//! Activities on real Apache Kafka behind TLS and a login.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, kill_process};
use testbed::http;
use testbed::ports::free_port;
use testbed::process::Signal;

use super::stage::Stage;
use super::{Activity, RUN, Reading, Scene, deliver, produce, read};
use crate::e2e::bench::{Report, SERVICE, expect_exactly_once, wait_for_messages};
use crate::e2e::token_server::TokenServer;

pub(super) const ACTIVITIES: [Activity; 4] = [
    Activity { name: "login", short: true, run: login },
    Activity { name: "stop-and-continue", short: true, run: stop_and_continue },
    Activity { name: "round-trip", short: false, run: round_trip },
    Activity { name: "oauth", short: false, run: oauth },
];

const MESSAGES: u64 = 2_000;
/// Where a program writes its report to.
const LOG: &str = "/tmp/termination-log";
/// For what the kernel does at once.
const SOON: Duration = Duration::from_secs(20);

/// SASL_SSL with SCRAM: a topic is created, messages are published and logged; metrics, health, SIGTERM.
fn login(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    let run = scene.login_run("login")?;
    let create = run.clone().env("PRODUCER_CREATE_TOPIC", "6:1");
    deliver(stage, &create, "first", 100)?;
    let log = scene.file("termination-log", "")?;
    fs::set_permissions(&log, std::os::unix::fs::PermissionsExt::from_mode(0o666))?;
    let reading =
        Reading::start(stage, &run.clone().writable(&log, LOG).env("CONSUMER_TERMINATION_LOG", LOG), "login")?;
    deliver(stage, &run, "login", MESSAGES)?;
    expect_exactly_once(&reading.received, MESSAGES)?;
    for path in ["/metrics", "/livez", "/readyz", "/version", "/status.json", "/"] {
        let answer = http::get(reading.admin.as_str(), path)?;
        ensure!(answer.status == 200, "{path} answers {answer:?}");
    }
    let code = reading.actor.beside(&["healthcheck", "--listen", &reading.admin])?;
    ensure!(code == Some(0), "the health check ended with {code:?}");
    reading.stop()?;
    let report = fs::read_to_string(&log)?;
    ensure!(report.contains("\"exit_code\":0"), "the termination log is no report: {report:?}");
    Ok(format!("{MESSAGES} published, logged and counted; healthy; ended by SIGTERM"))
}

/// Publishing and reading back in one process.
fn round_trip(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    let run = scene.login_run("round-trip")?.env("PRODUCER_CREATE_TOPIC", "2:1");
    let run = run.env("PRODUCER_MESSAGES", MESSAGES.to_string()).env("PRODUCER_REPORT", "table");
    let outcome = produce(stage, run.args(&["round-trip"]))?.expect_code(0)?;
    ensure!(outcome.stdout.contains("exactly once"), "nothing is proven\n{outcome}");
    Ok(format!("{MESSAGES} published, read back and proven"))
}

/// Both programs are stopped and continued while they wait.
fn stop_and_continue(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    let run = scene.login_run("stop")?.env("PRODUCER_CREATE_TOPIC", "2:1");
    deliver(stage, &run, "first", 10)?;
    let reading = Reading::start(stage, &run, "stop")?;
    let limits = run.clone().env("PRODUCER_MESSAGES", "100000").env("PRODUCER_RATE", "50/s");
    let (program, actor) = stage.producer(limits.env("PRODUCER_RUN_ID", "stop"))?;
    let producer = program.spawn()?;
    wait_for_messages(&reading.received, 20)?;
    let (consumer, publisher) = (reading.actor.pid(reading.consumer.process())?, actor.pid(&producer)?);
    // The shorter ones of a program's waits are interrupted in one try, and the longer ones in another.
    for _ in 0..3 {
        for pid in [consumer, publisher] {
            stop(pid)?;
        }
    }
    let before = crate::consumer::lock(&reading.received).distinct();
    wait_for_messages(&reading.received, before + 50)?;
    let report = Report::of(producer.stop(Signal::TERM, RUN)?, 143)?;
    ensure!(report.failed == 0, "{report:?}");
    expect_exactly_once(&reading.received, report.delivered)?;
    reading.stop()?;
    Ok(format!("both went on three times; {} delivered and logged", report.delivered))
}

/// SIGSTOP, until the kernel says that it stands still, then SIGCONT, until it does not.
fn stop(pid: u32) -> Result<()> {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no process")?;
    for (signal, stopped) in [(Signal::STOP, true), (Signal::CONT, false)] {
        kill_process(process, signal)?;
        let began = Instant::now();
        while is_stopped(pid)? != stopped {
            ensure!(began.elapsed() < SOON, "process {pid} has not obeyed {signal:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(())
}

/// Whether the state is T, or t under a tracer.
fn is_stopped(pid: u32) -> Result<bool> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    Ok(state.is_some_and(|state| state.eq_ignore_ascii_case(&'t')))
}

/// A token from a token server, whose name is looked up, too.
fn oauth(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    const SECRET: &str = "secret-of-the-service";
    let (run, port) = (scene.login_run("oauth")?, free_port()?);
    let _server = TokenServer::start(port, SERVICE, SECRET)?;
    let url = TokenServer::url(port).replace("127.0.0.1", super::ANSWERED);
    let mut run = run.env("KAFKA_SASL_MECHANISM", "OAUTHBEARER").env("KAFKA_OAUTH_TOKEN_URL", url);
    run.envs.retain(|(name, _)| name != "KAFKA_USERNAME" && name != "KAFKA_PASSWORD_FILE");
    let run = run.env("KAFKA_OAUTH_CLIENT_ID", SERVICE).env("KAFKA_OAUTH_CLIENT_SECRET", SECRET);
    deliver(stage, &run.clone().env("PRODUCER_CREATE_TOPIC", "2:1"), "oauth", 100)?;
    read(stage, run, 100)?;
    Ok("100 published and logged by token".to_owned())
}
