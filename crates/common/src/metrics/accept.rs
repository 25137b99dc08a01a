//! Which of the two formats of `/metrics` a scraper wants, by its `Accept` header.

/// A format of the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4: for people, and whoever does not ask for another.
    Text,
    /// OpenMetrics 1.0, which has exemplars.
    OpenMetrics {
        /// The escaping of names that was asked for. None of our names needs any.
        escaping: Option<String>,
    },
}

impl Format {
    /// The content type of an answer in this format.
    pub fn content_type(&self) -> String {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8".to_owned(),
            Self::OpenMetrics { escaping: None } => OPEN_METRICS.to_owned(),
            Self::OpenMetrics { escaping: Some(escaping) } => format!("{OPEN_METRICS}; escaping={escaping}"),
        }
    }

    /// The format that a request with this `Accept` header prefers. Where it accepts neither, the text format: a scraper that
    /// finds nothing would be worse off than one that has to read it.
    pub fn wanted(accept: &str) -> Self {
        let ranges: Vec<Range<'_>> = split(accept, ',').filter_map(Range::parse).collect();
        let text = best(&ranges, "text", "plain", &["0.0.4"]);
        let open = best(&ranges, "application", "openmetrics-text", &["1.0.0", "1.0"]);
        match open {
            // With equal weight, what was named wins over what a wildcard lets in, and the richer format over the other.
            Some(open) if open.weight > 0 && text.is_none_or(|text| open.rank() >= text.rank()) && open.is_named() => {
                Self::OpenMetrics { escaping: open.escaping.map(str::to_ascii_lowercase) }
            }
            Some(open) if open.weight > text.map_or(0, |text| text.weight) => Self::OpenMetrics { escaping: None },
            _ => Self::Text,
        }
    }
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The ways to write names with other characters than letters, digits, `_` and `:` that leave ours as they are. `dots` does not:
/// it doubles each underscore.
const ESCAPINGS: [&str; 3] = ["allow-utf-8", "underscores", "values"];

/// One element of an `Accept` header.
#[derive(Clone, Copy)]
struct Range<'a> {
    main: &'a str,
    sub: &'a str,
    version: Option<&'a str>,
    escaping: Option<&'a str>,
    /// The q-value in thousandths.
    weight: u16,
}

impl<'a> Range<'a> {
    /// `None` for what is no media range, or asks for something that we do not have.
    fn parse(element: &'a str) -> Option<Self> {
        let mut parts = split(element, ';');
        let (main, sub) = parts.next()?.split_once('/')?;
        let mut range = Self { main: main.trim(), sub: sub.trim(), version: None, escaping: None, weight: 1000 };
        for part in parts {
            let Some((name, value)) = part.split_once('=') else { continue };
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => range.weight = weight(value)?,
                "version" => range.version = Some(value),
                "escaping" if ESCAPINGS.iter().any(|known| known.eq_ignore_ascii_case(value)) => {
                    range.escaping = Some(value);
                }
                "escaping" => return None,
                "charset" if !value.eq_ignore_ascii_case("utf-8") => return None,
                _ => {}
            }
        }
        Some(range)
    }

    fn is_named(&self) -> bool {
        self.sub != "*"
    }

    fn covers(&self, main: &str, sub: &str, versions: &[&str]) -> bool {
        let is = |pattern: &str, name: &str| pattern == "*" || pattern.eq_ignore_ascii_case(name);
        is(self.main, main) && is(self.sub, sub) && self.version.is_none_or(|version| versions.contains(&version))
    }

    /// How closely it says what it means: type, subtype, version.
    fn closeness(&self) -> u8 {
        u8::from(self.main != "*") + u8::from(self.is_named()) + u8::from(self.version.is_some())
    }

    fn rank(&self) -> (u16, bool) {
        (self.weight, self.is_named())
    }
}

/// What a header says of a format: the range that fits it most closely, and of equal ones the one with the most weight.
fn best<'a>(ranges: &[Range<'a>], main: &str, sub: &str, versions: &[&str]) -> Option<Range<'a>> {
    let fitting = ranges.iter().filter(|range| range.covers(main, sub, versions));
    // Of equal ones the first.
    fitting.rev().max_by_key(|range| (range.closeness(), range.weight)).copied()
}

/// A q-value: 0 to 1 with up to three decimals.
fn weight(text: &str) -> Option<u16> {
    let value: f64 = text.parse().ok()?;
    (0.0..=1.0).contains(&value).then_some((value * 1e3).round() as u16)
}

/// The parts of a list, with quotes respected.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |character| {
        is_quoted ^= character == '"';
        character == separator && !is_quoted
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(escaping: Option<&str>) -> Format {
        Format::OpenMetrics { escaping: escaping.map(str::to_owned) }
    }

    #[test]
    fn what_scrapers_send_is_answered_as_they_wish() {
        // Prometheus 2.42, 3.x without and with protobuf; a browser; curl; nothing.
        let cases = [
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                open(None),
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                open(Some("allow-utf-8")),
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,\
                 application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.6,text/plain;version=0.0.4;q=0.4",
                open(Some("underscores")),
            ),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format::Text),
            ("*/*", Format::Text),
            ("", Format::Text),
        ];
        for (accept, format) in cases {
            assert_eq!(Format::wanted(accept), format, "{accept}");
        }
    }

    #[test]
    fn weights_versions_and_escapings_are_read() {
        let named = "application/openmetrics-text";
        for (accept, format) in [
            (format!("{named};q=0.4, text/plain;q=0.5"), Format::Text),
            (format!("{named};q=0.5, text/plain;q=0.4"), open(None)),
            (format!("text/plain, {named}"), open(None)),
            (format!("text/plain;q=1.0, {named} ; Version=\"1.0.0\" ; Q=1"), open(None)),
            (format!("{named};version=0.0.1"), Format::Text),
            (format!("{named};version=2.0.0, text/plain;q=0.1"), Format::Text),
            (format!("{named};q=0"), Format::Text),
            (format!("{named};q=0, application/*"), Format::Text),
            (format!("{named};version=1.0.0;q=0, {named};q=0.9"), Format::Text),
            (format!("{named};q=nonsense"), Format::Text),
            (format!("{named};q=2"), Format::Text),
            (format!("{named};escaping=dots"), Format::Text),
            (format!("{named};escaping=dots, {named};escaping=values;q=0.5"), open(Some("values"))),
            (format!("{named};charset=latin1"), Format::Text),
            ("APPLICATION/OpenMetrics-Text".to_owned(), open(None)),
            ("application/*, text/*;q=0.5".to_owned(), open(None)),
            ("application/*;q=0.5, text/*;q=0.5".to_owned(), Format::Text),
            ("text/plain;version=1.0.0".to_owned(), Format::Text),
            (format!("x/y;note=\"a, {named}, b\""), Format::Text),
            ("nonsense".to_owned(), Format::Text),
        ] {
            assert_eq!(Format::wanted(&accept), format, "{accept}");
        }
    }

    #[test]
    fn the_content_type_repeats_the_escaping() {
        assert_eq!(open(None).content_type(), OPEN_METRICS);
        assert!(open(Some("values")).content_type().ends_with("; escaping=values"));
        assert_eq!(Format::Text.content_type(), "text/plain; version=0.0.4; charset=utf-8");
    }
}
