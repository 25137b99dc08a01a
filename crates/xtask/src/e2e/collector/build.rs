//! Builds the servers from their Go modules, once for each state of what they are built from: `crates/xtask/tools` has a folder for
//! each, whose `go.sum` pins every module by its hash.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::manifests::tools::{once, output};
use crate::programs;
use crate::terminal::Step;

/// Where the built servers are.
pub struct Built {
    /// The Collector, with the components of `builder.yaml`.
    pub collector: PathBuf,
    /// VictoriaLogs.
    pub victorialogs: PathBuf,
    /// Jaeger, all in one process. Its page is not part of its Go module.
    pub jaeger: PathBuf,
}

impl Built {
    /// Builds what is missing: a quarter of an hour of CPU at the first time.
    pub fn get() -> Result<Self> {
        let jaeger = "github.com/jaegertracing/jaeger/cmd/all-in-one";
        let victorialogs = "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs";
        Ok(Self {
            victorialogs: tool("victorialogs", victorialogs)?,
            collector: collector("otelcol", "builder")?,
            jaeger: tool("jaeger", jaeger)?,
        })
    }
}

/// The folder of the sources of one of them.
fn sources(name: &str) -> Result<PathBuf> {
    let folder = programs::root().join("crates/xtask/tools").join(name);
    folder.canonicalize().with_context(|| format!("{} is missing", folder.display()))
}

/// The folder of what is built.
fn target(name: &str) -> Result<PathBuf> {
    Ok(programs::target()?.join("collector").join(name))
}

/// Go in a folder, with everything pinned and no C.
fn go(folder: &Path) -> Command {
    let mut go = Command::new("go");
    go.current_dir(folder).env("CGO_ENABLED", "0").env("GOWORK", "off");
    go
}

/// A program whose module the folder's `go.mod` names as a tool.
fn tool(name: &str, package: &str) -> Result<PathBuf> {
    let (sources, folder) = (sources(name)?, target(name)?);
    let program = folder.join(name);
    let step = Step::begin(format!("building {name}"));
    once(&folder, &fs::read_to_string(sources.join("go.sum"))?, |_| {
        let flags = ["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o"];
        output(go(&sources).args(flags).arg(&program).arg(package)).map(drop)
    })?;
    step.end();
    Ok(program)
}

/// A Collector: the builder, which is of the same release, writes its sources; the folder's `go.mod` and `go.sum` say which modules they are built with.
pub fn collector(name: &str, builder: &str) -> Result<PathBuf> {
    let (sources, folder) = (sources(name)?, target(name)?);
    let program = folder.join(name);
    let builder = tool(builder, "go.opentelemetry.io/collector/cmd/builder")?;
    let step = Step::begin(format!("building the Collector {name}"));
    let read = |file: &str| fs::read_to_string(sources.join(file)).with_context(|| format!("{name}: no {file}"));
    let (manifest, sums) = (read("builder.yaml")?, read("go.sum")?);
    once(&folder, &format!("{manifest}{sums}"), |folder| {
        let generated = folder.join("sources");
        let placed = manifest.replacen("dist:", &format!("dist:\n  output_path: {}", generated.display()), 1);
        fs::write(folder.join("builder.yaml"), placed)?;
        // It writes sources and a go.mod of its own, and looks nothing up.
        let flags = ["--skip-get-modules", "--skip-compilation", "--skip-strict-versioning", "--config"];
        output(Command::new(builder).args(flags).arg(folder.join("builder.yaml")))?;
        for file in ["go.mod", "go.sum"] {
            fs::copy(sources.join(file), generated.join(file))?;
        }
        let flags = ["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o"];
        output(go(&generated).args(flags).arg(&program).arg(".")).map(drop)
    })?;
    step.end();
    Ok(program)
}
