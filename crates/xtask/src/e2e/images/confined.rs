//! A stage in containers under a seccomp profile, confined as in the manifests, with a whole core.

use std::path::Path;

use anyhow::{Context, Result};
use testbed::process::{Process, Program};

use super::container::{Container, Root, Runtime};
use crate::e2e::activities::stage::{Actor, Run, Stage};
use crate::images::PROGRAMS;
use crate::images::engine::Engine;

/// What runs the containers, and the images, in the order of [`PROGRAMS`].
pub struct Confined {
    runtime: Runtime,
    images: [String; 2],
}

/// What is started in a container, and its path there.
struct Contained<'a> {
    container: Container<'a>,
    path: String,
}

impl Confined {
    /// Finds out how containers are started here under this profile.
    ///
    /// # Errors
    /// When none starts.
    pub fn new(engine: Engine, images: [String; 2], profile: &Path) -> Result<Self> {
        let profile = profile.canonicalize().with_context(|| format!("no profile {}", profile.display()))?;
        Ok(Self { runtime: Runtime::find(engine, &images[0], Some(&profile))?, images })
    }

    /// With a runtime that was found, and a profile of its own.
    pub(super) fn of(runtime: Runtime, images: [String; 2]) -> Self {
        Self { runtime, images }
    }
}

impl Stage for Confined {
    fn prepare<'a>(&'a self, name: &str, entrypoint: Option<&str>, run: Run) -> Result<(Program, Box<dyn Actor + 'a>)> {
        let number = PROGRAMS.iter().position(|program| *program == name);
        let image = number.and_then(|number| self.images.get(number));
        let image = image.with_context(|| format!("there is no image of {name}"))?;
        let mut container = self.runtime.container(name).cores(1.0).data(run.data);
        for (from, to) in &run.files {
            container = container.mounted(from, to);
        }
        for (from, to) in &run.writable {
            container = container.writable(from, to);
        }
        let variables = run.envs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let program = container.foreground(Root::ReadOnly, entrypoint, variables).arg(image).args(&run.args);
        let path = entrypoint.map_or_else(|| format!("/usr/local/bin/kafka-{name}"), str::to_owned);
        Ok((program, Box::new(Contained { container, path })))
    }
}

impl Actor for Contained<'_> {
    fn pid(&self, _process: &Process) -> Result<u32> {
        self.container.pid()
    }

    fn beside(&self, args: &[&str]) -> Result<Option<i32>> {
        self.container.exec(&[&[self.path.as_str()], args].concat())
    }
}
