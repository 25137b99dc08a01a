//! A command that can be run again and again, and shown in the page as it was run.

use std::path::{Path, PathBuf};

use testbed::apache::Cluster;
use testbed::process::Program;

/// A program with its arguments.
#[derive(Clone)]
pub struct Invocation {
    what: What,
    args: Vec<String>,
    vars: Vec<(String, String)>,
}

#[derive(Clone)]
enum What {
    Path(PathBuf),
    /// A class of Apache Kafka's jars.
    Java(&'static str),
}

/// Java runs long enough here for its better compiler; one thread collects garbage on a small machine.
const JAVA_OPTIONS: [&str; 2] = ["-Xmx512m", "-XX:TieredStopAtLevel=4"];

/// Characters of an argument that are shown: a template can be as long as the value it makes.
const SHOWN: usize = 160;

impl Invocation {
    /// The program at a path.
    pub fn new(path: &Path) -> Self {
        Self { what: What::Path(path.to_owned()), args: Vec::new(), vars: Vec::new() }
    }

    /// One of Apache Kafka's tools.
    pub fn java(class: &'static str) -> Self {
        Self { what: What::Java(class), args: Vec::new(), vars: Vec::new() }
    }

    /// More arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl ToString>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.to_string()));
        self
    }

    /// More arguments, as they would be typed: separated by spaces.
    pub fn line(self, args: &str) -> Self {
        self.args(args.split_whitespace())
    }

    /// A variable of its environment.
    pub fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.vars.push((name.to_owned(), value.to_string()));
        self
    }

    /// Ready to run.
    pub fn program(&self, cluster: &Cluster) -> Program {
        let program = match &self.what {
            What::Path(path) => Program::new(path),
            What::Java(class) => cluster.tool_with(class, &JAVA_OPTIONS),
        };
        program.args(&self.args).envs(self.vars.iter().cloned())
    }

    /// As it would be typed, without folders and the port of the day, and without the end of a long argument.
    pub fn shown(&self, cluster: &Cluster) -> String {
        let name = match &self.what {
            What::Path(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            What::Java(class) => format!("java {} {class}", JAVA_OPTIONS.join(" ")),
        };
        let vars = self.vars.iter().map(|(name, value)| format!("{name}={value}"));
        let args = self.args.iter().map(|arg| {
            let arg = arg.replace(&cluster.bootstrap_servers(), "localhost:9092");
            let arg = if arg.starts_with('/') {
                Path::new(&arg).file_name().unwrap_or_default().to_string_lossy().into_owned()
            } else {
                arg
            };
            let arg = match arg.char_indices().nth(SHOWN) {
                Some((end, _)) => format!("{}...", &arg[..end]),
                None => arg,
            };
            if arg.contains([' ', '"', '{']) { format!("'{arg}'") } else { arg }
        });
        vars.chain([name]).chain(args).collect::<Vec<_>>().join(" ")
    }
}
