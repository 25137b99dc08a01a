//! What `strace -f -yy -o FILE` writes, read as events: calls that were interrupted put together, and who runs what.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use super::event::{Event, File, Peer, Program};

/// The calls to trace: what the rules look at, and what tells who runs what.
pub const CALLS: [&str; 15] = [
    "execve",
    "execveat",
    "open",
    "openat",
    "openat2",
    "creat",
    "connect",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "memfd_create",
    "clone",
    "clone3",
    "fork",
    "vfork",
];

/// What is called otherwise in a container than where it was traced.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Paths, and what they are in the container.
    pub paths: BTreeMap<String, String>,
    /// Ports, and what they are there.
    pub ports: BTreeMap<u16, u16>,
}

/// What is known of a process.
#[derive(Clone, Debug, Default)]
struct State {
    program: Program,
    /// The descriptors of memory without a name.
    memory: BTreeSet<i64>,
}

/// The reader: what is known of each process so far.
#[derive(Debug)]
pub struct Reader<'a> {
    view: &'a View,
    states: BTreeMap<u32, State>,
    unfinished: BTreeMap<u32, String>,
    /// What a process runs of which nothing is known.
    first: State,
}

impl<'a> Reader<'a> {
    /// For a trace in which a process runs `program` until it starts another.
    pub fn new(view: &'a View, program: &str) -> Self {
        let program = Program { path: program.to_owned(), is_from_memory: false };
        let first = State { program, memory: BTreeSet::new() };
        Self { view, states: BTreeMap::new(), unfinished: BTreeMap::new(), first }
    }

    /// All events of a trace.
    pub fn events(mut self, trace: &str) -> Result<Vec<Event>> {
        let events = trace.lines().filter_map(|line| {
            let event = self.line(line).with_context(|| format!("strace wrote {line:?}"));
            event.transpose()
        });
        events.collect()
    }

    /// The event of a line, `PID CALL(...) = RESULT`.
    fn line(&mut self, line: &str) -> Result<Option<Event>> {
        let (process, rest) = line.trim_start().split_once(' ').context("no process")?;
        let process = process.parse().context("no process")?;
        let mut rest = rest.trim_start().to_owned();
        if rest.starts_with("+++") || rest.starts_with("---") {
            return Ok(None);
        }
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            // A new process is seen before the call that made it returns.
            self.unfinished.insert(process, begun.to_owned());
            return Ok(None);
        }
        if let Some((_, end)) = rest.strip_prefix("<... ").and_then(|resumed| resumed.split_once(" resumed>")) {
            let begun = self.unfinished.remove(&process).context("resumed, and never begun")?;
            rest = format!("{begun}{end}");
        }
        let (call, rest) = rest.split_once('(').context("no call")?;
        let (arguments, result) = rest.rsplit_once(" = ").context("no result")?;
        let arguments = arguments.trim_end().strip_suffix(')').context("no end of the arguments")?;
        let (result, error) = outcome(result);
        self.call(process, call, arguments, result, error, line)
    }

    fn call(
        &mut self,
        process: u32,
        call: &str,
        arguments: &str,
        result: Option<i64>,
        error: Option<String>,
        line: &str,
    ) -> Result<Option<Event>> {
        let Some(result) = result else { return Ok(None) };
        let mut state = self.states.get(&process).cloned().unwrap_or_else(|| self.parent_of(process));
        let mut event = Event { call: call.to_owned(), result, error, line: line.to_owned(), ..Event::default() };
        match call {
            "clone" | "clone3" | "fork" | "vfork" => {
                if let Ok(child) = u32::try_from(result) {
                    self.states.entry(child).or_insert_with(|| state.clone());
                }
                self.states.insert(process, state);
                return Ok(None);
            }
            "memfd_create" => {
                state.memory.insert(result);
                self.states.insert(process, state);
                return Ok(None);
            }
            "execve" | "execveat" if result == 0 => {
                let path = path(arguments)?;
                let descriptor = path.strip_prefix("/proc/self/fd/").and_then(|number| number.parse().ok());
                state.program.is_from_memory = path.starts_with("/memfd:")
                    || descriptor.is_some_and(|descriptor| state.memory.contains(&descriptor));
                state.program.path = self.seen(path);
                state.memory.clear();
            }
            "open" | "openat" | "openat2" | "creat" => {
                let (reads, writes) = access(call, arguments);
                event.file = Some(File { path: self.seen(path(arguments)?), reads, writes });
            }
            "connect" => event.peer = self.peer(arguments)?,
            _ => {}
        }
        event.program = state.program.clone();
        self.states.insert(process, state);
        Ok(Some(event))
    }

    /// What a process runs that was not seen to start: what the one does that is about to make one.
    fn parent_of(&self, _child: u32) -> State {
        let making = |(process, call): (&u32, &String)| {
            let makes = ["clone", "fork", "vfork"].iter().any(|name| call.starts_with(name));
            makes.then(|| self.states.get(process).cloned()).flatten()
        };
        self.unfinished.iter().find_map(making).unwrap_or_else(|| self.first.clone())
    }

    fn seen(&self, path: String) -> String {
        self.view.paths.get(&path).cloned().unwrap_or(path)
    }

    /// The other end of a connection by IP; `None` for another kind.
    fn peer(&self, arguments: &str) -> Result<Option<Peer>> {
        let (family, address) = if arguments.contains("sa_family=AF_INET6") {
            (6, between(arguments, "inet_pton(AF_INET6, \"", "\""))
        } else if arguments.contains("sa_family=AF_INET,") {
            (4, between(arguments, "inet_addr(\"", "\""))
        } else {
            return Ok(None);
        };
        let port = between(arguments, "port=htons(", ")").context("no port")?.parse().context("no port")?;
        let port = self.view.ports.get(&port).copied().unwrap_or(port);
        let tcp = arguments.split('[').next().is_some_and(|socket| socket.contains("<TCP"));
        Ok(Some(Peer { family, tcp, address: address.context("no address")?.to_owned(), port }))
    }
}

