//! Where the programs are put for their activities, and what they get there.

use std::path::PathBuf;

use anyhow::Result;
use testbed::process::{Process, Program};

/// What a program gets: variables, arguments, files of this machine.
#[derive(Clone, Default)]
pub struct Run {
    /// Variables beside those of the image.
    pub envs: Vec<(String, String)>,
    /// What follows the program's name.
    pub args: Vec<String>,
    /// Files and folders of this machine, with where it sees them.
    pub files: Vec<(PathBuf, String)>,
    /// Files of this machine that it may also write, likewise.
    pub writable: Vec<(PathBuf, String)>,
    /// How much memory it may have for data, in bytes.
    pub data: Option<u64>,
}

impl Run {
    /// One more variable. A later one wins.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.envs.retain(|(known, _)| known != name);
        self.envs.push((name.to_owned(), value.into()));
        self
    }

    /// More arguments.
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// One more file or folder, to be read at this place.
    pub fn file(mut self, from: impl Into<PathBuf>, to: &str) -> Self {
        self.files.push((from.into(), to.to_owned()));
        self
    }

    /// One more file, to be written at this place.
    pub fn writable(mut self, from: impl Into<PathBuf>, to: &str) -> Self {
        self.writable.push((from.into(), to.to_owned()));
        self
    }

    /// At most so much memory for data.
    pub fn data(mut self, bytes: u64) -> Self {
        self.data = Some(bytes);
        self
    }
}

/// A program that was started on a stage.
pub trait Actor {
    /// The id of the program's own process, by which it gets signals that nobody passes on.
    fn pid(&self, process: &Process) -> Result<u32>;

    /// Runs its program once more in the same place, with these arguments: the exit code.
    fn beside(&self, args: &[&str]) -> Result<Option<i32>>;
}

/// A way of running what is in the images.
pub trait Stage {
    /// Another program in place of the image's, if `entrypoint` is given. Not started yet.
    fn prepare<'a>(&'a self, image: &str, entrypoint: Option<&str>, run: Run)
    -> Result<(Program, Box<dyn Actor + 'a>)>;

    /// The producer.
    fn producer<'a>(&'a self, run: Run) -> Result<(Program, Box<dyn Actor + 'a>)> {
        self.prepare("producer", None, run)
    }

    /// The consumer.
    fn consumer<'a>(&'a self, run: Run) -> Result<(Program, Box<dyn Actor + 'a>)> {
        self.prepare("consumer", None, run)
    }
}
