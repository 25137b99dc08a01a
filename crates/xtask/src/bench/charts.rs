//! A section's main column as horizontal bars, in an SVG file.

use std::fs;
use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::results::Section;

const WIDTH: u32 = 860;
const BAR: u32 = 26;
const HEAD: u32 = 44;
/// Room for the names, and for the numbers behind the bars.
const NAMES: i32 = 290;
const NUMBERS: i32 = 80;
/// Ours stand out; the rest stays in the background. Both can be read on a light and on a dark page.
const OURS: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const FLOOR: RGBColor = RGBColor(0x2c, 0xa0, 0x2c);
const OTHERS: RGBColor = RGBColor(0x9a, 0x9a, 0x9a);
const TEXT: RGBColor = RGBColor(0x77, 0x77, 0x77);

/// Draws `bench-ID.svg`, if the section has a chart.
pub fn draw(section: &Section, folder: &Path) -> Result<()> {
    let Some(column) = section.chart else { return Ok(()) };
    let rows: Vec<(&str, f64)> =
        section.rows.iter().filter_map(|row| Some((row.name.as_str(), (*row.cells.get(column)?)?.median))).collect();
    let Some(most) = rows.iter().map(|(_, value)| *value).max_by(f64::total_cmp).filter(|most| *most > 0.0) else {
        return Ok(());
    };
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("bench-{}.svg", section.id));
    let height = HEAD + BAR * u32::try_from(rows.len())?;
    let area = SVGBackend::new(&path, (WIDTH, height)).into_drawing_area();
    let failed = |error: &dyn std::fmt::Display| anyhow!("{}: {error}", path.display());

    let font = |size: u32| ("sans-serif", size).into_font().color(&TEXT);
    let title = format!("{} (less is better)", section.columns.get(column).map_or("", |column| column.name.as_str()));
    let style = font(16).pos(Pos::new(HPos::Left, VPos::Center));
    area.draw(&Text::new(title, (10, HEAD as i32 / 2), style)).map_err(|error| failed(&error))?;
    let decimals = section.columns.get(column).map_or(1, |column| column.decimals);
    for (nth, (name, value)) in (0..).zip(&rows) {
        let top = HEAD as i32 + nth * BAR as i32;
        let middle = top + BAR as i32 / 2;
        let end = NAMES + (value / most * f64::from(WIDTH as i32 - NAMES - NUMBERS)) as i32;
        let color = match *name {
            name if name.starts_with("kafka-producer") || name.starts_with("kafka-consumer") => OURS,
            name if name.contains("floor") => FLOOR,
            _ => OTHERS,
        };
        let bar = Rectangle::new([(NAMES, top + 4), (end.max(NAMES + 1), top + BAR as i32 - 4)], color.filled());
        area.draw(&bar).map_err(|error| failed(&error))?;
        let style = font(14).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw(&Text::new((*name).to_owned(), (NAMES - 8, middle), style)).map_err(|error| failed(&error))?;
        let style = font(14).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(format!("{value:.decimals$}"), (end + 6, middle), style))
            .map_err(|error| failed(&error))?;
    }
    area.present().map_err(|error| failed(&error))
}
