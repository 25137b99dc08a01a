//! What every run may read, whatever its settings: what libc, OpenSSL and the metrics of the process ask for.

use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;

/// With all that is below.
pub(super) const FOLDERS: [&str; 15] = [
    // Names, users, time zone, certificate authorities.
    "/etc",
    // libc loads the modules that nsswitch.conf names, and the unwinder, when they are first needed.
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/share/zoneinfo",
    // Where distributions keep certificate authorities beside /etc, and link to from there.
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/local/share/certs",
    "/usr/local/etc/ssl",
    "/var/lib/ca-certificates",
    "/var/ssl",
    // Where an OpenSSL that is linked in looks for its settings.
    "/usr/local/ssl",
    // Of this process only: the environment of others is none of ours.
    "/proc/self",
    "/sys/fs/cgroup",
];

/// Single files.
pub(super) const FILES: [&str; 7] = [
    // When the machine started, for the metric of when the process did.
    "/proc/stat",
    "/proc/sys/kernel/osrelease",
    // libc asks them about memory and processors.
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu/online",
    "/dev/null",
    "/dev/random",
    "/dev/urandom",
];

/// What may be a link to somewhere else, and is read again when it changes: systemd keeps `resolv.conf` in `/run`.
const LINKS: [&str; 11] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/localtime",
    // Where librdkafka and our own requests look for the system's certificate authorities.
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/certs/ca-bundle.crt",
];

/// Variables that name files or folders which OpenSSL reads.
const VARIABLES: [&str; 3] = ["SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF"];

/// What may be elsewhere than it seems. A folder of authorities takes a millisecond or two, so each is here once.
pub(super) fn linked() -> BTreeSet<PathBuf> {
    let given = VARIABLES.iter().filter_map(env::var_os).filter(|path| !path.is_empty()).map(PathBuf::from);
    LINKS.iter().map(PathBuf::from).chain(given).filter(|path| path.exists()).collect()
}
