//! The file of Falco's rules, read: lists, macros and rules, and the comments above each rule that say what it is about.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::condition::Condition;
use super::tokens::{self, Token};
use crate::manifests::set::{list_at, text};

/// Where the rules are.
pub const FILE: &str = "infra/policies/falco/kafka-clients.yaml";
/// The oldest engine that takes them, and the plugin that knows containers: what the rules are checked for.
const ENGINE: &str = "0.57.0";
const PLUGIN: (&str, &str) = ("container", "0.4.0");
/// What an entry may consist of. Falco 0.44 refuses others.
const KEYS: [(&str, &[&str]); 5] = [
    ("required_engine_version", &[]),
    ("required_plugin_versions", &[]),
    ("list", &["items"]),
    ("macro", &["condition"]),
    ("rule", &["desc", "condition", "output", "priority", "tags"]),
];
const PRIORITIES: [&str; 4] = ["CRITICAL", "ERROR", "WARNING", "NOTICE"];
/// What the comments above a rule begin with.
const COMMAND: &str = "# Provoked by:";
const LINE: &str = "# Seen as:";

/// All of it.
#[derive(Debug)]
pub struct Rules {
    /// The lists by name.
    pub lists: BTreeMap<String, Vec<String>>,
    /// The rules in their order.
    pub rules: Vec<Rule>,
}

/// One of them.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// The condition, macros and lists put in.
    pub tokens: Vec<Token>,
    /// The same, to be decided.
    pub condition: Condition,
    /// Whether nothing but our containers can fulfil the condition.
    pub is_about_ours: bool,
    /// The fields that the output shows.
    pub shows: Vec<String>,
    /// A command for a shell that provokes it.
    pub command: String,
    /// Lines of traces that it is about.
    pub lines: Vec<String>,
}

/// The macro that has to hold for every rule.
const OURS: &str = "kafka_client";

impl Rules {
    /// Reads the file.
    pub fn load(root: &Path) -> Result<Self> {
        let text = fs::read_to_string(root.join(FILE)).with_context(|| format!("{FILE} can't be read"))?;
        Self::read(&text).with_context(|| FILE.to_owned())
    }

    /// Reads a text.
    pub fn read(file: &str) -> Result<Self> {
        let entries: Vec<Value> = serde_saphyr::from_str(file).map_err(|error| anyhow::anyhow!("{error}"))?;
        let (mut lists, mut macros, mut found, mut versions) = (BTreeMap::new(), BTreeMap::new(), Vec::new(), 0);
        for entry in &entries {
            let kind = kind(entry)?;
            let name = text(entry, &format!("/{kind}")).to_owned();
            match kind {
                "list" => {
                    let items = list_at(entry, "/items").map(|item| match item {
                        Value::String(text) => text.clone(),
                        other => other.to_string(),
                    });
                    lists.insert(name, items.collect::<Vec<_>>());
                }
                "macro" => {
                    macros.insert(name, text(entry, "/condition").to_owned());
                }
                "rule" => found.push((name, entry)),
                "required_engine_version" => {
                    ensure!(name == ENGINE, "required_engine_version is {name:?}, not {ENGINE}");
                    versions += 1;
                }
                _ => {
                    let (plugin, version) = PLUGIN;
                    let known = serde_json::json!([{"name": plugin, "version": version}]);
                    ensure!(entry[kind] == known, "{kind} is {}, not {known}", entry[kind]);
                    versions += 1;
                }
            }
        }
        ensure!(versions == 2, "an engine's and a plugin's version are required, each once");
        ensure!(!found.is_empty(), "no rules");
        let rule = |(name, entry): (String, &Value)| {
            rule(file, &name, entry, &macros, &lists).with_context(|| format!("rule {name:?}"))
        };
        Ok(Self { rules: found.into_iter().map(rule).collect::<Result<_>>()?, lists })
    }
}

/// What an entry is.
fn kind(entry: &Value) -> Result<&'static str> {
    let keys: Vec<&str> = entry.as_object().into_iter().flat_map(|entry| entry.keys().map(String::as_str)).collect();
    let known = KEYS.iter().find(|(kind, _)| keys.contains(kind));
    let (kind, others) = known.with_context(|| format!("an entry of {keys:?}: neither list, macro nor rule"))?;
    let complete = others.iter().all(|key| keys.contains(key)) && keys.len() == others.len() + 1;
    ensure!(complete, "{kind} {}: has {keys:?}, has to have {others:?}", entry[kind]);
    Ok(kind)
}

fn rule(
    file: &str,
    name: &str,
    entry: &Value,
    macros: &BTreeMap<String, String>,
    lists: &BTreeMap<String, Vec<String>>,
) -> Result<Rule> {
    let priority = text(entry, "/priority");
    ensure!(PRIORITIES.contains(&priority), "the priority {priority:?}");
    let written = tokens::split(text(entry, "/condition"))?;
    let tokens = tokens::expand(&written, macros, lists)?;
    let begins = tokens.contains(&Token::Word("evt.dir".to_owned()));
    ensure!(!begins, "evt.dir: Falco 0.42 and newer see no event's begin");
    let condition = Condition::read(&tokens)?;
    ensure!(condition.fields().contains("evt.type"), "no evt.type: Falco would decide it for every event");
    let (command, lines) = comments(file, name)?;
    let ours = Condition::read(&tokens::expand(&[Token::Word(OURS.to_owned())], macros, lists)?)?;
    let is_about_ours = matches!(&condition, Condition::All(parts) if parts.contains(&ours));
    Ok(Rule {
        name: name.to_owned(),
        is_about_ours,
        shows: shown(text(entry, "/output")),
        tokens,
        condition,
        command,
        lines,
    })
}

