//! What an image is made of: as little as the program needs, and nothing that helps somebody who breaks in.

use anyhow::{Result, ensure};

use super::image::{File, Image, Kind};
use super::{Bench, Scenario};
use crate::images::{PROGRAMS, STAND_IN, dockerfile, reference};
use crate::programs;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "image-contents",
    claim: "an image holds the bases' files, the program and its licences, without a shell, a package manager or a privileged file",
    run: contents,
}];

/// The bar, in bytes.
const LARGEST: u64 = 45_000_000;
pub(super) const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";
const LICENCES: &str = "usr/share/doc/kafka-clients/THIRD-PARTY.html";
const SHELLS: [&str; 11] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "csh", "fish", "busybox", "toybox", "env"];
const PACKAGE_MANAGERS: [&str; 11] =
    ["apt", "apt-get", "dpkg", "dpkg-deb", "apk", "rpm", "yum", "dnf", "microdnf", "pip", "cargo"];
const INTERPRETERS: [&str; 5] = ["perl", "python3", "ruby", "node", "lua"];

fn contents(bench: &mut Bench) -> Result<String> {
    let mut seen = Vec::new();
    for (program, image) in PROGRAMS.iter().zip(&bench.images) {
        let path = path(program);
        let apart = Image::take_apart(&bench.runtime, image, &path)?;
        let problems = problems(program, &apart);
        ensure!(problems.is_empty(), "{image}:\n  {}", problems.join("\n  "));
        let megabytes = size(&apart) as f64 / 1e6;
        let base = if apart.labels().contains_key(STAND_IN) { ", on a stand-in for its base" } else { "" };
        seen.push(format!("{program} {megabytes:.1} MB with {} crates listed{base}", apart.crates.len()));
    }
    Ok(seen.join(", "))
}

fn path(program: &str) -> String {
    format!("usr/local/bin/kafka-{program}")
}

fn size(image: &Image) -> u64 {
    image.files.iter().map(|file| file.size).sum()
}

/// Everything about an image that is not as it has to be.
fn problems(program: &str, image: &Image) -> Vec<String> {
    let mut problems = Vec::new();
    configuration(program, image, &mut problems);
    files(program, image, &mut problems);
    for section in [".symtab", ".debug_info"] {
        if image.sections.iter().any(|name| name == section) {
            problems.push(format!("the program is not stripped: it has {section}"));
        }
    }
    for name in [format!("kafka-{program}"), "rdkafka".to_owned(), "openssl-sys".to_owned()] {
        if !image.crates.contains(&name) {
            problems.push(format!("the program's list of dependencies does not have {name}"));
        }
    }
    problems
}

/// The base that the Dockerfile pins; empty when it pins none.
fn base(program: &str) -> String {
    let dockerfile = dockerfile(&programs::root(), program);
    dockerfile.and_then(|text| reference::last(&text)).map(|base| base.whole).unwrap_or_default()
}

fn configuration(program: &str, image: &Image, problems: &mut Vec<String>) {
    let name = format!("/{}", path(program));
    let mut expect = |what: &str, found: &[&str], wanted: &[&str]| {
        if found != wanted {
            problems.push(format!("{what} is {found:?} and not {wanted:?}"));
        }
    };
    expect("the user", &[image.text("/Config/User")], &["65532:65532"]);
    expect("the entry point", &image.list("/Config/Entrypoint"), &[&name]);
    expect("the command", &image.list("/Config/Cmd"), &[]);
    let health: &[&str] = if program == "consumer" { &["CMD", &name, "healthcheck"] } else { &["NONE"] };
    expect("the health check", &image.health_check(), health);
    let exposed = image.config.pointer("/Config/ExposedPorts").and_then(|ports| ports.as_object());
    let exposed: Vec<_> = exposed.into_iter().flatten().map(|(port, _)| port.as_str()).collect();
    expect("what is exposed", &exposed, if program == "consumer" { &["8080/tcp"] } else { &[] });
    let file = format!("SSL_CERT_FILE=/{CERTIFICATES}");
    expect(
        "the certificates' variable",
        &image.list("/Config/Env").into_iter().filter(|set| **set == file).collect::<Vec<_>>(),
        &[&file],
    );
    let variables: &[&str] = match program {
        "consumer" => &["KAFKA_CLIENT_SANDBOX=auto", "KAFKA_CONSUMER_GROUP=kafka-consumer"],
        _ => &["KAFKA_CLIENT_SANDBOX=auto"],
    };
    expect(
        "the program's variables",
        &image.list("/Config/Env").into_iter().filter(|set| set.starts_with("KAFKA_")).collect::<Vec<_>>(),
        variables,
    );
    let labels = image.labels();
    let label = |key: &str| labels.get(format!("org.opencontainers.image.{key}").as_str()).copied().unwrap_or_default();
    expect("the title", &[label("title")], &[&format!("kafka-{program}")]);
    expect("the version", &[label("version")], &[env!("CARGO_PKG_VERSION")]);
    expect("the licence", &[label("licenses")], &["Apache-2.0"]);
    let pinned = base(program);
    match labels.get(STAND_IN) {
        Some(stands_for) => expect("what it stands for", &[stands_for], &[&pinned]),
        None => {
            let (name, digest) = pinned.split_once('@').unwrap_or_default();
            expect("the base", &[label("base.name"), label("base.digest")], &[name, digest]);
        }
    }
    if label("base.name").is_empty() {
        problems.push("the base has no name".to_owned());
    }
    if label("description").is_empty() {
        problems.push("there is no description".to_owned());
    }
}

