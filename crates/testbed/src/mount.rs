//! A folder of files that are replaced all at once, as Kubernetes mounts a Secret: `file` is a link to `..data/file`, and `..data` one
//! to the folder of the version.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Result;
use tempfile::TempDir;

/// A mounted Secret; dropped, it is gone.
pub struct Mount {
    /// The one below it is the mount: the rights of a program reach to the folder of a file, and not to where others are.
    folder: TempDir,
    version: u32,
}

impl Mount {
    /// Mounts these files, by name and content.
    pub fn new<C: AsRef<[u8]>>(files: &[(&str, C)]) -> Result<Self> {
        let mut mount = Self { folder: tempfile::tempdir()?, version: 0 };
        fs::create_dir(mount.root())?;
        mount.replace(files)?;
        for (name, _) in files {
            symlink(Path::new("..data").join(name), mount.path(name))?;
        }
        Ok(mount)
    }

    /// Where a file is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Replaces all files at once, and removes the version before, as the kubelet does. A file that is left out is gone.
    pub fn replace<C: AsRef<[u8]>>(&mut self, files: &[(&str, C)]) -> Result<()> {
        let (root, before) = (self.root(), self.version);
        self.version += 1;
        let version = format!("..{}", self.version);
        fs::create_dir(root.join(&version))?;
        for (name, content) in files {
            fs::write(root.join(&version).join(name), content)?;
        }
        symlink(version, root.join("..data_tmp"))?;
        fs::rename(root.join("..data_tmp"), root.join("..data"))?;
        if before > 0 {
            fs::remove_dir_all(root.join(format!("..{before}")))?;
        }
        Ok(())
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("mount")
    }
}
