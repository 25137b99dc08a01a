//! Conditions, compiled by Debian's `sysdig`: Falco's engine is the same library, some years newer. No event is captured: the filter
//! is compiled before the input is opened, and the input is no capture.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::rules::{Rule, Rules};
use super::tokens::{self, Token};
use crate::manifests::set::Problems;

/// Fields that Falco 0.44 has and sysdig 0.29 has not, and one of the same type to compile in its place.
const NEWER: [(&str, &str); 1] = [("proc.is_exe_from_memfd", "evt.is_open_write")];
/// What every version of it takes.
const GOOD: &str = "evt.type = connect and fd.sport in (53, 9092)";
/// What it has to refuse, or it would refuse nothing.
const WRONG: [(&str, &str); 4] = [
    ("a field that is misspelt", "evt.type = execve and not proc.exepth = /bin/sh"),
    ("an ambiguous and/or", "evt.type = connect and fd.sport = 53 or fd.sport = 9092"),
    ("a call that does not exist", "evt.type in (execve, execvee)"),
    ("a bracket without its end", "(evt.type = connect"),
];

/// The compiler, and what it says of a condition that it takes.
pub struct Sysdig {
    taken: String,
}

impl Sysdig {
    /// Finds it.
    pub fn find() -> Result<Self> {
        Ok(Self { taken: said(GOOD)? })
    }

    /// Why a condition is refused; `None` for one that it takes.
    fn refusal(&self, condition: &str) -> Result<Option<String>> {
        let said = said(condition)?;
        Ok((said != self.taken).then_some(said))
    }

    /// Wrong conditions that it takes.
    pub fn proof(&self) -> Result<Problems> {
        let mut problems = Problems::new();
        for (what, condition) in WRONG {
            if self.refusal(condition)?.is_none() {
                problems.push(format!("sysdig takes {what}: {condition}"));
            }
        }
        Ok(problems)
    }

    /// Rules whose condition or output it refuses.
    pub fn check(&self, rules: &Rules) -> Result<Problems> {
        let mut problems = Problems::new();
        for rule in &rules.rules {
            if let Some(why) = self.refusal(&tokens::text(&rule.tokens))? {
                let older = older(rule);
                let why = if older == rule.tokens { Some(why) } else { self.refusal(&tokens::text(&older))? };
                problems.extend(why.map(|why| format!("rule {:?}: {why}", rule.name)));
            }
            for field in &rule.shows {
                if let Some(why) = self.refusal(&format!("{field} exists"))? {
                    problems.push(format!("rule {:?}: its output shows %{field}: {why}", rule.name));
                }
            }
        }
        Ok(problems)
    }
}

/// The newer fields that no rule looks at any more.
pub fn stale(rules: &Rules) -> Problems {
    let used = |field: &str| rules.rules.iter().any(|rule| rule.condition.fields().contains(field));
    let unused = NEWER.iter().filter(|(field, _)| !used(field));
    unused.map(|(field, _)| format!("no rule looks at {field}: remove it from NEWER in sysdig.rs")).collect()
}

fn older(rule: &Rule) -> Vec<Token> {
    let older = |token: &Token| match token {
        Token::Word(word) => {
            let known = NEWER.iter().find(|(newer, _)| newer == word).map_or(word.as_str(), |(_, older)| older);
            Token::Word(known.to_owned())
        }
        other => other.clone(),
    };
    rule.tokens.iter().map(older).collect()
}

/// What it says of a condition.
fn said(condition: &str) -> Result<String> {
    let mut sysdig = Command::new("sysdig");
    sysdig.args(["-r", "/dev/null", condition]).stdin(Stdio::null());
    let output = sysdig.output().context("sysdig can't be run: install Debian's package sysdig")?;
    let said = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}