/// The `%fields` of an output.
fn shown(output: &str) -> Vec<String> {
    let end = |letter: char| !(letter.is_ascii_alphanumeric() || "._".contains(letter));
    let fields = output.split('%').skip(1).map(|rest| rest.split(end).next().unwrap_or_default());
    fields.map(|field| field.trim_end_matches('.').to_owned()).collect()
}

/// The command and the lines above a rule. What is too long for one goes on in the next.
fn comments(file: &str, name: &str) -> Result<(String, Vec<String>)> {
    let lines: Vec<&str> = file.lines().collect();
    let at = lines.iter().position(|line| *line == format!("- rule: {name}")).context("is not written on one line")?;
    let above: Vec<&str> = lines[..at].iter().rev().take_while(|line| line.starts_with('#')).copied().collect();
    let (mut command, mut seen): (Vec<&str>, Vec<Vec<&str>>) = (Vec::new(), Vec::new());
    let mut into_line = None;
    for line in above.into_iter().rev() {
        match (line, line.strip_prefix("#   ")) {
            (COMMAND, _) => into_line = Some(false),
            (LINE, _) => {
                into_line = Some(true);
                seen.push(Vec::new());
            }
            (_, Some(more)) => match into_line {
                Some(true) => seen.last_mut().context("a line")?.push(more),
                Some(false) => command.push(more),
                None => bail!("{line:?} above {COMMAND:?}"),
            },
            _ => ensure!(into_line.is_none(), "{line:?} below {COMMAND:?}"),
        }
    }
    let seen: Vec<String> = seen.into_iter().flat_map(separate).collect();
    ensure!(!command.is_empty() && !seen.is_empty(), "above it: {COMMAND:?} and {LINE:?}, each with an indented line");
    Ok((command.join(" "), seen))
}

/// Lines of a trace: one that does not end in a result goes on in the next. Several are one sight: what came before counts.
fn separate(parts: Vec<&str>) -> Vec<String> {
    let mut whole = String::new();
    for part in parts {
        let ended = whole.is_empty() || whole.ends_with('\n');
        whole.push_str(if ended { "" } else { " " });
        whole.push_str(part);
        if part.contains(") = ") {
            whole.push('\n');
        }
    }
    vec![whole.trim_end().to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
- required_engine_version: 0.57.0
- required_plugin_versions: [{name: container, version: 0.4.0}]
- list: ports
  items: [53, 9092]
- macro: kafka_client
  condition: (container.image.repository endswith \"/kafka-producer\")
# Why.
# Provoked by:
#   connect
#   somewhere
# Seen as:
#   connect(3<TCP:[1]>,
#   {sa_family=AF_INET}, 16) = 0
- rule: One
  desc: x
  condition: evt.type = connect and kafka_client and not fd.sport in (ports)
  output: x (port=%fd.sport name=%fd.name)
  priority: WARNING
  tags: []
";

    #[test]
    fn a_file_is_read() {
        let rules = Rules::read(GOOD).unwrap();
        assert_eq!(rules.lists["ports"], ["53", "9092"]);
        let rule = &rules.rules[0];
        assert_eq!((rule.name.as_str(), rule.is_about_ours), ("One", true));
        assert_eq!(rule.condition.values("fd.sport"), ["53", "9092"].into());
        assert_eq!(rule.shows, ["fd.sport", "fd.name"]);
        assert_eq!(rule.command, "connect somewhere");
        assert_eq!(rule.lines, ["connect(3<TCP:[1]>, {sa_family=AF_INET}, 16) = 0"]);
    }

    #[test]
    fn each_fault_is_told() {
        for (from, to, told) in [
            ("0.57.0", "0.50.0", "0.57.0"),
            ("0.4.0", "0.1.0", "0.4.0"),
            ("- required_engine_version: 0.57.0\n", "", "are required"),
            ("items:", "values:", "has to have"),
            ("  tags: []\n", "", "has to have"),
            ("tags: []", "tags: []\n  append: true", "has to have"),
            ("- list", "- lists", "neither list"),
            ("WARNING", "WARN", "priority"),
            ("evt.type = connect", "evt.type = connect and evt.dir = <", "evt.dir"),
            ("evt.type = connect and ", "", "no evt.type"),
            ("kafka_client and not", "kafka_client or not", "and beside or"),
            ("#   connect\n#   somewhere\n", "", "each with an indented line"),
            ("# Seen as:\n", "", "each with an indented line"),
            ("# Why.\n", "#   Why.\n", "above"),
            ("- rule: One", "- rule: \"One\"", "on one line"),
        ] {
            let error = format!("{:#}", Rules::read(&GOOD.replacen(from, to, 1)).unwrap_err());
            assert!(error.contains(told), "{from:?} to {to:?}: {error}");
        }
        let of_all = GOOD.replace("kafka_client and not", "not");
        assert!(!Rules::read(&of_all).unwrap().rules[0].is_about_ours);
        let of_some = GOOD.replace(
            "evt.type = connect and kafka_client and",
            "evt.type = connect and (kafka_client or fd.num >= 0) and",
        );
        assert!(!Rules::read(&of_some).unwrap().rules[0].is_about_ours);
    }
}
