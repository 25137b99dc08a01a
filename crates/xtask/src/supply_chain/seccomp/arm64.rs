//! Which of the allowed calls arm64 does not have, and what a program calls there instead. arm64 is not in the profile's
//! `architectures` until a machine of that kind has run the programs under it.

use std::collections::BTreeMap;

use super::profile::Profile;

/// Calls of x86-64 that arm64 has never had, and the ones that do their work there; none where nothing is needed.
const COUNTERPARTS: [(&str, &[&str]); 40] = [
    ("access", &["faccessat"]),
    ("alarm", &["setitimer"]),
    // The thread pointer is a register that programs may set.
    ("arch_prctl", &[]),
    ("chmod", &["fchmodat"]),
    ("chown", &["fchownat"]),
    ("creat", &["openat"]),
    ("dup2", &["dup3"]),
    ("epoll_create", &["epoll_create1"]),
    ("epoll_wait", &["epoll_pwait"]),
    ("eventfd", &["eventfd2"]),
    ("fork", &["clone"]),
    ("futimesat", &["utimensat"]),
    ("get_thread_area", &[]),
    ("getdents", &["getdents64"]),
    ("getpgrp", &["getpgid"]),
    ("inotify_init", &["inotify_init1"]),
    ("ioperm", &[]),
    ("iopl", &[]),
    ("lchown", &["fchownat"]),
    ("link", &["linkat"]),
    ("lstat", &["newfstatat"]),
    ("mkdir", &["mkdirat"]),
    ("mknod", &["mknodat"]),
    ("modify_ldt", &[]),
    ("open", &["openat"]),
    ("pause", &["ppoll"]),
    ("pipe", &["pipe2"]),
    ("poll", &["ppoll"]),
    ("readlink", &["readlinkat"]),
    ("rename", &["renameat"]),
    ("rmdir", &["unlinkat"]),
    ("select", &["pselect6"]),
    ("signalfd", &["signalfd4"]),
    ("stat", &["newfstatat"]),
    ("symlink", &["symlinkat"]),
    ("time", &["gettimeofday"]),
    ("unlink", &["unlinkat"]),
    ("utime", &["utimensat"]),
    ("utimes", &["utimensat"]),
    ("vfork", &["clone"]),
];

fn table() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from(COUNTERPARTS)
}

/// Whatever arm64 lacks has its counterpart in the profile already: a program that is moved there loses nothing.
#[test]
fn what_arm64_lacks_is_allowed_by_its_counterpart() {
    let (profile, table) = (Profile::committed().unwrap(), table());
    let lacking: Vec<_> = profile.0.iter().filter(|name| table.contains_key(name.as_str())).collect();
    for known in ["access", "arch_prctl", "epoll_wait", "poll"] {
        assert!(lacking.iter().any(|name| *name == known), "{known} is not in the profile: {lacking:?}");
    }
    for name in lacking {
        for counterpart in table[name.as_str()] {
            assert!(profile.0.contains(*counterpart), "{name} is allowed, and {counterpart} is what arm64 has");
        }
    }
}

#[test]
fn a_counterpart_is_one_that_arm64_has() {
    let table = table();
    assert_eq!(table.len(), COUNTERPARTS.len(), "a name stands twice");
    for counterpart in table.values().copied().flatten() {
        assert!(!table.contains_key(counterpart), "{counterpart} is missing there, too");
    }
}
