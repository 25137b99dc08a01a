//! The checkers of workflows that others wrote: actionlint, built from its Go module, and zizmor, from PyPI by hash. Installed once
//! into the target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::Problems;
use crate::manifests::tools::{once, output, said};
use crate::programs;

const ACTIONLINT: &str = include_str!("../../tools/actionlint/go.sum");
const ZIZMOR: &str = include_str!("../../tools/zizmor/requirements.txt");

/// A workflow that both have to refuse: an action by its tag, a login in a shell's line, a job that is not there.
const WRONG: &str = "on: pull_request_target\njobs:\n  one:\n    needs: two\n    runs-on: ubuntu-24.04\n    steps:\n      \
    - uses: actions/checkout@v4\n      - run: echo ${{ github.event.pull_request.title }}\n";

/// Where they are.
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Installs what is missing.
    pub fn install(root: &Path) -> Result<Self> {
        let folder = programs::target()?.join("workflows");
        let sources = root.join("crates/xtask/tools");
        once(&folder.join("actionlint"), ACTIONLINT, |folder| {
            let mut build = Command::new("go");
            build
                .args(["build", "-o"])
                .arg(folder.join("actionlint"))
                .arg("github.com/rhysd/actionlint/cmd/actionlint");
            output(build.current_dir(sources.join("actionlint"))).map(drop)
        })?;
        once(&folder.join("zizmor"), ZIZMOR, |folder| {
            output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
            let pip =
                ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"];
            let mut install = Command::new(folder.join("bin/python"));
            install.args(pip).args(["--only-binary=:all:", "-r"]).arg(sources.join("zizmor/requirements.txt"));
            output(&mut install).map(drop)
        })?;
        Ok(Self { folder })
    }

    /// Both must find something in a workflow that is wrong.
    pub fn proof(&self) -> Result<Problems> {
        let folder = tempfile::tempdir()?;
        let workflows = folder.path().join(".github/workflows");
        fs::create_dir_all(&workflows)?;
        fs::write(workflows.join("wrong.yml"), WRONG)?;
        let mut problems = Problems::new();
        let (linted, audited) = (self.actionlint(folder.path())?.concat(), self.zizmor(folder.path())?.concat());
        for (tool, said, found) in [
            ("actionlint", &linted, "two"),
            ("zizmor", &audited, "unpinned-uses"),
            ("zizmor", &audited, "template-injection"),
            ("zizmor", &audited, "dangerous-triggers"),
        ] {
            if !said.contains(found) {
                problems.push(format!("{tool} does not find {found}: {said}"));
            }
        }
        Ok(problems)
    }

    /// Mistakes in the workflows of a folder.
    pub fn actionlint(&self, root: &Path) -> Result<Problems> {
        let mut files: Vec<_> = fs::read_dir(root.join(".github/workflows"))?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()?;
        files.sort();
        said(Command::new(self.folder.join("actionlint/actionlint")).arg("-no-color").args(files).current_dir(root))
    }

    /// Dangers in them, and in dependabot.yml. The strictest persona, nothing from the internet.
    pub fn zizmor(&self, root: &Path) -> Result<Problems> {
        let mut zizmor = Command::new(self.folder.join("zizmor/bin/zizmor"));
        zizmor.args(["--offline", "--persona=pedantic", "--no-progress", "--color=never", ".github"]);
        // Nobody else's configuration.
        zizmor.env_remove("GH_TOKEN").env_remove("GITHUB_TOKEN").current_dir(root);
        said(&mut zizmor)
    }
}
