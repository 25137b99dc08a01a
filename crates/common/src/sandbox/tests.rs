//! A confined thread, in a process that is not: what it can still do, and what it cannot. A restriction is for ever, so each test has
//! a thread of its own. What an older kernel cannot deny is expected to work, as far as the state says so.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::*;
use crate::kafka;

/// Does this on a thread that has confined itself.
fn confined<T: Send>(rules: &Rules, act: impl FnOnce(&State) -> T + Send) -> T {
    let confine = || {
        let state = Prepared::new(rules).unwrap().enter().unwrap();
        assert!(state.files, "this kernel has no Landlock: {}", state.missing());
        act(&state)
    };
    std::thread::scope(|scope| scope.spawn(confine).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Whether the kernel has denied something.
fn is_denied<T>(result: io::Result<T>) -> bool {
    result.err().and_then(|error| Errno::from_io_error(&error)) == Some(Errno::ACCESS)
}

/// Whether it was denied because it concerns another process.
fn is_out_of_scope<T>(result: io::Result<T>) -> bool {
    result.err().and_then(|error| Errno::from_io_error(&error)) == Some(Errno::PERM)
}

/// A folder with files, none of which a run may read by itself.
fn folder(files: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    for file in files {
        fs::create_dir_all(path.join(file).parent().unwrap()).unwrap();
        fs::write(path.join(file), file).unwrap();
    }
    (folder, path)
}

#[test]
fn only_what_the_rules_name_can_be_read() {
    let (_folder, path) = folder(&["named", "other", "kept/ca.pem", "kept/beside"]);
    let mut rules = Rules::of_every_run();
    rules.once(&path.join("named"));
    rules.kept(&path.join("kept/ca.pem"));
    confined(&rules, |_| {
        assert_eq!(fs::read_to_string(path.join("named")).unwrap(), "named");
        assert!(is_denied(fs::read(path.join("other"))));
        assert!(is_denied(fs::read_dir(&path)));
        assert!(is_denied(fs::read_dir("/")));
        // A watched file may be replaced, so its folder is allowed.
        assert!(fs::read(path.join("kept/beside")).is_ok());
    });
    assert!(fs::read(path.join("other")).is_ok(), "the other threads of this process are free");
}

#[test]
fn a_watched_file_is_read_again_when_another_takes_its_place() {
    let (_folder, path) = folder(&["plain/ca.pem", "plain/new", "mount/..one/ca.crt", "mount/..two/ca.crt"]);
    symlink("..one", path.join("mount/..data")).unwrap();
    symlink("..data/ca.crt", path.join("mount/ca.crt")).unwrap();
    let mut rules = Rules::default();
    rules.kept(&path.join("plain/ca.pem"));
    rules.kept(&path.join("mount/ca.crt"));
    let (told, hear) = std::sync::mpsc::channel();
    let (replaced, wait) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let (path, rules) = (&path, &rules);
        scope.spawn(move || {
            confined(rules, move |_| {
                told.send(fs::read_to_string(path.join("mount/ca.crt"))).unwrap();
                wait.recv().unwrap();
                told.send(fs::read_to_string(path.join("mount/ca.crt"))).unwrap();
                told.send(fs::read_to_string(path.join("plain/ca.pem"))).unwrap();
            });
        });
        assert_eq!(hear.recv().unwrap().unwrap(), "mount/..one/ca.crt");
        // As the kubelet does, and as `mv` does.
        symlink("..two", path.join("mount/..data_tmp")).unwrap();
        fs::rename(path.join("mount/..data_tmp"), path.join("mount/..data")).unwrap();
        fs::rename(path.join("plain/new"), path.join("plain/ca.pem")).unwrap();
        replaced.send(()).unwrap();
        assert_eq!(hear.recv().unwrap().unwrap(), "mount/..two/ca.crt");
        assert_eq!(hear.recv().unwrap().unwrap(), "plain/new");
    });
}

#[test]
fn nothing_but_the_termination_log_can_be_written() {
    let (_folder, path) = folder(&["termination-log", "other"]);
    let mut rules = Rules::of_every_run();
    rules.written(&path.join("termination-log"));
    confined(&rules, |_| {
        fs::File::options()
            .write(true)
            .truncate(true)
            .open(path.join("termination-log"))
            .unwrap()
            .write_all(b"x")
            .unwrap();
        assert!(is_denied(fs::read(path.join("termination-log"))), "it is never read");
        assert!(is_denied(fs::File::options().write(true).open(path.join("other"))));
        assert!(is_denied(fs::write(path.join("new"), "")));
        assert!(is_denied(fs::remove_file(path.join("other"))));
        assert!(is_denied(fs::create_dir(path.join("folder"))));
        assert!(is_denied(symlink("other", path.join("link"))));
        assert!(is_denied(fs::rename(path.join("other"), path.join("moved"))));
    });
    assert_eq!(fs::read_to_string(path.join("termination-log")).unwrap(), "x");
    assert_eq!(fs::read_to_string(path.join("other")).unwrap(), "other");
}

