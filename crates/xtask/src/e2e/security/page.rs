//! The table of `docs/reliability.md`, written between its marks; the text around it is written by hand.

use std::fs;

use anyhow::{Context, Result, ensure};
use testbed::apache::Distribution;

use super::bench::Bench;
use super::case::Told;
use crate::programs;

const PAGE: &str = "docs/reliability.md";
const BEGIN: &str = "<!-- written by cargo xtask e2e security -->";
const END: &str = "<!-- end of security -->";
const HEAD: &str = "\
| case | what | program | exit code | seconds | what it said, or did |
|---|---|---|---|---|---|
";

/// Writes the table of a run of all cases over the one before.
pub fn write(bench: &Bench, told: &[Told]) -> Result<()> {
    let path = programs::root().join(PAGE);
    let text = fs::read_to_string(&path).with_context(|| format!("{PAGE} can't be read"))?;
    let version = Distribution::version()?;
    Ok(fs::write(&path, replaced(&text, &table(told, &bench.addresses()?, version))?)?)
}

/// The page with this table instead of the one before.
fn replaced(page: &str, table: &str) -> Result<String> {
    let (before, rest) = page.split_once(BEGIN).with_context(|| format!("{PAGE} has no line {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{PAGE} has no line {END}"))?;
    ensure!(!after.contains(BEGIN), "{PAGE} has two lines {BEGIN}");
    Ok(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

fn table(told: &[Told], addresses: &[String], version: &str) -> String {
    let failed = told.iter().filter(|told| told.result.is_err()).count();
    let mut text = format!("{} cases, {failed} failed; Apache Kafka {version}.\n\n{HEAD}", told.len());
    for Told { name, what, result } in told {
        let cell = |text: &str| text.lines().next().unwrap_or_default().replace('|', "/");
        match result {
            Ok(seen) => seen.iter().for_each(|seen| {
                let seconds = seen.took.as_secs_f64();
                // Ports differ from run to run.
                let said = addresses.iter().fold(seen.said.clone(), |said, address| said.replace(address, "HOST:PORT"));
                let said = cell(&said);
                let (program, code) = (seen.program.name(), seen.code);
                text += &format!("| {name} | {} | {program} | {code} | {seconds:.1} | {said} |\n", cell(what));
            }),
            Err(error) => text += &format!("| {name} | {} | | | | failed: {} |\n", cell(what), cell(error)),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::e2e::security::case::{Seen, Which};

    #[test]
    fn only_the_suites_own_table_is_replaced() {
        let faults = "<!-- written by cargo xtask e2e faults -->\n\n| theirs |\n<!-- end -->\n";
        let page = format!("# Page\n{faults}between\n{BEGIN}\nold\n{END}\nafter\n");
        let written = replaced(&page, "| new |").unwrap();
        assert_eq!(written, format!("# Page\n{faults}between\n{BEGIN}\n\n| new |\n{END}\nafter\n"));
        assert_eq!(replaced(&written, "| new |").unwrap(), written);
        assert!(replaced("# Page\n", "").is_err());
        assert!(replaced(&format!("{page}{page}"), "").is_err());
    }

    #[test]
    fn each_program_has_a_line_and_a_failure_says_why() {
        let seen = |program| Seen {
            program,
            code: 4,
            took: Duration::from_millis(640),
            said: "127.0.0.1:20001: no | way\nmore".to_owned(),
        };
        let told = |name: &str, result| Told { name: name.to_owned(), what: "x".to_owned(), result };
        let all = [
            told("a", Ok(vec![seen(Which::Producer), seen(Which::Consumer)])),
            told("b", Err("it took too long\nits log".to_owned())),
        ];
        let table = table(&all, &["127.0.0.1:20001".to_owned()], "1.2.3");
        assert!(table.starts_with("2 cases, 1 failed; Apache Kafka 1.2.3.\n"), "{table}");
        assert!(table.contains("| a | x | producer | 4 | 0.6 | HOST:PORT: no / way |\n"), "{table}");
        assert!(table.contains("| a | x | consumer | 4 | 0.6 | HOST:PORT: no / way |\n"), "{table}");
        assert!(table.contains("| b | x | | | | failed: it took too long |\n"), "{table}");
    }
}
