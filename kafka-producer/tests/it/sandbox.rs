//! A run that has confined itself does its work, all of it, and says how far it is confined. That it cannot do more is tested where
//! the rules are, in `common::sandbox`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use testbed::pipes;
use testbed::process::{Outcome, Program};

use crate::support::*;

/// Says that the run is confined, and how far.
fn confined(outcome: &Outcome) -> Value {
    let event = outcome.events().into_iter().find(|event| event["event"] == "confined");
    event.unwrap_or_else(|| panic!("it does not say that it is confined\n{outcome}"))
}

/// A kernel that has Landlock up to this version, none at all with 0: a library that answers in its place. It stands before libc's.
fn older_kernel(program: Program, abi: u8) -> (tempfile::TempDir, Program) {
    let code = format!(
        "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <errno.h>\n#include <stddef.h>\n\
         long syscall(long n, long a, long b, long c, long d, long e, long f) {{\n\
         long (*real)(long, long, long, long, long, long, long) = dlsym(RTLD_NEXT, \"syscall\");\n\
         if (n == 444 && c == 1) {{ if ({abi}) return {abi}; errno = ENOSYS; return -1; }}\n\
         return real(n, a, b, c, d, e, f);\n}}\n"
    );
    preloaded(program, &code)
}

/// The program with a library that is loaded before all others.
fn preloaded(program: Program, code: &str) -> (tempfile::TempDir, Program) {
    let (folder, source) = file("library.c", code);
    let library: PathBuf = folder.path().join("library.so");
    let compiler = std::process::Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    assert!(compiler.unwrap().success());
    (folder, program.env("LD_PRELOAD", library))
}

#[test]
fn a_confined_run_does_all_its_work_and_every_thread_is_confined() {
    let cluster = Cluster::new(1);
    let (folder, log) = file("termination-log", "");
    let lines = folder.path().join("lines");
    pipes::named(&lines).unwrap();
    let args = ["--sandbox", "require", "--listen", "127.0.0.1:0", "--log-format", "json", "-i", arg(&lines)];
    let process = cluster.producer().args(args).args(["--termination-log", arg(&log)]).spawn().unwrap();
    let mut writer = pipes::wait_for_reader(&lines, SOON).unwrap();
    std::io::Write::write_all(&mut writer, b"one\ntwo\n").unwrap();
    let address = admin_address(&process);
    wait_for_delivered(address, 2.0);
    let page = testbed::http::get(address, "/metrics").unwrap().body;
    assert!(metric(&page, "process_open_fds").is_some_and(|count| count > 0.0), "{page}");
    assert!(metric(&page, "process_start_time_seconds").is_some_and(|time| time > 0.0), "{page}");
    // The call that restricts a thread also marks it so, and a thread has that from the one that started it.
    let tasks: Vec<PathBuf> =
        fs::read_dir(format!("/proc/{}/task", process.pid())).unwrap().map(|task| task.unwrap().path()).collect();
    assert!(tasks.len() > 3, "{tasks:?}");
    for task in tasks {
        let status = fs::read_to_string(task.join("status")).unwrap();
        assert!(status.contains("NoNewPrivs:\t1\n"), "a thread is not confined: {status}");
    }
    drop(writer);
    let outcome = process.wait(SOON).unwrap();
    assert_eq!(number(&report(&outcome, 0), "delivered"), 2);
    assert_eq!(number(&serde_json::from_slice(&fs::read(&log).unwrap()).unwrap(), "delivered"), 2);
    let event = confined(&outcome);
    assert_eq!(
        (&event["level"], &event["sandbox.files"], &event["sandbox.bind"]),
        (&"INFO".into(), &true.into(), &true.into())
    );
    assert!(event["sandbox.abi"].as_u64().is_some_and(|abi| (6..=7).contains(&abi)), "{event}");
}

#[test]
fn an_input_is_read_wherever_it_is() {
    let cluster = Cluster::new(1);
    let (_folder, path) = file("lines", "one\ntwo\n");
    let link = path.with_file_name("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for input in [&path, &link] {
        let outcome = cluster.run(&["--sandbox", "require", "-i", arg(input)]);
        assert_eq!(number(&report(&outcome, 0), "delivered"), 2);
    }
    for flag in ["-i", "-f"] {
        let args = ["--sandbox", "require", flag, "/dev/stdin"];
        let outcome = cluster.producer().args(args).stdin(fs::File::open(&path).unwrap()).run(SOON).unwrap();
        report(&outcome, 0);
    }
    let missing = cluster.run(&["--sandbox", "require", "-i", "nowhere"]).expect_code(2).unwrap();
    assert_says(&missing.stderr, &["nowhere", "No such file"]);
}

