//! A suite of named scenarios: which of them are chosen, and how each is told.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::terminal::{Style, paint};

/// The flags that every suite has.
#[derive(clap::Args)]
pub struct Chosen {
    /// Run this scenario only; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,

    /// Name the scenarios and run none
    #[arg(long)]
    list: bool,
}

/// One thing that must hold, shown on a bench of what the suite's scenarios share.
pub struct Scenario<Bench> {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What must hold, in a sentence.
    pub claim: &'static str,
    /// Shows it, and says what was seen.
    pub run: fn(&mut Bench) -> Result<String>,
}

impl Chosen {
    /// The scenarios to run, in the suite's order; `None` when they were only to be named, which is done.
    pub fn of<Bench>(
        &self,
        all: impl Iterator<Item = &'static Scenario<Bench>> + Clone,
    ) -> Result<Option<Vec<&'static Scenario<Bench>>>> {
        self.of_all(all, std::iter::empty())
    }

    /// [`Chosen::of`] with scenarios that are run by name only: they take too long for every run.
    pub fn of_all<Bench>(
        &self,
        all: impl Iterator<Item = &'static Scenario<Bench>> + Clone,
        on_request: impl Iterator<Item = &'static Scenario<Bench>> + Clone,
    ) -> Result<Option<Vec<&'static Scenario<Bench>>>> {
        let every = all.clone().chain(on_request);
        if self.list {
            for scenario in every {
                println!("{:<24} {}", scenario.name, scenario.claim);
            }
            return Ok(None);
        }
        for name in &self.only {
            let known = every.clone().any(|scenario| scenario.name == name);
            ensure!(known, "there is no scenario {name:?}; --list names them");
        }
        if self.only.is_empty() {
            return Ok(Some(all.collect()));
        }
        Ok(Some(every.filter(|scenario| self.only.iter().any(|name| name == scenario.name)).collect()))
    }
}

/// Runs them one after another. `recover` is called after one that failed. `false` when one did.
pub fn run<Bench>(scenarios: &[&Scenario<Bench>], bench: &mut Bench, recover: fn(&mut Bench)) -> bool {
    let (mut passed, mut failed) = (0, 0);
    for scenario in scenarios {
        let began = Instant::now();
        let result = (scenario.run)(bench);
        let seconds = began.elapsed().as_secs_f64();
        let (style, word, said) = match result {
            Ok(seen) => {
                passed += 1;
                (Style::Good, "ok  ", seen)
            }
            Err(error) => {
                failed += 1;
                recover(bench);
                (Style::Bad, "FAIL", format!("{}\n{error:#}", scenario.claim))
            }
        };
        println!("{} {:<24} {seconds:>5.1} s  {said}", paint(style, word), scenario.name);
    }
    println!("{passed} passed, {failed} failed");
    failed == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    const fn scenario(name: &'static str) -> Scenario<()> {
        Scenario { name, claim: "", run: |()| Ok(String::new()) }
    }

    static ALL: [Scenario<()>; 2] = [scenario("one"), scenario("two")];
    static LONG: [Scenario<()>; 1] = [scenario("long")];

    fn chosen(only: &[&str]) -> Result<Vec<&'static str>> {
        let chosen = Chosen { only: only.iter().map(|name| (*name).to_owned()).collect(), list: false };
        let scenarios = chosen.of_all(ALL.iter(), LONG.iter())?.unwrap();
        Ok(scenarios.iter().map(|scenario| scenario.name).collect())
    }

    #[test]
    fn what_takes_long_is_run_by_name_only() {
        assert_eq!(chosen(&[]).unwrap(), ["one", "two"]);
        assert_eq!(chosen(&["long", "two"]).unwrap(), ["two", "long"]);
        assert!(chosen(&["other"]).is_err());
    }
}
