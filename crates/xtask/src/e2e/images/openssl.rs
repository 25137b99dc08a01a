//! The OpenSSL of the images: Debian's, as the base image has it, and no other.

use anyhow::{Context, Result, ensure};

use super::container::Root;
use super::image::{Image, Kind};
use super::{Bench, Scenario};
use crate::images::PROGRAMS;
use crate::upkeep::support;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "image-openssl",
    claim: "both programs use the OpenSSL of the base's Debian package, name its version, and no other is in the image",
    run: of_the_base,
}];

/// Debian's package of the two libraries, which scanners know.
const PACKAGE: &str = "libssl3t64";
const LIBRARIES: [&str; 2] = ["libssl.so.3", "libcrypto.so.3"];
/// What else a program may want to be loaded: libc and what the compiler adds. All else is linked in.
const OF_LIBC: [&str; 3] = ["libc.so.6", "libm.so.6", "libgcc_s.so.1"];
/// The loader's name depends on the processor.
const LOADER: &str = "ld-linux";

fn of_the_base(bench: &mut Bench) -> Result<String> {
    let mut seen = Vec::new();
    for (program, image) in PROGRAMS.iter().zip(&bench.images) {
        let apart = Image::take_apart(&bench.runtime, image, &format!("usr/local/bin/kafka-{program}"))?;
        let problems = problems(&apart);
        ensure!(problems.is_empty(), "{image}:\n  {}", problems.join("\n  "));
        let package = &apart.packages[PACKAGE];
        let container = bench.runtime.container("version");
        let (code, said) = container.run(image, Root::ReadOnly, None, &["--version"])?;
        ensure!(code == Some(0), "--version of {image} ended with {code:?}: {said}");
        let version = version(&said).with_context(|| format!("--version of {image} names no OpenSSL: {said}"))?;
        ensure!(
            is_of(version, package),
            "--version of {image} says OpenSSL {version}, the package {PACKAGE} is {package}"
        );
        let branch = support::openssl()?;
        ensure!(
            version.strip_prefix(&branch).is_some_and(|rest| rest.starts_with('.')),
            "{image} has OpenSSL {version}, and security/support.json speaks of {branch}"
        );
        seen.push(format!("{program}: OpenSSL {version} of {PACKAGE} {package}"));
    }
    Ok(seen.join(", "))
}

/// Everything that is not as it has to be.
fn problems(image: &Image) -> Vec<String> {
    let mut problems = Vec::new();
    for library in LIBRARIES.iter().filter(|library| !image.needed.iter().any(|needed| needed == *library)) {
        problems.push(format!("the program does not use {library}: build it with OPENSSL_NO_VENDOR=1"));
    }
    for library in &image.needed {
        let known = LIBRARIES.contains(&library.as_str()) || OF_LIBC.contains(&library.as_str());
        if !known && !library.starts_with(LOADER) {
            problems.push(format!("the program is linked to {library}, which nobody has decided"));
        }
        if !image.files.iter().any(|file| file_name(&file.path) == library) {
            problems.push(format!("the program needs {library}, which is not in the image"));
        }
    }
    problems.extend(image.openssl.iter().map(|version| format!("the program has an OpenSSL linked in: {version}")));
    for file in image.files.iter().filter(|file| file.kind != Kind::Folder) {
        let name = file_name(&file.path);
        let is_openssl = ["libssl", "libcrypto"].iter().any(|library| {
            name.strip_prefix(library).is_some_and(|rest| rest.starts_with(['.', '-'])) && !file.path.contains("/doc/")
        });
        if is_openssl && !LIBRARIES.contains(&name) {
            problems.push(format!("another OpenSSL: /{}", file.path));
        }
    }
    if !image.packages.contains_key(PACKAGE) {
        problems.push(format!("the package {PACKAGE} is not recorded: scanners would not find it"));
    }
    problems
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// The number in a version line: `... sasl_oauthbearer; OpenSSL 3.5.4 30 Sep 2025)`.
fn version(line: &str) -> Option<&str> {
    line.split_once("OpenSSL ")?.1.split([' ', ')']).next()
}

/// Whether a Debian version, such as `3.5.4-1~deb13u1`, is of this upstream version.
fn is_of(version: &str, package: &str) -> bool {
    package.split(['-', '+', '~']).next() == Some(version)
}

#[cfg(test)]
mod tests {
    use super::super::image::File;
    use super::*;

    fn file(path: &str) -> File {
        File { path: path.to_owned(), ..File::default() }
    }

    fn good() -> Image {
        let needed = ["libssl.so.3", "libcrypto.so.3", "libc.so.6", "ld-linux-x86-64.so.2"];
        let mut files: Vec<_> = needed.iter().map(|name| file(&format!("usr/lib/x86_64-linux-gnu/{name}"))).collect();
        files.push(file("var/lib/dpkg/status.d/libssl3t64"));
        Image {
            needed: needed.map(str::to_owned).into(),
            files,
            packages: [(PACKAGE.to_owned(), "3.5.4-1~deb13u1".to_owned())].into(),
            ..Image::default()
        }
    }

    /// The problems of a good image after one change.
    fn with(change: impl FnOnce(&mut Image)) -> Vec<String> {
        let mut image = good();
        change(&mut image);
        problems(&image)
    }

    #[test]
    fn a_good_image_has_no_problem() {
        assert_eq!(problems(&good()), Vec::<String>::new());
    }

    #[test]
    fn an_openssl_of_its_own_is_told() {
        let found = with(|image| image.needed.retain(|library| !LIBRARIES.contains(&library.as_str())));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("OPENSSL_NO_VENDOR"), "{found:?}");
        let found = with(|image| image.openssl.push("OpenSSL 3.6.3 9 Jun 2026".to_owned()));
        assert!(found.len() == 1 && found[0].contains("3.6.3"), "{found:?}");
        for path in ["usr/local/lib/libssl.so.1.1", "opt/libcrypto.a", "opt/libcrypto-1a2b.so"] {
            let found = with(|image| image.files.push(file(path)));
            assert!(found.len() == 1 && found[0].contains(path), "{found:?}");
        }
    }

    #[test]
    fn a_library_that_is_missing_or_that_nobody_knows_is_told() {
        let found = with(|image| drop(image.files.remove(0)));
        assert!(found.len() == 1 && found[0].contains("libssl.so.3, which is not in the image"), "{found:?}");
        let found = with(|image| {
            image.needed.push("libcurl.so.4".to_owned());
            image.files.push(file("usr/lib/libcurl.so.4"));
        });
        assert!(found.len() == 1 && found[0].contains("libcurl.so.4"), "{found:?}");
        assert!(with(|image| image.packages.clear())[0].contains("scanners"));
    }

    #[test]
    fn the_version_in_use_is_compared_with_the_package() {
        let line = "kafka-consumer 1.0.0 (librdkafka 2.12.1: ssl,zstd; OpenSSL 3.5.4 30 Sep 2025)";
        assert_eq!(version(line), Some("3.5.4"));
        assert_eq!(version("kafka-consumer 1.0.0 (librdkafka 2.12.1: ssl)"), None);
        assert!(is_of("3.5.4", "3.5.4-1~deb13u1") && is_of("3.5.4", "3.5.4"));
        assert!(!is_of("3.6.3", "3.5.4-1~deb13u1") && !is_of("3.5", "3.5.4-1"));
    }
}
