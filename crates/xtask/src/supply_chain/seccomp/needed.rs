//! Calls that no trace on one machine can show, each with the reason why it is allowed all the same; and one that a trace shows and
//! that is not allowed.

use std::collections::BTreeSet;

/// Calls, and why they are allowed.
pub struct Group {
    /// Who needs them, and when.
    pub why: &'static str,
    /// Their names.
    pub calls: &'static [&'static str],
}

/// All of them. What a trace has shown stands here only where the next trace may not show it.
pub const GROUPS: [Group; 10] = [
    Group {
        why: "runc 1.1 to 1.5 and containerd's shim: between the filter and the program runc opens the start FIFO by /proc/self/fd, \
              writes to it, lists its descriptors and closes them or marks them (`fstatfs`: whether that is procfs)",
        calls: &["openat", "fstatfs", "getdents64", "write", "close", "fcntl", "getpid", "gettid", "execve", "lseek"],
    },
    Group {
        why: "runc from 1.2 on: the same by handles in /proc/thread-self. `openat2` itself, `fsopen` and `open_tree` may be missing",
        calls: &["newfstatat", "readlinkat", "statx", "dup3", "close_range"],
    },
    Group {
        why: "crun, podman's default: it closes descriptors and sets the process's name after the filter",
        calls: &["close_range", "prctl", "exit_group"],
    },
    Group {
        why: "Go's own threads inside runc, which go on until the program replaces them: scheduling, memory, preemption by a signal",
        calls: &[
            "clone",
            "epoll_create1",
            "epoll_ctl",
            "epoll_pwait",
            "eventfd2",
            "futex",
            "madvise",
            "mmap",
            "munmap",
            "nanosleep",
            "read",
            "rt_sigaction",
            "rt_sigprocmask",
            "rt_sigreturn",
            "sched_getaffinity",
            "sched_yield",
            "sigaltstack",
            "tgkill",
        ],
    },
    Group {
        why: "the kernel's own way to go on with a wait after SIGSTOP and SIGCONT; without it the program dies by SIGSEGV",
        calls: &["restart_syscall"],
    },
    Group {
        why: "the clock, where the kernel cannot read it in user space: on virtual machines whose clock source is hpet or acpi_pm",
        calls: &["clock_gettime", "clock_getres", "gettimeofday", "time", "getcpu"],
    },
    Group {
        why: "the program confines itself: Landlock, and `prctl` for `no_new_privs`, without which it is refused",
        calls: &["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "prctl"],
    },
    Group {
        why: "threads and memory of glibc under contention or pressure, which a short trace may not meet",
        calls: &[
            "brk",
            "futex",
            "get_robust_list",
            "gettid",
            "madvise",
            "membarrier",
            "mprotect",
            "mremap",
            "rseq",
            "sched_yield",
            "set_robust_list",
            "tgkill",
            "clock_nanosleep",
            "nanosleep",
            "exit",
        ],
    },
    Group {
        why: "glibc's look-up of names: both questions in one call, a netlink socket to sort addresses, TCP for long answers",
        calls: &[
            "bind",
            "connect",
            "getpeername",
            "getsockname",
            "getsockopt",
            "ioctl",
            "poll",
            "recvfrom",
            "recvmsg",
            "sendmmsg",
            "sendmsg",
            "sendto",
            "setsockopt",
            "socket",
            "uname",
            "writev",
        ],
    },
    Group {
        why: "OpenSSL and Rust's library where an older kernel lacks the newer call: random numbers from /dev/urandom, `statx`, \
              `pipe2`, `accept4`",
        calls: &[
            "getrandom",
            "select",
            "pselect6",
            "ppoll",
            "poll",
            "fstat",
            "newfstatat",
            "stat",
            "lstat",
            "access",
            "faccessat",
            "faccessat2",
            "readlink",
            "pread64",
            "getcwd",
            "accept4",
            "pipe2",
            "getuid",
            "geteuid",
            "getgid",
            "getegid",
            "sysinfo",
        ],
    },
];

/// A call that is not allowed although the programs make it, the one that they make then, and why.
pub const REFUSED: (&str, &str, &str) = (
    "clone3",
    "clone",
    "its flags are in memory, where no filter sees them: it could make a user namespace. glibc takes ENOSYS for an old kernel",
);

/// What nobody who has broken into a program may do. None of them may ever be in the profile.
pub const FORBIDDEN: [&str; 42] = [
    "acct",
    "add_key",
    "bpf",
    "chroot",
    "clone3",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "mknod",
    "mknodat",
    "mount",
    "mount_setattr",
    "move_mount",
    "name_to_handle_at",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "personality",
    "pivot_root",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "request_key",
    "setns",
    "umount2",
    "unshare",
    "userfaultfd",
    "vmsplice",
];

/// All names of [`GROUPS`].
pub fn names() -> BTreeSet<String> {
    GROUPS.iter().flat_map(|group| group.calls).map(|name| (*name).to_owned()).collect()
}

/// Why a call is allowed that no trace has to show.
pub fn why(name: &str) -> Option<&'static str> {
    GROUPS.iter().find(|group| group.calls.contains(&name)).map(|group| group.why)
}

/// What a program asks for, as a profile sees it: a refused call is the one that follows it.
pub fn as_allowed(mut calls: BTreeSet<String>) -> BTreeSet<String> {
    let (refused, instead, _) = REFUSED;
    if calls.remove(refused) {
        calls.insert(instead.to_owned());
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::super::profile::Profile;
    use super::*;

    #[test]
    fn the_committed_profile_has_what_is_needed_and_nothing_that_is_forbidden() {
        let profile = Profile::committed().unwrap();
        assert_eq!(profile.missing(&names()), Vec::<&str>::new());
        for name in FORBIDDEN {
            assert!(!profile.0.contains(name), "{name} is allowed");
            assert!(!names().contains(name), "{name} is needed and forbidden");
        }
    }

    #[test]
    fn a_refused_call_is_the_one_that_follows_it() {
        let calls = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(as_allowed(calls(&["clone3", "read"])), calls(&["clone", "read"]));
        assert_eq!(as_allowed(calls(&["read"])), calls(&["read"]));
    }
}