fn files(program: &str, image: &Image, problems: &mut Vec<String>) {
    let path = path(program);
    for file in &image.files {
        let mut wrong = |what: &str| problems.push(format!("/{} {what}", file.path));
        let name = file.path.rsplit('/').next().unwrap_or_default();
        // A folder may be called so: /etc/dpkg, /var/lib/dpkg.
        let forbidden = [SHELLS.as_slice(), &PACKAGE_MANAGERS, &INTERPRETERS];
        if file.kind != Kind::Folder && forbidden.iter().any(|names| names.contains(&name)) {
            wrong("is a shell, a package manager or an interpreter");
        }
        if file.kind == Kind::Plain && file.mode & 0o6000 != 0 {
            wrong("is setuid or setgid");
        }
        if file.capable {
            wrong("has capabilities");
        }
        if file.kind != Kind::Other && file.mode & 0o002 != 0 && file.mode & 0o1000 == 0 {
            wrong("can be written by everybody");
        }
        if file.owner != (0, 0) && file.kind == Kind::Plain {
            wrong("does not belong to root");
        }
        if file.kind == Kind::Plain && file.path.starts_with("usr/local/") && file.path != path {
            wrong("is not the program");
        }
        for (ours, mode) in [(path.as_str(), 0o555), (LICENCES, 0o444)] {
            if file.path == ours && (file.mode, file.kind) != (mode, Kind::Plain) {
                wrong(&format!("has mode {:o} and not {mode:o}", file.mode));
            }
        }
        if file.path.starts_with("usr/share/doc/kafka-clients/") && file.path != LICENCES {
            wrong("is not the page of licences");
        }
    }
    let has = |path: &str, least: u64| image.files.iter().any(|file: &File| file.path == path && file.size >= least);
    let needed = [(path.as_str(), 1_000_000), (CERTIFICATES, 100_000), (LICENCES, 50_000), ("etc/passwd", 1)];
    for (path, least) in needed {
        if !has(path, least) {
            problems.push(format!("there is no /{path} of at least {least} bytes"));
        }
    }
    if !image.files.iter().any(|file| file.path.starts_with("var/lib/dpkg/status.d/libc6")) {
        problems.push("no package is recorded: scanners would find none".to_owned());
    }
    if size(image) > LARGEST {
        problems.push(format!("it has {} bytes unpacked, {LARGEST} are the limit", size(image)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn file(path: &str, mode: u32, size: u64) -> File {
        File { path: path.to_owned(), mode, size, ..File::default() }
    }

    fn good() -> Image {
        let label = |key: &str, value: &str| (format!("org.opencontainers.image.{key}"), Value::from(value));
        let labels = serde_json::Map::from_iter([
            label("title", "kafka-consumer"),
            label("version", env!("CARGO_PKG_VERSION")),
            label("licenses", "Apache-2.0"),
            label("description", "Logs"),
            label("base.name", base("consumer").split('@').next().unwrap()),
            label("base.digest", base("consumer").split('@').nth(1).unwrap()),
        ]);
        Image {
            config: json!({
                "Config": {
                    "User": "65532:65532",
                    "Entrypoint": ["/usr/local/bin/kafka-consumer"],
                    "Env": [
                        "PATH=/bin", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt", "KAFKA_CLIENT_SANDBOX=auto",
                        "KAFKA_CONSUMER_GROUP=kafka-consumer"
                    ],
                    "ExposedPorts": { "8080/tcp": {} },
                    "Labels": labels,
                },
                "Healthcheck": { "Test": ["CMD", "/usr/local/bin/kafka-consumer", "healthcheck"] },
            }),
            files: vec![
                file("usr/local/bin/kafka-consumer", 0o555, 12_000_000),
                file(CERTIFICATES, 0o644, 200_000),
                file(LICENCES, 0o444, 80_000),
                file("etc/passwd", 0o644, 100),
                file("var/lib/dpkg/status.d/libc6", 0o644, 1000),
                File { kind: Kind::Folder, ..file("tmp", 0o1777, 0) },
                File { kind: Kind::Folder, ..file("etc/dpkg", 0o755, 0) },
                File { kind: Kind::Folder, owner: (65532, 65532), ..file("home/nonroot", 0o700, 0) },
            ],
            sections: vec![".text".into(), ".dep-v0".into()],
            crates: ["kafka-consumer", "rdkafka", "openssl-sys"].map(str::to_owned).into(),
            ..Image::default()
        }
    }

    /// The problems of a good image after one change.
    fn with(change: impl FnOnce(&mut Image)) -> Vec<String> {
        let mut image = good();
        change(&mut image);
        problems("consumer", &image)
    }

    #[test]
    fn a_good_image_has_no_problem() {
        assert_eq!(problems("consumer", &good()), Vec::<String>::new());
    }

    #[test]
    fn each_wrong_setting_is_told() {
        for (pointer, value, told) in [
            ("/Config/User", json!("nonroot"), "the user"),
            ("/Config/User", json!(""), "the user"),
            ("/Config/Entrypoint", json!(["/bin/sh", "-c", "kafka-consumer"]), "the entry point"),
            (
                "/Config/Env",
                json!(["KAFKA_CLIENT_SANDBOX=auto", "KAFKA_CONSUMER_GROUP=kafka-consumer"]),
                "the certificates' variable",
            ),
            (
                "/Config/Env",
                json!(["SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt", "KAFKA_CLIENT_SANDBOX=auto"]),
                "the program's variables",
            ),
            ("/Config/ExposedPorts", json!({}), "what is exposed"),
            ("/Config/Labels/org.opencontainers.image.version", json!("0"), "the version"),
            ("/Config/Labels/org.opencontainers.image.title", json!("x"), "the title"),
            ("/Config/Labels/org.opencontainers.image.licenses", json!("x"), "the licence"),
            ("/Config/Labels/org.opencontainers.image.base.digest", json!("sha256:0"), "the base"),
            ("/Config/Labels/org.opencontainers.image.base.name", json!("debian:13"), "the base"),
            ("/Config/Labels/org.opencontainers.image.description", json!(""), "there is no description"),
            ("/Healthcheck", json!(null), "the health check"),
        ] {
            let found = with(|image| *image.config.pointer_mut(pointer).unwrap() = value);
            assert_eq!(found.len(), 1, "{pointer}: {found:?}");
            assert!(found[0].starts_with(told), "{found:?}");
        }
    }

    #[test]
    fn each_file_too_many_is_told() {
        for (added, told) in [
            (file("bin/sh", 0o755, 1), "is a shell"),
            (File { kind: Kind::Other, ..file("usr/bin/busybox", 0o777, 0) }, "is a shell"),
            (file("usr/bin/dpkg", 0o755, 1), "is a shell"),
            (file("usr/bin/su", 0o4755, 1), "is setuid"),
            (file("usr/bin/wall", 0o2755, 1), "is setuid"),
            (File { capable: true, ..file("usr/bin/ping", 0o755, 1) }, "has capabilities"),
            (file("etc/hosts", 0o666, 1), "can be written by everybody"),
            (File { owner: (65532, 0), ..file("etc/hosts", 0o644, 1) }, "does not belong to root"),
            (file("usr/local/bin/curl", 0o755, 1), "is not the program"),
            (file("usr/share/doc/kafka-clients/x", 0o444, 1), "is not the page of licences"),
            (file("var/big", 0o644, LARGEST), "are the limit"),
        ] {
            let path = added.path.clone();
            let found = with(|image| image.files.push(added));
            assert_eq!(found.len(), 1, "{path}: {found:?}");
            assert!(found[0].contains(told), "{found:?}");
        }
    }

    #[test]
    fn a_program_that_can_be_changed_or_read_by_no_scanner_is_told() {
        for mode in [0o755, 0o4555, 0o775] {
            assert!(with(|image| image.files[0].mode = mode).iter().any(|problem| problem.contains("and not 555")));
        }
        for missing in 0..5 {
            assert_eq!(with(|image| drop(image.files.remove(missing))).len(), 1, "file {missing}");
            if missing < 3 {
                assert_eq!(with(|image| drop(image.crates.remove(missing))).len(), 1, "crate {missing}");
            }
        }
        assert_eq!(with(|image| image.sections.push(".symtab".into())).len(), 1);
        assert!(with(|image| image.files[2].mode = 0o644)[0].contains("has mode 644 and not 444"));
    }
}
