//! How the page writes numbers and text. `page.js` writes the same in the same way: change both.

use std::fmt::{self, Display, Formatter, Write};

use common::text::grouped;

use super::facts::{Bound, Quantile};

/// What is shown of a value that is not known.
pub const UNKNOWN: &str = "\u{2013}";

/// Text inside an element or an attribute's quotes. All text from outside goes through it: a group or a client id may hold
/// anything.
pub struct Escaped<'a>(pub &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// A whole number: `1,152,580`.
pub fn whole(number: Option<i64>) -> String {
    number.map_or(UNKNOWN.to_owned(), |number| grouped(number.max(0).unsigned_abs()))
}

/// A rate: `12.5`, from 100 on without decimals.
pub fn rate(rate: Option<f64>) -> String {
    match rate {
        None => UNKNOWN.to_owned(),
        Some(rate) if rate >= 100.0 => grouped(rate.round() as u64),
        Some(rate) => format!("{rate:.1}"),
    }
}

/// A span of time in its two largest units: `3 d 4 h`.
pub fn span(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds else { return UNKNOWN.to_owned() };
    let seconds = seconds.round() as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A short time: `4.2 ms`, `42 ms`, `1.5 s`.
pub fn short(seconds: Option<f64>) -> String {
    match seconds {
        None => UNKNOWN.to_owned(),
        Some(seconds) if seconds < 0.01 => format!("{} ms", (seconds * 10_000.0).round() / 10.0),
        Some(seconds) if seconds < 1.0 => format!("{} ms", (seconds * 1000.0).round()),
        Some(seconds) => format!("{} s", (seconds * 10.0).round() / 10.0),
    }
}

/// A quantile of a histogram, as far as its buckets tell.
pub fn quantile(quantile: Option<Quantile>) -> String {
    let Some(Quantile { seconds, bound }) = quantile else { return UNKNOWN.to_owned() };
    let sign = match bound {
        Bound::Below => "< ",
        Bound::About => "",
        Bound::Above => "> ",
    };
    format!("{sign}{}", short(Some(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_means_something_in_html_is_left() {
        assert_eq!(Escaped(r#"<a b="c">&'é"#).to_string(), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;é");
    }

    #[test]
    fn numbers_are_short_and_say_what_is_not_known() {
        assert_eq!([whole(None), whole(Some(1_234_567))], ["–", "1,234,567"]);
        assert_eq!(
            [rate(None), rate(Some(0.0)), rate(Some(99.9)), rate(Some(12_345.4))],
            ["–", "0.0", "99.9", "12,345"]
        );
        let spans = [0.0, 59.4, 61.0, 3661.0, 90_061.0].map(|seconds| span(Some(seconds)));
        assert_eq!(spans, ["0 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
        let times = [0.0042, 0.005, 0.0425, 0.9994, 1.26, 10.0].map(|seconds| short(Some(seconds)));
        assert_eq!(times, ["4.2 ms", "5 ms", "43 ms", "999 ms", "1.3 s", "10 s"]);
        let bounds =
            [Bound::Below, Bound::About, Bound::Above].map(|bound| quantile(Some(Quantile { seconds: 0.05, bound })));
        assert_eq!(bounds, ["< 50 ms", "50 ms", "> 50 ms"]);
    }
}
