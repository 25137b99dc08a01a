//! Results as text: tables for the terminal, and `docs/benchmarks.md`.

use std::fmt::Write;
use std::fs;

use anyhow::Result;

use super::machine;
use super::results::{Bar, Row, Section, Spread};
use super::{charts, sections};
use crate::programs;
use crate::terminal::grouped;

const PAGE: &str = "docs/benchmarks.md";
/// What profiles showed and what was tried, which no run of the benchmark finds out by itself.
const NOTES: &str = include_str!("notes.md");

/// Writes the page and its charts. `false` when a bar is not met.
pub fn write(sections: &[Section]) -> Result<bool> {
    let (machine, tables): (Vec<&Section>, Vec<&Section>) = sections.iter().partition(|part| part.id == machine::ID);
    let mut text = String::from(
        "<!-- Written by `cargo xtask bench`; do not edit. -->\n# Benchmarks\n\n\
         What the two programs cost, against librdkafka alone (the floor: nobody who uses it can be cheaper) and against what \
         somebody would use instead. The main figure is CPU time per message, since that is what is paid for; it is user and \
         system time of the whole process, from start to end. Each table was measured in one run on the same broker, the \
         programs in turns, after a round that does not count; numbers are medians, with the range in parentheses.\n\n\
         Again, on a quiet machine: `cargo xtask bench`; a look in a few minutes: `cargo xtask bench --quick`; one table: \
         `cargo xtask bench --only produce`.\n\n",
    );
    for part in machine {
        writeln!(text, "## {}\n", part.title)?;
        for line in &part.about {
            writeln!(text, "- {line}")?;
        }
        writeln!(text)?;
    }
    verdicts(&mut text, &tables)?;
    text.push_str(NOTES);
    text.push('\n');
    for section in &tables {
        section_text(&mut text, section)?;
    }
    let missing: Vec<&str> = sections::ALL
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !tables.iter().any(|section| section.id == *name))
        .collect();
    if !missing.is_empty() {
        writeln!(text, "\nNot measured yet: {}.", missing.join(", "))?;
    }
    let root = programs::root();
    for section in &tables {
        charts::draw(section, &root.join("docs/images"))?;
    }
    fs::write(root.join(PAGE), text)?;
    println!("wrote {PAGE}");
    Ok(tables.iter().all(|section| section.bars.iter().all(Bar::met)))
}

fn verdicts(text: &mut String, tables: &[&Section]) -> Result<()> {
    writeln!(text, "## What was to be shown\n\n| | measured | bar | |\n|---|---|---|---|")?;
    for bar in tables.iter().flat_map(|section| &section.bars) {
        let side = if bar.at_least { "at least" } else { "at most" };
        let verdict = if bar.met() { "met" } else { "**not met**" };
        writeln!(text, "| {} | {} | {side} {} | {verdict} |", bar.what, short(bar.value), short(bar.limit))?;
    }
    Ok(writeln!(text)?)
}

fn section_text(text: &mut String, section: &Section) -> Result<()> {
    writeln!(text, "## {}\n", section.title)?;
    for paragraph in &section.about {
        writeln!(text, "{paragraph}\n")?;
    }
    if section.chart.is_some() {
        writeln!(text, "![{}](images/bench-{}.svg)\n", section.title, section.id)?;
    }
    let names: Vec<&str> = section.columns.iter().map(|column| column.name.as_str()).collect();
    writeln!(text, "| | {} |\n|---|{}", names.join(" | "), "--:|".repeat(names.len()))?;
    for row in &section.rows {
        writeln!(text, "| {} | {} |", row.name, cells(section, row, true).join(" | "))?;
    }
    writeln!(text, "\nRounds: {}; load before the first: {}; {}.\n", section.rounds, section.load, section.ended)?;
    if !section.commands.is_empty() {
        writeln!(text, "<details><summary>Commands</summary>\n\n```bash")?;
        for command in &section.commands {
            writeln!(text, "{command}")?;
        }
        writeln!(text, "```\n</details>\n")?;
    }
    Ok(())
}

/// The table with aligned columns, and the bars.
pub fn table_for_terminal(section: &Section) -> String {
    let mut lines =
        vec![std::iter::once(String::new()).chain(section.columns.iter().map(|c| c.name.clone())).collect()];
    lines.extend(
        section
            .rows
            .iter()
            .map(|row| std::iter::once(row.name.clone()).chain(cells(section, row, false)).collect::<Vec<String>>()),
    );
    let widths: Vec<usize> = (0..=section.columns.len())
        .map(|column| {
            lines.iter().filter_map(|line: &Vec<String>| Some(line.get(column)?.chars().count())).max().unwrap_or(0)
        })
        .collect();
    let mut text = format!("\n{}\n", section.title);
    for line in lines {
        for (nth, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let _ = if nth == 0 { write!(text, "{cell:<width$}") } else { write!(text, "  {cell:>width$}") };
        }
        text.push('\n');
    }
    for bar in &section.bars {
        let (verdict, side) = (if bar.met() { "met" } else { "NOT MET" }, if bar.at_least { ">=" } else { "<=" });
        let _ = writeln!(text, "{verdict:<8} {}: {} {side} {}", bar.what, short(bar.value), short(bar.limit));
    }
    text
}

fn cells(section: &Section, row: &Row, range: bool) -> Vec<String> {
    let mut cells: Vec<String> = section
        .columns
        .iter()
        .zip(&row.cells)
        .map(|(column, cell)| cell.map_or("–".to_owned(), |spread| number(spread, column.decimals, range)))
        .collect();
    if let (Some(note), Some(first)) = (&row.note, cells.first_mut()) {
        *first = note.clone();
    }
    cells
}

fn number(spread: Spread, decimals: usize, range: bool) -> String {
    let digits = |value: f64| match decimals {
        0 => grouped(value.round().max(0.0) as u64),
        _ => format!("{value:.decimals$}"),
    };
    let (least, most) = (digits(spread.min), digits(spread.max));
    if range && least != most { format!("{} ({least}–{most})", digits(spread.median)) } else { digits(spread.median) }
}

/// Three digits that matter.
fn short(value: f64) -> String {
    match value.abs() {
        0.0..0.1 => format!("{value:.4}"),
        0.1..10.0 => format!("{value:.2}"),
        10.0..1000.0 => format!("{value:.1}"),
        _ => grouped(value.round().max(0.0) as u64),
    }
}