/// `3</etc/passwd>`, `-1 ENOENT (No such file or directory)`, `?`.
fn outcome(text: &str) -> (Option<i64>, Option<String>) {
    let text = text.trim();
    let end = text.find(|letter: char| !(letter.is_ascii_digit() || letter == '-')).unwrap_or(text.len());
    let result: Option<i64> = text[..end].parse().ok();
    let error = text[end..].split_whitespace().next().filter(|_| result.is_some_and(|result| result < 0));
    (result, error.map(str::to_owned))
}

/// What a file is opened for.
fn access(call: &str, arguments: &str) -> (bool, bool) {
    if call == "creat" {
        return (false, true);
    }
    let flags: Vec<&str> = arguments.split(|letter: char| !(letter.is_ascii_uppercase() || letter == '_')).collect();
    let has = |flag: &str| flags.contains(&flag);
    (has("O_RDONLY") || has("O_RDWR"), has("O_WRONLY") || has("O_RDWR"))
}

/// The path that a call names, from the root, as Falco says it: links are left alone, `.` and `..` are not.
fn path(arguments: &str) -> Result<String> {
    let (before, rest) = arguments.split_once('"').context("no path")?;
    let mut named = String::new();
    let mut letters = rest.chars();
    loop {
        match letters.next().context("a path without an end")? {
            '"' => break,
            '\\' => named.extend(letters.next()),
            letter => named.push(letter),
        }
    }
    // The folder that it is relative to: `AT_FDCWD</home>`, `3</run>`; with no name at all it is the path.
    let folder = between(before, "<", ">").unwrap_or("/");
    let joined = if named.starts_with('/') { named } else { format!("{folder}/{named}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Ok(format!("/{}", parts.join("/")))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(trace: &str) -> Vec<Event> {
        Reader::new(&View::default(), "/first").events(trace).unwrap()
    }

    #[test]
    fn files_are_named_from_the_root() {
        let trace = "\
7 openat(AT_FDCWD</a/b>, \"../c\\\"d\", O_RDWR|O_CREAT, 0644) = 3</a/c\"d>
7 open(\"/x\", O_RDONLY) = -1 ENOENT (No such file or directory)
7 openat2(5</run>, \"y\", {flags=O_WRONLY, resolve=RESOLVE_BENEATH}, 24) = 6</run/y>
7 creat(\"/z\", 0600) = 4</z>
7 +++ exited with 0 +++
";
        let seen = events(trace);
        let seen = seen.iter().filter_map(|event| event.file.clone()).map(|file| (file.path, file.reads, file.writes));
        let expected = [("/a/c\"d", true, true), ("/x", true, false), ("/run/y", false, true), ("/z", false, true)];
        assert_eq!(seen.collect::<Vec<_>>(), expected.map(|(path, reads, writes)| (path.to_owned(), reads, writes)));
        assert_eq!(events(trace)[1].error.as_deref(), Some("ENOENT"));
    }

    #[test]
    fn a_child_runs_what_its_parent_runs_until_it_starts_another() {
        let trace = "\
7 execve(\"/bin/sh\", [\"sh\"], 0x7f /* 3 vars */) = 0
7 vfork( <unfinished ...>
8 openat(AT_FDCWD</>, \"/one\", O_RDONLY) = 3</one>
8 execve(\"/bin/cat\", [\"cat\"], 0x7f /* 3 vars */ <unfinished ...>
7 <... vfork resumed>) = 8
8 <... execve resumed>) = 0
8 openat(AT_FDCWD</>, \"/two\", O_RDONLY) = 3</two>
7 clone3({flags=CLONE_VM}, 88) = 9
9 openat(AT_FDCWD</>, \"/three\", O_RDONLY) = 3</three>
";
        let seen = events(trace);
        let programs: Vec<&str> = seen.iter().map(|event| event.program.path.as_str()).collect();
        assert_eq!(programs, ["/bin/sh", "/bin/sh", "/bin/cat", "/bin/cat", "/bin/sh"]);
    }

    #[test]
    fn a_program_from_memory_is_known_as_one() {
        let trace = "\
7 memfd_create(\"m\", 0) = 3</memfd:m>(deleted)
7 execve(\"/proc/self/fd/3\", [], 0x7f /* 3 vars */) = 0
7 execve(\"/proc/self/fd/4\", [], 0x7f /* 3 vars */) = 0
7 execveat(5</memfd:m>(deleted), \"\", [], 0x7f /* 3 vars */, AT_EMPTY_PATH) = 0
";
        let memory: Vec<bool> = events(trace).iter().map(|event| event.program.is_from_memory).collect();
        assert_eq!(memory, [true, false, true]);
    }

    #[test]
    fn connections_are_read_and_translated() {
        let trace = "\
7 connect(4<TCP:[1]>, {sa_family=AF_INET, sin_port=htons(40000), sin_addr=inet_addr(\"127.0.0.1\")}, 16) = 0
7 connect(4<UDPv6:[1]>, {sa_family=AF_INET6, sin6_port=htons(53), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, \"::1\", &sin6_addr), sin6_scope_id=0}, 28) = -1 EINPROGRESS (Operation now in progress)
7 connect(4<UNIX-STREAM:[1]>, {sa_family=AF_UNIX, sun_path=\"/var/run/nscd/socket\"}, 110) = -1 ENOENT (No such file or directory)
";
        let view = View { ports: BTreeMap::from([(40000, 9092)]), ..View::default() };
        let events = Reader::new(&view, "/first").events(trace).unwrap();
        let peers: Vec<_> = events.into_iter().map(|event| event.peer).collect();
        let peer = |family, tcp, address: &str, port| Some(Peer { family, tcp, address: address.to_owned(), port });
        assert_eq!(peers, [peer(4, true, "127.0.0.1", 9092), peer(6, false, "::1", 53), None]);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_an_error() {
        for line in ["7 openat(", "x openat() = 3", "7 <... openat resumed>) = 3", "7 openat(AT_FDCWD) = 3"] {
            Reader::new(&View::default(), "").events(line).unwrap_err();
        }
    }
}