#[test]
fn no_other_program_can_be_started() {
    let itself = std::env::current_exe().unwrap();
    let start = |program: &Path| Command::new(program).arg("--list").stdout(Stdio::null()).status();
    assert!(start(&itself).unwrap().success());
    confined(&Rules::of_every_run(), |_| {
        assert!(is_denied(start(&itself)), "readable, and yet not executable");
        for program in ["/bin/sh", "/usr/bin/env"] {
            assert!(is_denied(start(Path::new(program))), "{program}");
        }
    });
}

#[test]
fn no_further_port_can_be_bound_and_the_admin_port_goes_on() {
    let admin = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = admin.local_addr().unwrap();
    confined(&Rules::of_every_run(), |state| {
        assert_eq!(is_denied(TcpListener::bind("127.0.0.1:0")), state.bind);
        assert_eq!(is_denied(TcpListener::bind("[::]:0")), state.bind);
        // Connections go out, and come in where one listens already.
        let mut client = TcpStream::connect(address).unwrap();
        let (mut server, _) = admin.accept().unwrap();
        client.write_all(b"x").unwrap();
        server.read_exact(&mut [0]).unwrap();
    });
}

#[test]
fn names_are_found_and_local_sockets_reached() {
    let (_folder, path) = folder(&[]);
    let socket = UnixListener::bind(path.join("socket")).unwrap();
    let known = "localhost:0".to_socket_addrs().unwrap().count();
    let roots = crate::tls::roots(None, "").is_ok();
    confined(&Rules::of_every_run(), |_| {
        assert_eq!("localhost:0".to_socket_addrs().unwrap().count(), known);
        UdpSocket::bind("127.0.0.1:0").unwrap();
        UnixStream::connect(path.join("socket")).unwrap();
        assert_eq!(crate::tls::roots(None, "").is_ok(), roots);
        for file in ["/etc/resolv.conf", "/etc/hosts", "/proc/self/status", "/proc/self/cgroup", "/proc/stat"] {
            assert!(fs::metadata(file).is_err() || fs::read(file).is_ok(), "{file}");
        }
        assert!(fs::read_dir("/proc/self/fd").is_ok());
    });
    drop(socket);
}

#[test]
fn other_processes_are_out_of_reach() {
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    let environment = format!("/proc/{}/environ", other.id());
    let pid = Pid::from_child(&other);
    let name = SocketAddr::from_abstract_name(format!("kafka-clients-{}", std::process::id())).unwrap();
    let abstract_socket = UnixListener::bind_addr(&name).unwrap();
    assert!(fs::read(&environment).is_ok());
    confined(&Rules::of_every_run(), |state| {
        assert!(is_denied(fs::read(&environment)));
        let scopes = abi::missing(state.abi).is_empty();
        assert_eq!(is_out_of_scope(kill_process(pid, Signal::CONT).map_err(io::Error::from)), scopes);
        assert_eq!(is_out_of_scope(UnixStream::connect_addr(&name)), scopes);
    });
    drop(abstract_socket);
    kill_process(pid, Signal::KILL).unwrap();
    other.wait().unwrap();
}

/// The library's constructor leaves a trace.
fn library(folder: &Path, name: &str) -> (String, PathBuf) {
    let (source, library, trace) =
        (folder.join(format!("{name}.c")), folder.join(format!("{name}.so")), folder.join(format!("{name}-was-here")));
    let code = format!(
        "#include <stdio.h>\n__attribute__((constructor)) static void loaded(void) {{ fclose(fopen(\"{}\", \"w\")); }}\n",
        trace.display()
    );
    fs::write(&source, code).unwrap();
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status().unwrap();
    assert!(made.success());
    (library.to_str().unwrap().to_owned(), trace)
}

#[test]
fn a_plugin_that_was_let_through_is_not_loaded() {
    let (_folder, path) = folder(&[]);
    // What the settings refuse by name, given to librdkafka all the same.
    let load = |library: &str| {
        let mut properties = crate::config::Properties::new();
        properties.fallback("plugin.library.paths", library);
        kafka::client_config(&properties).create_native_config().map(drop)
    };
    let (free, free_trace) = library(&path, "free");
    let (caged, caged_trace) = library(&path, "caged");
    let _ = load(&free);
    assert!(free_trace.exists(), "a thread that is not confined loads it");
    let mut rules = Rules::of_every_run();
    // So that the rules stop the library, and not what it does.
    fs::write(&caged_trace, "untouched").unwrap();
    rules.written(&caged_trace);
    let error = confined(&rules, |_| load(&caged)).unwrap_err().to_string();
    assert!(error.contains("Permission denied") || error.contains("cannot open"), "{error}");
    assert_eq!(fs::read_to_string(&caged_trace).unwrap(), "untouched", "the library was loaded");
}

#[test]
fn a_backtrace_has_names() {
    let names = confined(&Rules::of_every_run(), |_| std::backtrace::Backtrace::force_capture().to_string());
    assert!(names.contains("sandbox::tests"), "{names}");
}

#[test]
fn an_input_may_be_a_pipe_without_a_name() {
    let (mut reader, mut writer) = io::pipe().unwrap();
    let by_path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
    let mut rules = Rules::of_every_run();
    rules.once(Path::new(&by_path));
    confined(&rules, |_| drop(fs::File::open(&by_path).unwrap()));
    writer.write_all(b"x").unwrap();
    reader.read_exact(&mut [0]).unwrap();
}
