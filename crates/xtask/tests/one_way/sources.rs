//! What the sources of the workspace name: by reading `use` declarations and paths, without a compiler.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A package of the workspace.
pub struct Package {
    pub name: String,
    /// Its dependencies, without those of its tests.
    pub uses: Vec<String>,
    pub sources: Vec<Source>,
}

/// A file, without its tests.
pub struct Source {
    /// Its path of modules; none for the root.
    pub module: Vec<String>,
    /// Modules of its package that it names.
    pub modules: Vec<Vec<String>>,
    /// First names of all other paths, crates among them.
    pub crates: BTreeSet<String>,
}

/// Whether a path of modules leads to one or to what lies below it.
pub fn is_below(module: &[String], of: &[String]) -> bool {
    module.starts_with(of)
}

/// All packages of the workspace.
pub fn packages(root: &Path) -> Vec<Package> {
    let folders = [root.to_owned(), root.join("crates")];
    let folders = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let packages: Vec<Package> =
        folders.filter(|folder| folder.join("Cargo.toml").exists()).map(|folder| package(&folder)).collect();
    assert!(packages.len() >= 5, "the packages are not where they were");
    packages
}

fn package(folder: &Path) -> Package {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = ")).unwrap().trim_matches('"').to_owned();
    let dependencies = manifest.split_once("\n[dependencies]\n").map_or("", |(_, rest)| rest);
    let uses = dependencies.lines().take_while(|line| !line.starts_with('['));
    let uses = uses.filter_map(|line| line.split(['.', ' ', '=']).next()).map(str::to_owned).collect();
    let mut files = Vec::new();
    let sources = folder.join("src");
    read(&sources, &sources, &mut files);
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    Package { name, uses, sources: of(&files) }
}

fn read(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        if path.is_dir() && !is_test {
            read(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            let text = fs::read_to_string(&path).unwrap();
            files.push((path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), text));
        }
    }
}

/// Files by their path below `src`, and their text.
pub fn of(files: &[(&str, &str)]) -> Vec<Source> {
    let modules: BTreeSet<Vec<String>> = files.iter().map(|(path, _)| module(path)).collect();
    files.iter().map(|(path, text)| source(module(path), text, &modules)).collect()
}

fn module(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    parts.pop_if(|last| ["lib", "main", "mod"].contains(&last.as_str()));
    parts
}

fn source(module: Vec<String>, text: &str, all: &BTreeSet<Vec<String>>) -> Source {
    let (mut modules, mut crates) = (BTreeSet::new(), BTreeSet::new());
    for path in paths(&code(text)) {
        let absolute = match path[0].as_str() {
            "crate" => path[1..].to_vec(),
            "self" => [&module, &path[1..]].concat(),
            "super" => {
                let up = path.iter().take_while(|part| *part == "super").count();
                [&module[..module.len().saturating_sub(up)], &path[up..]].concat()
            }
            first => {
                let below = [&module, &path[..]].concat();
                if !all.contains(&below[..=module.len()]) {
                    crates.insert(first.to_owned());
                    continue;
                }
                below
            }
        };
        let named = (0..=absolute.len()).rev().map(|size| &absolute[..size]).find(|module| all.contains(*module));
        modules.extend(named.filter(|named| *named != module).map(<[String]>::to_vec));
    }
    Source { module, modules: modules.into_iter().collect(), crates }
}

/// The text without comments, without what stands in quotes, and without the tests at its end.
fn code(text: &str) -> String {
    let text = text.split_once("#[cfg(test)]\nmod tests {").map_or(text, |(code, _)| code);
    let mut code = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '/']) {
        code.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if rest.starts_with('"') && !code.ends_with(['\'', '\\']) {
            let raw = code.trim_end_matches('#');
            let end = if raw.ends_with('r') {
                let quote = format!("\"{}", "#".repeat(code.len() - raw.len()));
                rest[1..].find(&quote).map(|at| at + 1 + quote.len())
            } else {
                end_of_string(rest)
            };
            rest = end.map_or("", |end| &rest[end..]);
        } else {
            code.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    code + rest
}

fn end_of_string(text: &str) -> Option<usize> {
    let mut escaped = false;
    let end = |(_, character): &(usize, char)| {
        let ends = !escaped && *character == '"';
        escaped = !escaped && *character == '\\';
        ends
    };
    text.char_indices().skip(1).find(end).map(|(at, _)| at + 1)
}

/// All paths of two names or more, and all that `use` names, trees written out.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut rest = code;
    while let Some((before, after)) = next_use(rest) {
        plain(before, &mut paths);
        let (tree, later) = after.split_once(';').unwrap_or((after, ""));
        spread(&[], tree, &mut paths);
        rest = later;
    }
    plain(rest, &mut paths);
    paths
}

fn next_use(code: &str) -> Option<(&str, &str)> {
    let found = code.match_indices("use ").find(|(at, _)| !code[..*at].ends_with(|before: char| is_name(before)));
    found.map(|(at, word)| (&code[..at], &code[at + word.len()..]))
}

/// A tree such as `a::{b, c::{d, e as f}}`, written out.
fn spread(prefix: &[String], tree: &str, paths: &mut Vec<Vec<String>>) {
    let (path, inner) = match tree.split_once('{') {
        Some((path, inner)) => (path, inner.rsplit_once('}').map(|(inner, _)| inner)),
        None => (tree.split(" as ").next().unwrap_or_default(), None),
    };
    let parts = path.split("::").map(str::trim).filter(|part| !part.is_empty() && *part != "*");
    let prefix: Vec<String> = prefix.iter().cloned().chain(parts.map(str::to_owned)).collect();
    let Some(inner) = inner else {
        let whole = prefix.iter().enumerate().filter(|(at, part)| *at == 0 || *part != "self");
        let whole: Vec<String> = whole.map(|(_, part)| part.clone()).collect();
        return paths.extend((!whole.is_empty()).then_some(whole));
    };
    let (mut depth, mut start) = (0, 0);
    for (at, character) in inner.char_indices().chain([(inner.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !inner[start..at].trim().is_empty() {
                    spread(&prefix, &inner[start..at], paths);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

fn plain(code: &str, paths: &mut Vec<Vec<String>>) {
    for word in code.split(|character: char| !is_name(character) && character != ':') {
        let parts: Vec<String> = word.split("::").map(|part| part.trim_matches(':').to_owned()).collect();
        if parts.len() > 1 && !parts[0].is_empty() {
            paths.push(parts.into_iter().filter(|part| !part.is_empty()).collect());
        }
    }
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}
