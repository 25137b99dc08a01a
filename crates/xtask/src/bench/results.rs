//! What was measured, as data: sections of rows, kept as JSON, from which terminal, page and charts are made.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// One table with all that belongs to it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Section {
    /// Its name for `--only`, and of its files.
    pub id: String,
    /// Heading.
    pub title: String,
    /// What was done, a paragraph each.
    pub about: Vec<String>,
    /// All but the first, which is the row's name.
    pub columns: Vec<Column>,
    /// Lines of the table.
    pub rows: Vec<Row>,
    /// What it was to show.
    pub bars: Vec<Bar>,
    /// One command of each row, as it was run.
    pub commands: Vec<String>,
    /// Column to draw.
    pub chart: Option<usize>,
    /// Rounds behind each median.
    pub rounds: usize,
    /// Load of the machine before the first round, over one minute.
    pub load: f64,
    /// Day and time of the end.
    pub ended: String,
}

/// One column.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Column {
    /// With its unit.
    pub name: String,
    /// Digits after the point.
    pub decimals: usize,
}

/// One line of a table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Who or what.
    pub name: String,
    /// As many as there are columns.
    pub cells: Vec<Option<Spread>>,
    /// Why there are no numbers, or what is special about them.
    pub note: Option<String>,
}

/// The middle of several measurements, and how far they are apart.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Spread {
    /// Middle.
    pub median: f64,
    /// Least.
    pub min: f64,
    /// Most.
    pub max: f64,
}

/// A promise and what was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bar {
    /// What is compared.
    pub what: String,
    /// What it came to.
    pub value: f64,
    /// Where it ends.
    pub limit: f64,
    /// Whether the value must lie above the limit.
    pub at_least: bool,
}

impl Bar {
    /// The value may be at most so much.
    pub fn at_most(what: impl Into<String>, value: f64, limit: f64) -> Self {
        Self { what: what.into(), value, limit, at_least: false }
    }

    /// The value must be at least so much.
    pub fn at_least(what: impl Into<String>, value: f64, limit: f64) -> Self {
        Self { what: what.into(), value, limit, at_least: true }
    }

    /// Whether it is met.
    pub fn met(&self) -> bool {
        if self.at_least { self.value >= self.limit } else { self.value <= self.limit }
    }
}

impl Spread {
    /// Of some measurements; `None` of none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Some(Self { median: *values.get(values.len() / 2)?, min: *values.first()?, max: *values.last()? })
    }
}

impl Section {
    /// A new one.
    pub fn new(id: &str, title: &str, columns: &[(&str, usize)]) -> Self {
        let columns = columns.iter().map(|(name, decimals)| Column { name: (*name).to_owned(), decimals: *decimals });
        Self { id: id.to_owned(), title: title.to_owned(), columns: columns.collect(), ..Self::default() }
    }

    /// Adds a paragraph.
    pub fn about(mut self, text: impl Into<String>) -> Self {
        self.about.push(text.into());
        self
    }

    /// Adds a line.
    pub fn row(&mut self, name: impl Into<String>, cells: Vec<Option<Spread>>) {
        self.rows.push(Row { name: name.into(), cells, note: None });
    }

    /// Adds a line without numbers.
    pub fn missing(&mut self, name: impl Into<String>, why: impl Into<String>) {
        let cells = vec![None; self.columns.len()];
        self.rows.push(Row { name: name.into(), cells, note: Some(why.into()) });
    }

    /// The median of a cell.
    pub fn median(&self, row: &str, column: usize) -> Option<f64> {
        let row = self.rows.iter().find(|found| found.name == row)?;
        Some((*row.cells.get(column)?)?.median)
    }

    /// Adds a bar on the ratio of two rows' medians, if both were measured.
    pub fn ratio(&mut self, column: usize, row: &str, to: &str, limit: f64) {
        if let (Some(value), Some(other)) = (self.median(row, column), self.median(to, column)) {
            self.bars.push(Bar::at_most(format!("{row}, of {to}"), value / other, limit));
        }
    }

    /// Keeps it.
    pub fn save(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.json", self.id));
        fs::write(&path, serde_json::to_vec_pretty(self)?).with_context(|| format!("can't write {}", path.display()))
    }

    /// What was kept, if it was.
    pub fn load(folder: &Path, id: &str) -> Result<Option<Self>> {
        match fs::read(folder.join(format!("{id}.json"))) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bar, Spread};

    #[test]
    fn the_middle_one_counts() {
        let spread = Spread::of([3.0, 1.0, 9.0, 2.0, 4.0]).unwrap();
        assert_eq!((spread.median, spread.min, spread.max), (3.0, 1.0, 9.0));
        assert!(Spread::of([]).is_none());
    }

    #[test]
    fn a_bar_is_met_on_its_own_side() {
        assert!(Bar::at_most("a", 1.2, 1.2).met() && !Bar::at_most("a", 1.3, 1.2).met());
        assert!(Bar::at_least("a", 3.0, 3.0).met() && !Bar::at_least("a", 2.9, 3.0).met());
    }
}