#[test]
fn an_older_kernel_confines_what_it_can_and_says_once_what_is_missing() {
    let cluster = Cluster::new(1);
    let args = ["--sandbox", "auto", "--log-format", "json"];
    for (abi, files, bind, missing) in [
        (0, false, false, "this kernel has no Landlock"),
        (3, true, false, "ports can be listened on, until Linux 6.7"),
        (5, true, true, "signals and abstract sockets reach other processes, until Linux 6.12"),
    ] {
        let (_folder, program) = older_kernel(cluster.producer().args(args), abi);
        let outcome = program.run(SOON).unwrap();
        report(&outcome, 0);
        let event = confined(&outcome);
        assert_eq!(event["level"], "WARN", "{event}");
        assert_eq!(event["sandbox.abi"], abi, "{event}");
        assert_eq!((&event["sandbox.files"], &event["sandbox.bind"]), (&files.into(), &bind.into()), "{event}");
        assert_says(text(&event, "sandbox.missing"), &[missing]);
        assert_eq!(outcome.events().iter().filter(|event| event["event"] == "confined").count(), 1);
    }
}

#[test]
fn a_run_that_must_be_confined_and_cannot_does_not_start() {
    for abi in [0, 5] {
        let (_folder, program) = older_kernel(producer().args(["-b", NOWHERE, "--sandbox", "require"]), abi);
        let outcome = program.run(SOON).unwrap().expect_code(2).unwrap();
        assert_says(&outcome.stderr, &["--sandbox (KAFKA_CLIENT_SANDBOX) is require", "Linux 6.12"]);
    }
}

#[test]
fn a_thread_that_is_there_before_is_counted() {
    const THREAD: &str = "#include <pthread.h>\n#include <unistd.h>\n\
        static void *wait_for_ever(void *nothing) { for (;;) pause(); }\n\
        __attribute__((constructor)) static void begin(void) {\n\
        pthread_t thread; pthread_create(&thread, NULL, wait_for_ever, NULL);\n}\n";
    let args = ["-b", NOWHERE, "--timeout", "1s", "--log-format", "json", "--sandbox"];
    let run = |mode| {
        let (_folder, program) = preloaded(producer().args(args).arg(mode), THREAD);
        program.run(SOON).unwrap()
    };
    assert_says(&run("require").expect_code(2).unwrap().stderr, &["threads that were there before stay free"]);
    let outcome = run("auto").expect_code(3).unwrap();
    assert_says(text(&confined(&outcome), "sandbox.missing"), &["threads that were there before stay free"]);
}

#[test]
fn a_run_confines_nothing_unless_it_is_asked_to() {
    let cluster = Cluster::new(1);
    let outcome = cluster.run(&["--log-format", "json"]);
    report(&outcome, 0);
    assert!(outcome.events().iter().all(|event| event["event"] != "confined"), "{outcome}");
    let shown = producer().arg("config").env("KAFKA_CLIENT_SANDBOX", "require").run(SOON).unwrap();
    assert_says(&shown.expect_code(0).unwrap().stdout, &["KAFKA_CLIENT_SANDBOX=require"]);
    let (_folder, program) = older_kernel(producer().args(["config", "--sandbox", "require"]), 0);
    program.run(SOON).unwrap().expect_code(0).unwrap();
}

#[test]
fn a_certificate_in_a_home_is_told_that_it_is_read_as_it_is() {
    let (folder, path) = file("ca.pem", "no certificate");
    let home = Path::new(folder.path());
    let args = ["-b", NOWHERE, "--timeout", "1s", "--security-protocol", "SSL", "--ssl-ca-location", arg(&path)];
    let program = producer().args(args).args(["--sandbox", "require", "--log-format", "json"]).env("HOME", home);
    let events = program.run(SOON).unwrap().events();
    let told = events.iter().find(|event| event["event"] == "confined_file");
    assert_says(told.unwrap()["message"].as_str().unwrap(), &[arg(&path), "a folder of its own"]);
}
