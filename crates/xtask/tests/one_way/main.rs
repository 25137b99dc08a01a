//! The one-way rules of `docs/architecture.md`, held against the sources: who knows whom, and no circles.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod sources;

use std::collections::BTreeMap;
use std::path::Path;

use sources::{Package, Source, is_below};

/// The workspace's packages, each with those of the workspace that its code may use. Tests may use more.
const PACKAGES: [(&str, &[&str]); 12] = [
    ("auditor", &["common", "consume", "ledger"]),
    ("common", &[]),
    ("consume", &["common"]),
    ("floor", &["common", "consume", "kafka-consumer", "kafka-producer"]),
    ("fuzz", &["common", "kafka-consumer", "kafka-producer"]),
    ("guard", &["common", "consume", "kafka-consumer", "kafka-producer"]),
    ("kafka-consumer", &["auditor", "common", "consume", "ledger"]),
    ("kafka-producer", &["auditor", "common", "consume", "ledger"]),
    ("launch", &[]),
    ("ledger", &["common"]),
    ("testbed", &[]),
    ("xtask", &["common", "kafka-consumer", "kafka-producer", "testbed"]),
];

/// A package's module, and what nothing in it may name: crates, or modules of the same package.
const MODULES: [(&str, &str, &[&str]); 13] = [
    ("common", "args", &["rdkafka", "axum", "hyper", "prometheus", "crate::kafka", "crate::admin"]),
    ("common", "config", &["rdkafka", "axum", "hyper", "prometheus", "crate::kafka", "crate::admin", "crate::args"]),
    ("common", "connection", &["rdkafka", "axum", "hyper", "prometheus", "crate::kafka", "crate::admin"]),
    ("common", "exit", &["rdkafka", "axum", "hyper", "prometheus", "crate"]),
    ("common", "health", &["rdkafka", "axum", "hyper", "prometheus", "crate::kafka", "crate::admin"]),
    ("common", "shutdown", &["rdkafka", "axum", "hyper", "prometheus", "crate::kafka", "crate::admin"]),
    ("common", "stamp", &["rdkafka", "axum", "hyper", "prometheus", "crate"]),
    ("common", "verdict", &["rdkafka", "axum", "hyper", "prometheus", "crate::kafka", "crate::admin"]),
    ("common", "kafka", &["axum", "hyper", "crate::admin", "crate::life"]),
    ("common", "admin", &["rdkafka", "crate::kafka", "crate::life"]),
    ("common", "telemetry", &["rdkafka", "axum", "hyper", "crate::kafka", "crate::admin", "crate::life"]),
    ("kafka-consumer", "record_log", &["rdkafka", "prometheus", "tokio", "crate"]),
    ("kafka-producer", "source", &["rdkafka", "prometheus", "crate::publish", "crate::config"]),
];

#[test]
fn packages_use_only_what_they_may() {
    for package in sources::packages(&root()) {
        let rule = PACKAGES.iter().find(|(name, _)| *name == package.name);
        let (_, allowed) = rule.unwrap_or_else(|| panic!("which packages may {} use? Say so here", package.name));
        for used in &package.uses {
            let member = PACKAGES.iter().any(|(name, _)| name == used);
            assert!(!member || allowed.contains(&used.as_str()), "{} must not use {used}", package.name);
        }
    }
}

#[test]
fn modules_name_nothing_that_they_must_not_know() {
    let packages: BTreeMap<String, Package> =
        sources::packages(&root()).into_iter().map(|package| (package.name.clone(), package)).collect();
    for (package, module, unknown) in MODULES {
        let package = &packages[package];
        let found: Vec<_> = package.sources.iter().filter(|source| is_below(&source.module, &path(module))).collect();
        assert!(!found.is_empty(), "{} has no module {module} any more: change the rule", package.name);
        let wrong: Vec<String> = found.iter().flat_map(|source| forbidden(source, module, unknown)).collect();
        assert!(wrong.is_empty(), "{}:\n{}", package.name, wrong.join("\n"));
    }
}

#[test]
fn one_module_knows_opentelemetry() {
    let mut knows = 0;
    for package in sources::packages(&root()) {
        for source in &package.sources {
            let named: Vec<_> =
                source.crates.iter().filter(|used| used.starts_with("opentelemetry") || *used == "prost").collect();
            // What sends spans, and what receives them for the tests.
            let is_allowed = match package.name.as_str() {
                "common" => is_below(&source.module, &path("telemetry")),
                "testbed" => is_below(&source.module, &path("otlp")),
                _ => false,
            };
            assert!(named.is_empty() || is_allowed, "{}: {} names {named:?}", package.name, source.module.join("::"));
            knows += named.len();
        }
    }
    assert!(knows > 0, "nobody names it any more: change the rule");
}

#[test]
fn there_are_no_circles_between_modules_side_by_side() {
    let mut circles = Vec::new();
    for package in sources::packages(&root()) {
        circles.extend(
            circles_of(&package.sources)
                .iter()
                .map(|circle| format!("{}: {}\n{}", package.name, circle.modules.join(" and "), circle.why.join("\n"))),
        );
    }
    assert!(circles.is_empty(), "{}", circles.join("\n\n"));
}

