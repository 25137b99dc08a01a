//! What the versions of the kernel's interface (Landlock's ABI) lack of what is asked for.

/// The newest version that is used. Later ones could deny more, such as the UNIX sockets and the datagrams that look-ups of names need.
pub(super) const NEWEST: u8 = 7;
/// From then on ports are restricted.
pub(super) const PORTS: u8 = 4;

/// What came with a version: the first version that has it, what it is, and the kernel that brought it.
const CAME: [(u8, &str, &str); 4] = [
    (3, "files can be cut short", "Linux 6.2"),
    (4, "ports can be listened on", "Linux 6.7"),
    (5, "devices can be controlled (ioctl)", "Linux 6.10"),
    (6, "signals and abstract sockets reach other processes", "Linux 6.12"),
];

/// What a kernel of this version cannot deny.
pub(super) fn missing(abi: u8) -> Vec<String> {
    let lacks = CAME.iter().filter(|(first, ..)| *first > abi);
    lacks.map(|(_, what, kernel)| format!("{what}, until {kernel}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_lacks_what_came_after_it() {
        assert_eq!(missing(1).len(), CAME.len());
        assert_eq!(missing(3).len(), 3);
        assert_eq!(missing(5), ["signals and abstract sockets reach other processes, until Linux 6.12"]);
        assert_eq!(missing(6), missing(NEWEST));
        assert!(missing(NEWEST).is_empty());
    }
}
