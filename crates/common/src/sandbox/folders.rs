//! Which folders a file needs that is replaced while the program runs. A rule is about what a path leads to now; a new file in its
//! place is reached only by way of its folder.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

/// Too much to allow for the sake of one file. Homes and the root are found otherwise.
const BROAD: [&str; 30] = [
    "/bin",
    "/boot",
    "/dev",
    "/home",
    "/lib",
    "/lib64",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/run/secrets",
    "/run/user",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/local",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/share",
    "/var",
    "/var/lib",
    "/var/log",
    "/var/run",
    "/var/run/secrets",
    "/var/tmp",
];
/// Links of a folder that are looked at: far more than there are authorities.
const MOST: usize = 4096;

/// The folders in which something may be replaced so that the path leads to another file: its own, those of the links on the way
/// (in Kubernetes `..data`), and that of the file that it leads to.
pub(super) fn around(path: &Path) -> BTreeSet<PathBuf> {
    let of = |path: &Path| path.parent().map(Path::to_owned);
    let mut folders: BTreeSet<PathBuf> = of(path).into_iter().collect();
    let links = path.ancestors().filter(|part| part.is_symlink());
    folders.extend(links.filter_map(of));
    folders.extend(path.canonicalize().ok().and_then(|target| of(&target)));
    folders
}

/// The files that the links in a folder lead to, but for those that are `known`: there may be hundreds of links, and to follow one to its
/// end takes a dozen system calls.
pub(super) fn targets(folder: &Path, known: impl Fn(&Path) -> bool) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(MOST);
    let links = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink())).map(|entry| entry.path());
    let led = links.filter_map(|link| Some((link.read_link().ok()?, link)));
    // Most lead to a neighbour, which has its own turn.
    let away = led.filter(|(target, _)| target.components().count() > 1);
    let unknown = away.filter(|(target, _)| !(target.is_absolute() && known(target) && is_plain(target)));
    unknown.filter_map(|(_, link)| link.canonicalize().ok()).filter(|target| target.is_file()).collect()
}

/// Whether a path leads nowhere else by its last part or by going up.
fn is_plain(path: &Path) -> bool {
    !path.components().any(|part| part == Component::ParentDir) && !path.is_symlink()
}

/// Whether a folder is one of few files, and not the root, a home or a common one.
pub(super) fn is_narrow(folder: &Path) -> bool {
    let home = env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    is_narrow_for(folder, home.as_deref())
        && folder.canonicalize().is_ok_and(|real| is_narrow_for(&real, home.as_deref()))
}

fn is_narrow_for(folder: &Path, home: Option<&Path>) -> bool {
    let is_root = folder.parent().is_none();
    let is_home = folder.parent().is_some_and(|parent| parent.file_name() == Some(OsStr::new("home")));
    // A home's parents hold the home.
    let holds_home = home.is_some_and(|home| home.starts_with(folder));
    !(is_root || is_home || holds_home || BROAD.iter().any(|broad| folder == Path::new(broad)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_and_common_folders_are_too_much() {
        let home = Some(Path::new("/data/users/alice"));
        for broad in
            ["/", "/root", "/home", "/home/bob", "/data", "/data/users", "/data/users/alice", "/var/run", "/tmp"]
        {
            assert!(!is_narrow_for(Path::new(broad), home), "{broad}");
        }
        for narrow in ["/certs", "/etc/kafka", "/run/secrets/kafka", "/data/users/alice/certs", "/tmp/x"] {
            assert!(is_narrow_for(Path::new(narrow), home), "{narrow}");
        }
        assert!(is_narrow_for(Path::new("/certs"), None));
    }
}
