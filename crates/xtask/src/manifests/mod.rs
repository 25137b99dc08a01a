//! `cargo xtask manifests`: what the YAML files of `infra/` say, against the code, against each other, and against the schemas of
//! those who read them. Writes the lines that are made from other files: the checksums of ConfigMaps.

pub(crate) mod checksum;
mod code;
mod labels;
mod layout;
mod pipelines;
mod policies;
mod proof;
mod references;
pub(crate) mod schemas;
mod security;
pub(crate) mod set;
mod settings;
#[cfg(test)]
mod tests;
pub(crate) mod tools;
pub(crate) mod variations;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;

use crate::programs;
use schemas::{ENDS, KUBERNETES, Schemas};
use set::{Problems, Set};
use tools::Tools;

/// The flags of the task.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail when something is wrong or stale
    #[arg(long)]
    check: bool,
}

/// Writes the checksum, or checks everything. `false` when something is wrong.
pub fn run(args: &Args) -> Result<bool> {
    let root = programs::root();
    if !args.check {
        let written = checksum::write(&root)?;
        println!("{}", if written { "wrote the checksums of the ConfigMaps" } else { "the checksums are up to date" });
        return Ok(true);
    }
    let mut done = Done::default();
    let set = Set::load(&root)?;
    done.of("checksum", checksum::check(&root)?);
    done.of("layout and images", layout::check(&set)?);
    done.of("admission policies", policies::check(&set)?);
    done.of("the files, against the code and each other", rules(&set));
    let tools = Tools::install()?;
    let schemas = Schemas::fetch(&tools)?;
    done.of("the checkers, on files that are wrong", proof::check(&tools, &schemas)?);
    let mut files = Vec::new();
    set::files(&root.join("infra"), &mut files)?;
    let named = |ends: &[&str]| -> Vec<&Path> {
        let path = |path: &&Path| ends.iter().any(|end| path.to_string_lossy().ends_with(end));
        files.iter().map(PathBuf::as_path).filter(path).collect()
    };
    done.of("yamllint", tools.yamllint(&named(&[".yaml", ".yaml.example"]))?);
    done.of("shellcheck", tools.shellcheck(&named(&[".sh"]))?);
    done.of("schemas", schemas.check(&set, &tools, "files", &KUBERNETES)?);
    done.of("compose", schemas::compose(&tools, &root.join("infra/compose/compose.yaml"))?);
    let variations = variations::all(&set, &tools)?;
    for (name, variation) in &variations {
        let mut problems = rules(variation);
        problems.extend(schemas.check(variation, &tools, name, &ENDS)?);
        done.of(&format!("kustomize: {name}"), problems);
    }
    let built = programs::build()?;
    let mut settings = settings::check(&set, &built)?;
    for (_, variation) in &variations {
        settings.extend(settings::of_pods(variation, &built)?);
    }
    done.of("the programs' settings", settings);
    Ok(done.well)
}

/// What needs nothing but the files.
fn rules(set: &Set) -> Problems {
    [code::check(set), labels::check(set), pipelines::check(set), references::check(set), security::check(set)].concat()
}

/// Says how each check went.
pub(crate) struct Done {
    /// Whether all of them did.
    pub(crate) well: bool,
    since: Instant,
}

impl Default for Done {
    fn default() -> Self {
        Self { well: true, since: Instant::now() }
    }
}

impl Done {
    /// Says how one went.
    pub(crate) fn of(&mut self, check: &str, problems: Problems) {
        let verdict = if problems.is_empty() { "ok".to_owned() } else { format!("{} problems", problems.len()) };
        println!("{check}: {verdict} ({:.1} s)", self.since.elapsed().as_secs_f64());
        for problem in &problems {
            eprintln!("  {problem}");
        }
        self.well &= problems.is_empty();
        self.since = Instant::now();
    }
}
