//! Until when those whose code is in the images fix it: `security/support.json`, against what the Dockerfiles name.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use jiff::civil::Date;
use jiff::{Timestamp, Unit};
use serde::Deserialize;

use crate::images::{PROGRAMS, reference};
use crate::programs;

const FILE: &str = "security/support.json";
/// Time enough to move.
const DAYS: i64 = 90;

#[derive(Deserialize)]
struct Support {
    bases: BTreeMap<String, Base>,
    ends: Vec<End>,
}

/// What a base brings whose support ends on a day of its own.
#[derive(Deserialize)]
struct Base {
    openssl: String,
}

#[derive(Deserialize)]
struct End {
    what: String,
    /// As `2030-04-08`.
    until: String,
    source: String,
}

/// `false` when support ends soon.
pub fn run() -> Result<bool> {
    let root = programs::root();
    let (support, bases) = (read(&root)?, bases(&root)?);
    let (lines, problems) = check(&support, &bases, today()?)?;
    lines.iter().for_each(|line| println!("{line}"));
    problems.iter().for_each(|problem| eprintln!("{problem}"));
    Ok(problems.is_empty())
}

/// The branch of OpenSSL that the base of the images brings, as `3.5`.
///
/// # Errors
/// When the file does not say so for the base that the Dockerfiles name.
pub fn openssl() -> Result<String> {
    let root = programs::root();
    let (mut support, bases) = (read(&root)?, bases(&root)?);
    let base = bases.first().context("the Dockerfiles name no base")?;
    let base = support.bases.remove(base).with_context(|| format!("{FILE} does not say what {base} brings"))?;
    Ok(base.openssl)
}

fn read(root: &Path) -> Result<Support> {
    let text = fs::read_to_string(root.join(FILE)).with_context(|| format!("{FILE} can't be read"))?;
    serde_json::from_str(&text).with_context(|| FILE.to_owned())
}

/// The names of the bases that the images are made on.
fn bases(root: &Path) -> Result<Vec<String>> {
    let of =
        |program: &&str| Ok(reference::last(&fs::read_to_string(root.join(format!("Dockerfile.{program}")))?)?.name);
    PROGRAMS.iter().map(of).collect()
}

/// Of UTC.
fn today() -> Result<Date> {
    let now = Timestamp::now().to_string();
    now.split('T').next().unwrap_or_default().parse().with_context(|| format!("no date in {now}"))
}

/// What there is to say, and what is wrong.
fn check(support: &Support, bases: &[String], today: Date) -> Result<(Vec<String>, Vec<String>)> {
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    let mut used: Vec<String> = Vec::new();
    for base in bases {
        match support.bases.get(base) {
            Some(Base { openssl }) => used.extend([base.clone(), format!("OpenSSL {openssl}")]),
            None => problems.push(format!(
                "{FILE} says nothing of {base}: until when is it supported, and which OpenSSL is in it?"
            )),
        }
    }
    used.sort();
    used.dedup();
    for what in used {
        let Some(End { until, source, .. }) = support.ends.iter().find(|end| end.what == what) else {
            problems.push(format!("{FILE} does not say until when {what} is supported"));
            continue;
        };
        let left = today.until((Unit::Day, until.parse::<Date>()?))?.get_days();
        let line = format!("{what}: supported until {until}, {left} days from now ({source})");
        if i64::from(left) < DAYS { problems.push(format!("{line}: move to a newer one")) } else { lines.push(line) }
    }
    Ok((lines, problems))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(day: &str, bases: &[&str]) -> Vec<String> {
        let bases: Vec<String> = bases.iter().map(|base| (*base).to_owned()).collect();
        check(&read(&programs::root()).unwrap(), &bases, day.parse().unwrap()).unwrap().1
    }

    #[test]
    fn the_end_is_told_90_days_before() {
        let used = bases(&programs::root()).unwrap();
        let used: Vec<&str> = used.iter().map(String::as_str).collect();
        assert_eq!(on("2026-11-26", &used), Vec::<String>::new());
        assert_eq!(on("2028-05-03", &used), Vec::<String>::new());
        let told = on("2028-05-04", &used);
        assert!(told.len() == 1 && told[0].starts_with("cc-debian13: supported until 2028-08-01, 89 days"), "{told:?}");
        assert_eq!(on("2031-01-01", &used).len(), 2);
    }

    #[test]
    fn a_base_that_the_file_does_not_know_is_told() {
        let told = on("2026-11-26", &["cc-debian14"]);
        assert!(told.len() == 1 && told[0].contains("says nothing of cc-debian14"), "{told:?}");
    }
}
