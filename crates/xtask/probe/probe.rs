//! Started in a container in place of an image's program: makes the system calls that it is told to, or panics. Compiled by `rustc`
//! when it is needed, and in no image.

use std::{env, process, ptr, thread};

unsafe extern "C" {
    fn syscall(number: i64, ...) -> i64;
}

/// A call by its name, its number, and arguments with which it does no harm where it is allowed. x86-64.
const CALLS: [(&str, i64, [i64; 5]); 12] = [
    // CLONE_NEWUTS, and a user namespace, which needs no rights.
    ("unshare", 272, [0x0400_0000, 0, 0, 0, 0]),
    ("unshare-user", 272, [0x1000_0000, 0, 0, 0, 0]),
    ("setns", 308, [0, 0, 0, 0, 0]),
    ("mount", 165, [0, 0, 0, 0, 0]),
    ("umount2", 166, [0, 0, 0, 0, 0]),
    // PTRACE_TRACEME.
    ("ptrace", 101, [0, 0, 0, 0, 0]),
    ("process_vm_readv", 310, [0, 0, 0, 0, 0]),
    // BPF_PROG_LOAD with an attribute of no length.
    ("bpf", 321, [5, 0, 0, 0, 0]),
    // KEYCTL_GET_KEYRING_ID of the session's keyring.
    ("keyctl", 250, [0, -3, 0, 0, 0]),
    ("userfaultfd", 323, [0, 0, 0, 0, 0]),
    ("io_uring_setup", 425, [0, 0, 0, 0, 0]),
    // A clone_args of no length: the kernel that looks at it says EINVAL.
    ("clone3", 435, [0, 0, 0, 0, 0]),
];

/// CLONE_NEWUSER | SIGCHLD: the child would be in a user namespace of its own.
const CLONE: (i64, i64) = (56, 0x1000_0000 | 17);

fn main() {
    match env::args().nth(1).as_deref() {
        Some("calls") => {
            for (name, number, [a, b, c, d, e]) in CALLS {
                // SAFETY: none of them writes to memory of this process.
                answer(name, unsafe { syscall(number, a, b, c, d, e) });
            }
            // SAFETY: a child without a stack of its own goes on here as after a fork, and ends at once.
            let child =
                unsafe { syscall(CLONE.0, CLONE.1, ptr::null::<u8>(), ptr::null::<u8>(), ptr::null::<u8>(), 0_i64) };
            if child == 0 {
                process::exit(0);
            }
            answer("clone-user", child);
            // What has to work.
            let thread = thread::spawn(|| ()).join();
            println!("thread {}", if thread.is_ok() { 0 } else { -1 });
        }
        Some("panic") => {
            let _ = thread::spawn(|| panic!("in a thread")).join();
            panic!("in main");
        }
        Some("abort") => process::abort(),
        other => {
            eprintln!("calls, panic or abort, and not {other:?}");
            process::exit(2);
        }
    }
}

/// `name 0` for a call that worked, else `name` with the number of the error.
fn answer(name: &str, returned: i64) {
    let error = std::io::Error::last_os_error().raw_os_error().unwrap_or_default();
    println!("{name} {}", if returned < 0 { error } else { 0 });
}
