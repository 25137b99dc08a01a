//! What a run leaves on a Pushgateway, and that a gateway which is away changes nothing. The gateway here takes notes; a real one
//! is part of the suite with real brokers.

use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use testbed::process::{Outcome, Program, Signal};

use crate::support::*;

/// A request as the gateway saw it.
#[derive(Clone, Debug)]
struct Request {
    line: String,
    authorization: Option<String>,
    body: String,
}

impl Request {
    fn value(&self, name: &str) -> Option<f64> {
        metric(&self.body, &format!("kafka_producer_{name}"))
    }
}

/// Somebody who takes pushes.
struct Gateway {
    url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Gateway {
    /// Answers each push like this; without an answer it keeps the connection and says nothing.
    fn new(answer: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let noted = Arc::clone(&seen);
        // It ends with the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let noted = Arc::clone(&noted);
                std::thread::spawn(move || take(stream, answer, &noted));
            }
        });
        Self { url, seen }
    }

    fn good() -> Self {
        Self::new(Some("200 OK"))
    }

    fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    fn wait_for(&self, pushes: usize) -> Vec<Request> {
        let deadline = Instant::now() + SOON;
        loop {
            let seen = self.seen();
            if seen.len() >= pushes {
                return seen;
            }
            assert!(Instant::now() < deadline, "{pushes} pushes did not come: {seen:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn take(stream: TcpStream, answer: Option<&str>, noted: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream);
    let Ok(Some(request)) = testbed::http::Request::read(&mut reader) else { return };
    let authorization = request.header("authorization").map(str::to_owned);
    let body = String::from_utf8(request.body).unwrap();
    noted.lock().unwrap().push(Request { line: request.line, authorization, body });
    let mut stream = reader.into_inner();
    match answer {
        Some(status) => {
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 8\r\nConnection: close\r\n\r\na reason");
        }
        // Until the other side hangs up.
        None => drop(stream.read(&mut [0])),
    }
}

fn pushing(cluster: &Cluster, gateway: &Gateway) -> Program {
    cluster.producer().args(["--pushgateway", &gateway.url])
}

/// The warnings about pushes.
fn warnings(outcome: &Outcome) -> Vec<String> {
    let events =
        outcome.events().into_iter().filter(|event| event["event"] == "push_failed" && event["level"] == "WARN");
    events.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_good_run_leaves_its_start_its_counts_and_its_success() {
    let (cluster, gateway) = (Cluster::new(1), Gateway::good());
    let (_folder, password) = file("password", "hunter2\n");
    let program = pushing(&cluster, &gateway)
        .args(["--pushgateway-username", "job"])
        .env("PRODUCER_PUSHGATEWAY_PASSWORD_FILE", arg(&password))
        .env("POD_NAMESPACE", "team/a")
        // The password goes to the gateway and to nobody in between.
        .env("HTTP_PROXY", "http://127.0.0.1:1");
    let outcome = program.run(SOON).unwrap();
    assert_eq!(number(&report(&outcome, 0), "delivered"), 20);
    let [start, end] = <[Request; 2]>::try_from(gateway.seen()).unwrap();
    for push in [&start, &end] {
        let path = "/metrics/job/kafka-producer/namespace@base64/dGVhbS9h/topic/test/shard/0";
        assert_eq!(push.line, format!("POST {path} HTTP/1.1"));
        assert_eq!(push.authorization.as_deref(), Some("Basic am9iOmh1bnRlcjI="));
    }
    let started = start.value("last_start_timestamp_seconds").unwrap();
    assert!(start.body.lines().filter(|line| !line.starts_with('#')).count() == 1 && started > 1.7e9, "{start:?}");
    for (name, expected) in [
        ("last_start_timestamp_seconds", started),
        ("last_run_requested_messages", 20.0),
        ("last_run_delivered_messages", 20.0),
        ("last_run_failed_messages", 0.0),
        ("last_run_unsent_messages", 0.0),
        ("last_run_exit_code", 0.0),
    ] {
        assert_eq!(end.value(name), Some(expected), "{name}\n{end:?}");
    }
    let completed = end.value("last_completion_timestamp_seconds").unwrap();
    assert_eq!(end.value("last_success_timestamp_seconds"), Some(completed));
    let took = end.value("last_run_duration_seconds").unwrap();
    assert!(took > 0.0 && (completed - started - took).abs() < 0.002, "{end:?}");
    let pushed: Vec<String> = kafka_producer::pushed::catalogue().into_iter().map(|entry| entry.name).collect();
    assert!(pushed.iter().all(|name| metric(&end.body, name).is_some()), "{end:?}");
    assert_eq!(end.body.matches("# TYPE ").count(), pushed.len(), "{end:?}");
    assert!(!outcome.stderr.contains("hunter2") && warnings(&outcome).is_empty(), "{outcome}");
}

#[test]
fn a_failed_run_leaves_its_counts_and_no_success() {
    let (cluster, gateway) = (Cluster::new(1), Gateway::good());
    let report = report(&pushing(&cluster, &gateway).args(["-p", "7"]).run(SOON).unwrap(), 4);
    let end = gateway.seen().pop().unwrap();
    // Without a namespace there is no such label.
    assert_eq!(end.line, "POST /metrics/job/kafka-producer/topic/test/shard/0 HTTP/1.1");
    for field in ["requested", "delivered", "failed", "unsent"] {
        let pushed = end.value(&format!("last_run_{field}_messages"));
        assert_eq!(pushed, Some(number(&report, field) as f64), "{field}: {report}\n{end:?}");
    }
    assert_eq!(end.value("last_run_exit_code"), Some(4.0));
    assert_eq!(end.value("last_success_timestamp_seconds"), None);
}

#[test]
fn each_pod_of_an_indexed_job_has_a_group_of_its_own() {
    let (cluster, gateway) = (Cluster::new(1), Gateway::good());
    let program = pushing(&cluster, &gateway).envs([("PRODUCER_SHARDS", "3"), ("JOB_COMPLETION_INDEX", "1")]);
    report(&program.run(SOON).unwrap(), 0);
    let seen = gateway.seen();
    assert!(seen.iter().all(|push| push.line.contains("/topic/test/shard/1 ")) && seen.len() == 2, "{seen:?}");
}

#[test]
fn interrupted_runs_leave_their_end_and_a_killed_one_only_its_start() {
    let (cluster, gateway) = (Cluster::new(1), Gateway::good());
    let waiting = || {
        let before = gateway.seen().len();
        let mut process = pushing(&cluster, &gateway).args(["-i", "-", "-n", "5"]).stdin_piped().spawn().unwrap();
        process.write_stdin("one\n").unwrap();
        process.wait_for_stderr_event("publishing", SOON).unwrap();
        gateway.wait_for(before + 1);
        process
    };
    report(&waiting().stop(Signal::TERM, SOON).unwrap(), 143);
    let seen = gateway.seen();
    assert_eq!((seen.len(), seen[1].value("last_run_exit_code")), (2, Some(143.0)), "{seen:?}");
    assert_eq!(seen[1].value("last_run_requested_messages"), Some(5.0));
    // Killed: nobody can say anything any more.
    waiting().stop(Signal::KILL, SOON).unwrap();
    assert_eq!(gateway.seen().len(), 3);
    // Input that cannot be had shows only when it is opened: no report, and an end all the same.
    pushing(&cluster, &gateway).args(["-i", "nowhere"]).run(SOON).unwrap().expect_code(2).unwrap();
    assert_eq!(gateway.wait_for(5)[4].value("last_run_exit_code"), Some(2.0));
}

#[test]
fn a_gateway_that_is_away_or_refuses_costs_one_warning() {
    let cluster = Cluster::new(1);
    let refusing = Gateway::new(Some("400 Bad Request"));
    let nowhere = format!("http://{NOWHERE}");
    for (url, says) in [(refusing.url.as_str(), "answered 400 Bad Request: a reason"), (&nowhere, "onnection refused")]
    {
        let outcome = cluster.run(&["--pushgateway", url]);
        report(&outcome, 0);
        let warnings = warnings(&outcome);
        assert_eq!(warnings.len(), 1, "{outcome}");
        assert_says(&warnings[0], &[url, "/metrics/job/kafka-producer/", says]);
    }
    assert_eq!(refusing.seen().len(), 2, "the end is tried all the same");
}

#[test]
fn a_gateway_that_says_nothing_holds_up_the_end_and_not_the_report() {
    let (cluster, gateway) = (Cluster::new(1), Gateway::new(None));
    let process = pushing(&cluster, &gateway).spawn().unwrap();
    process.wait_for_stdout(SOON, |line| line.contains("\"report\"")).unwrap();
    let reported = Instant::now();
    let outcome = process.wait(SOON).unwrap();
    let held_up = reported.elapsed();
    report(&outcome, 0);
    assert_eq!(warnings(&outcome).len(), 1, "{outcome}");
    assert!(held_up > Duration::from_millis(500), "the report came after the push: {held_up:?}");
    assert!(held_up < Duration::from_secs(4), "two seconds and what a busy machine adds: {held_up:?}");
}

#[test]
fn what_only_shows_pushes_nothing() {
    let (cluster, gateway) = (Cluster::new(1), Gateway::good());
    for args in [&["--dry-run", "-n", "1"][..], &["config"]] {
        let program = cluster.producer().env("PRODUCER_PUSHGATEWAY", &gateway.url);
        // The subcommand comes first.
        let program = if args == ["config"] {
            producer().arg("config").env("PRODUCER_PUSHGATEWAY", &gateway.url)
        } else {
            program.args(args)
        };
        program.run(SOON).unwrap().expect_code(0).unwrap();
    }
    assert!(gateway.seen().is_empty(), "{:?}", gateway.seen());
}

#[test]
fn wrong_settings_of_the_gateway_are_problems_that_print_no_secret() {
    for (args, variables, says) in [
        (&["--pushgateway", "http://job:hunter2@gateway:9091"][..], &[][..], "PRODUCER_PUSHGATEWAY_PASSWORD"),
        (&["--pushgateway", "gateway:9091"], &[], "--pushgateway (PRODUCER_PUSHGATEWAY): expected a URL"),
        (&["--pushgateway", "http://g", "--pushgateway-username", "job"], &[], "needs PRODUCER_PUSHGATEWAY_PASSWORD"),
        (
            &["--pushgateway", "http://g"],
            &[("PRODUCER_PUSHGATEWAY_PASSWORD", "hunter2")],
            "needs --pushgateway-username",
        ),
    ] {
        let outcome = producer().args(args).envs(variables.iter().copied()).run(SOON).unwrap().expect_code(2).unwrap();
        assert_says(&outcome.stderr, &[says]);
        assert!(!outcome.stderr.contains("hunter2"), "{outcome}");
        let program = producer().arg("config").args(args).envs(variables.iter().copied());
        let shown = program.run(SOON).unwrap();
        assert!(!shown.stdout.contains("hunter2") && !shown.stderr.contains("hunter2"), "{shown}");
    }
}
