//! What a run may read and write, as a plain value. What is not here is out of reach.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{folders, system};

/// What may be read and written: files, and folders with all that is below. Ports are not among them, as none is bound after the
/// admin server's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// May be read, folders listed too.
    pub read: BTreeSet<PathBuf>,
    /// May be written, not created.
    pub write: BTreeSet<PathBuf>,
    /// Files whose folder is too much to allow: they can be read as they are, and not when another file takes their place.
    pub as_they_are: BTreeSet<PathBuf>,
}

impl Rules {
    /// What every run may read: libraries, `/etc`, certificate authorities, what the program and its libraries ask about the process
    /// and the machine.
    pub fn of_every_run() -> Self {
        let mut rules = Self::default();
        rules.read.extend(system::FOLDERS.iter().chain(&system::FILES).map(PathBuf::from));
        // Its symbols make a backtrace readable.
        rules.read.extend(std::env::current_exe());
        for path in system::linked() {
            rules.kept(&path);
        }
        rules
    }

    /// A file that is read soon, and once.
    pub fn once(&mut self, path: &Path) {
        if !path.is_dir() {
            self.read.insert(path.to_owned());
        }
    }

    /// A file, or a folder of files, that is read again and again, and replaced meanwhile: with the folders that takes.
    pub fn kept(&mut self, path: &Path) {
        let Ok(path) = std::path::absolute(path) else { return };
        if path.is_dir() {
            self.folder(&path);
            // As in /etc/ssl/certs: names that are hashes, and links to files elsewhere.
            for target in folders::targets(&path, |target| self.has(target)) {
                self.file(&target);
            }
        } else {
            self.file(&path);
        }
    }

    /// A file that is written at the end, if it is there.
    pub fn written(&mut self, path: &Path) {
        if !path.is_dir() {
            self.write.insert(path.to_owned());
        }
    }

    fn file(&mut self, path: &Path) {
        self.add(path);
        for folder in folders::around(path) {
            if self.has(&folder) {
                continue;
            }
            if folders::is_narrow(&folder) {
                self.read.insert(folder);
            } else if path.parent() == Some(&folder) {
                self.as_they_are.insert(path.to_owned());
            }
        }
    }

    fn folder(&mut self, path: &Path) {
        if self.has(path) || folders::is_narrow(path) {
            self.add(path);
        } else {
            self.as_they_are.insert(path.to_owned());
        }
    }

    /// Adds a path, unless it is within a folder that is allowed. By its name it may be, and yet lead out of it.
    fn add(&mut self, path: &Path) {
        if !self.has(path) || path.canonicalize().is_ok_and(|real| real != path) {
            self.read.insert(path.to_owned());
        }
    }

    /// Whether a path is within a folder that may be read, by its name.
    fn has(&self, path: &Path) -> bool {
        path.ancestors().any(|ancestor| self.read.contains(ancestor))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder as Kubernetes mounts a Secret: links to links.
    fn mounted() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join("tls");
        std::fs::create_dir_all(path.join("..2026_11_27")).unwrap();
        std::fs::write(path.join("..2026_11_27/ca.crt"), "one").unwrap();
        symlink("..2026_11_27", path.join("..data")).unwrap();
        symlink("..data/ca.crt", path.join("ca.crt")).unwrap();
        (folder, path)
    }

    #[test]
    fn a_mounted_secret_takes_its_folder_and_no_more() {
        let (_folder, path) = mounted();
        let mut rules = Rules::default();
        rules.kept(&path.join("ca.crt"));
        assert!(rules.read.contains(&path), "{rules:?}");
        assert!(rules.read.iter().all(|read| read.starts_with(&path)), "{rules:?}");
        assert!(rules.as_they_are.is_empty(), "{rules:?}");
    }

    #[test]
    fn a_file_that_is_read_once_takes_no_folder() {
        let (_folder, path) = mounted();
        let mut rules = Rules::default();
        rules.once(&path.join("ca.crt"));
        rules.once(&path);
        assert_eq!(rules.read, BTreeSet::from([path.join("ca.crt")]));
    }

    #[test]
    fn neither_the_root_nor_a_home_is_allowed_for_the_sake_of_a_file() {
        let mut rules = Rules::default();
        for path in ["/ca.pem", "/root/ca.pem", "/home/alice/ca.pem", "/tmp/ca.pem"] {
            rules.kept(Path::new(path));
        }
        assert_eq!(rules.read, rules.as_they_are, "{rules:?}");
        assert_eq!(rules.read.len(), 4, "{rules:?}");
        rules.kept(Path::new("/"));
        assert!(!rules.read.contains(Path::new("/")), "{rules:?}");
    }

    #[test]
    fn a_folder_of_authorities_takes_what_its_links_lead_to() {
        let (_folder, path) = mounted();
        let authorities = path.parent().unwrap().join("authorities");
        std::fs::create_dir(&authorities).unwrap();
        symlink(path.join("ca.crt"), authorities.join("0123abcd.0")).unwrap();
        let mut rules = Rules::default();
        rules.kept(&authorities);
        assert!(rules.read.contains(&authorities) && rules.read.contains(&path.join("..2026_11_27")), "{rules:?}");
    }

    #[test]
    fn every_run_reads_little() {
        let rules = Rules::of_every_run();
        for broad in ["/", "/proc", "/sys", "/dev", "/usr", "/var", "/run", "/tmp", "/root", "/home"] {
            assert!(!rules.read.contains(Path::new(broad)), "{broad}");
        }
        assert!(rules.write.is_empty());
    }
}