/// What a source names although the module it belongs to must not know it. `crate` stands for all that is outside of it.
fn forbidden(source: &Source, module: &str, unknown: &[&str]) -> Vec<String> {
    let outside = |used: &[String]| !is_below(used, &path(module));
    let by_module = source.modules.iter().filter(|used| {
        unknown.iter().any(|unknown| match unknown.strip_prefix("crate") {
            Some("") => outside(used),
            Some(rest) => is_below(used, &path(rest.trim_start_matches("::"))),
            None => false,
        })
    });
    let by_crate = source.crates.iter().filter(|used| unknown.contains(&used.as_str()));
    by_module
        .map(|used| used.join("::"))
        .chain(by_crate.cloned())
        .map(|used| format!("{} names {used}", source.module.join("::")))
        .collect()
}

/// Modules side by side that use each other, with all that lies below them.
struct Circle {
    modules: Vec<String>,
    /// The uses.
    why: Vec<String>,
}

/// A folder's own file and the files in it do not count: it is their face. What lies side by side, anywhere, does.
fn circles_of(sources: &[Source]) -> Vec<Circle> {
    let mut uses: BTreeMap<(Vec<String>, Vec<String>), Vec<String>> = BTreeMap::new();
    for source in sources {
        for used in &source.modules {
            let same = source.module.iter().zip(used).take_while(|(one, other)| one == other).count();
            if same < source.module.len() && same < used.len() {
                let why = format!("  {} uses {}", source.module.join("::"), used.join("::"));
                uses.entry((source.module[..=same].to_vec(), used[..=same].to_vec())).or_default().push(why);
            }
        }
    }
    let mut circles: Vec<Circle> = Vec::new();
    for (from, to) in uses.keys() {
        let Some(mut way) = way(&uses, to, from) else { continue };
        let mut why: Vec<String> = uses[&(from.clone(), to.clone())].clone();
        why.extend(way.windows(2).flat_map(|pair| uses[&(pair[0].clone(), pair[1].clone())].clone()));
        way.sort();
        let modules: Vec<String> = way.iter().map(|module| module.join("::")).collect();
        if !circles.iter().any(|circle| circle.modules == modules) {
            circles.push(Circle { modules, why });
        }
    }
    circles
}

/// The shortest way from one module to another along uses, both included.
fn way<T>(uses: &BTreeMap<(Vec<String>, Vec<String>), T>, from: &[String], to: &[String]) -> Option<Vec<Vec<String>>> {
    let mut ways = vec![vec![from.to_vec()]];
    let mut at = 0;
    while at < ways.len() {
        let here = ways[at].last()?.clone();
        if here == to {
            return Some(ways.swap_remove(at));
        }
        for (_, next) in uses.keys().filter(|(user, _)| *user == here) {
            if !ways.iter().any(|way| way.contains(next)) {
                ways.push([ways[at].clone(), vec![next.clone()]].concat());
            }
        }
        at += 1;
    }
    None
}

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn path(text: &str) -> Vec<String> {
    text.split("::").map(str::to_owned).collect()
}

#[test]
fn a_circle_is_found_and_a_folder_with_its_face_is_none() {
    let files = [
        ("mod.rs", "mod a; mod b; mod c; pub use a::A; use b::B;"),
        ("a.rs", "use super::b::{self, B}; use super::Face;"),
        ("b.rs", "use super::c;"),
        ("c/mod.rs", "mod deep;"),
        ("c/deep.rs", "fn f(_: crate::a::A) {}"),
    ];
    let sources = sources::of(&files);
    let circles = circles_of(&sources);
    assert_eq!(circles.iter().map(|circle| circle.modules.join(" ")).collect::<Vec<_>>(), ["a b c"]);
    assert!(circles[0].why.contains(&"  c::deep uses a".to_owned()), "{:?}", circles[0].why);
    assert!(circles_of(&sources[..4]).is_empty(), "without the file that closes it");
}

#[test]
fn what_must_not_be_known_is_found_in_every_spelling() {
    for text in [
        "use rdkafka::Message;",
        "use {std::fs, rdkafka::{self, Message as M}};",
        "fn f(_: Option<rdkafka::Message>) {}",
        "use crate::kafka;",
        "use crate::{exit::Exit, kafka::topic};",
        "use super::kafka::topic;",
        "fn f() -> crate::kafka::Topic { todo!() }",
    ] {
        let files =
            [("lib.rs", "mod config; mod kafka; mod exit;"), ("config.rs", text), ("kafka.rs", ""), ("exit.rs", "")];
        let sources = sources::of(&files);
        let config = sources.iter().find(|source| source.module == ["config"]).unwrap();
        assert_eq!(forbidden(config, "config", &["rdkafka", "crate::kafka"]).len(), 1, "{text}");
    }
    for text in [
        "// use rdkafka::Message;",
        "/// See [`crate::kafka`].",
        "fn f() -> &'static str { \"use crate::kafka;\" }",
        "use crate::exit::Exit;\n#[cfg(test)]\nmod tests {\n    use rdkafka::Message;\n}",
    ] {
        let sources = sources::of(&[("lib.rs", ""), ("config.rs", text), ("kafka.rs", ""), ("exit.rs", "")]);
        let config = sources.iter().find(|source| source.module == ["config"]).unwrap();
        assert_eq!(forbidden(config, "config", &["rdkafka", "crate::kafka"]), [""; 0], "{text}");
    }
}
