//! Small file systems of the suite's own: a broker's disk, and a place for records that gets full.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::fs::{FallocateFlags, fallocate};
use tempfile::TempDir;
use testbed::process::Program;

use super::namespace;

const COMMAND: Duration = Duration::from_secs(30);
/// For all topics of a run.
const DISK: u64 = 2 << 30;
const BLOCK: u64 = 1024;

/// A mounted file system. Dropped, it is unmounted.
pub struct Disk {
    folder: TempDir,
    mount: PathBuf,
    /// What is on it.
    pub kind: &'static str,
}

impl Disk {
    /// A loop device with ext4, or where that is not allowed a file system in memory.
    pub fn device() -> Result<Self> {
        let folder = TempDir::with_prefix("disk-")?;
        let (mount, image) = (folder.path().join("mount"), folder.path().join("image"));
        fs::create_dir(&mount)?;
        File::create(&image)?.set_len(DISK)?;
        run("mkfs.ext4", &["-q", "-F", "-m", "0", &image.display().to_string()])?;
        let looped = run("mount", &["-o", "loop", &image.display().to_string(), &mount.display().to_string()]);
        if looped.is_ok() {
            return Ok(Self { folder, mount, kind: "loop device" });
        }
        fs::remove_file(&image)?;
        Self::in_memory_at(folder, mount, DISK)
    }

    /// A file system in memory of so many bytes.
    pub fn in_memory(bytes: u64) -> Result<Self> {
        let folder = TempDir::with_prefix("disk-")?;
        let mount = folder.path().join("mount");
        fs::create_dir(&mount)?;
        Self::in_memory_at(folder, mount, bytes)
    }

    fn in_memory_at(folder: TempDir, mount: PathBuf, bytes: u64) -> Result<Self> {
        ensure!(namespace::is_inside(), "a full disk needs the right to mount one: run as root");
        run("mount", &["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs", &mount.display().to_string()])?;
        Ok(Self { folder, mount, kind: "file system in memory" })
    }

    /// Where files go.
    pub fn path(&self) -> &Path {
        &self.mount
    }

    /// Takes all the room that is left, until [`Disk::make_room`].
    pub fn fill(&self) -> Result<()> {
        let ballast = File::create(self.ballast())?;
        let (mut length, mut step) = (0, DISK);
        // Until there is not room for one block; a broker writes meanwhile.
        while step >= BLOCK {
            match fallocate(&ballast, FallocateFlags::empty(), length, step) {
                Ok(()) => length += step,
                Err(_) => step /= 2,
            }
        }
        Ok(())
    }

    /// Gives the room back.
    pub fn make_room(&self) -> Result<()> {
        fs::remove_file(self.ballast()).context("the disk was not full")
    }

    fn ballast(&self) -> PathBuf {
        self.mount.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = run("umount", &["--lazy", &self.mount.display().to_string()]);
        let _ = fs::remove_dir(self.folder.path().join("mount"));
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    Program::new(program).args(arguments).run(COMMAND)?.expect_code(0)?;
    Ok(())
}
