//! Text with placeholders, for keys, values and headers.
//!
//! `{{name}}` is a placeholder, `{{{{` stands for a literal `{{`, and `}}` outside a placeholder is just text, so that JSON needs
//! no escaping: `{"order":{"id":{{seq}}}}`. What is filled in is not escaped either.

use super::context::Context;
use super::message::push_number;

/// Every placeholder there is, for help and errors.
pub const PLACEHOLDERS: [&str; 10] = [
    "{{seq}}",
    "{{run_id}}",
    "{{index}}",
    "{{host}}",
    "{{uuid}}",
    "{{time}}",
    "{{time_ms}}",
    "{{time_us}}",
    "{{random:N}}",
    "{{random_int:A:B}}",
];

/// The longest `{{random:N}}`: what a broker takes as one message by default.
const MAX_RANDOM: usize = 1024 * 1024;

/// A template that does not parse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}, line {line}, column {column}: {problem}")]
pub struct TemplateError {
    /// Which template.
    pub what: String,
    /// The line of the placeholder, counted from 1.
    pub line: usize,
    /// The column of the placeholder in characters, counted from 1.
    pub column: usize,
    /// What is wrong with it.
    pub problem: TemplateProblem,
}

/// What is wrong with a placeholder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateProblem {
    /// Two braces open and never close.
    #[error("`{{{{` without `}}}}`: close the placeholder, or write `{{{{{{{{` for two braces")]
    Open,
    /// No placeholder has this name.
    #[error(
        "unknown placeholder `{{{{{found}}}}}`: there are {}; write `{{{{{{{{` for two braces",
        PLACEHOLDERS.join(", ")
    )]
    Unknown {
        /// What stands between the braces.
        found: String,
    },
    /// A placeholder with arguments that do not fit.
    #[error("`{{{{{found}}}}}`: {expected}")]
    Argument {
        /// What stands between the braces.
        found: String,
        /// How it is written.
        expected: String,
    },
}

/// A parsed template.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Sequence,
    RunId,
    Index,
    Host,
    Uuid,
    Time,
    TimeMs,
    TimeUs,
    Random(usize),
    RandomInt(i64, i64),
}

impl Template {
    /// Parses `text`; `what` names the template in errors.
    pub fn parse(what: &str, text: &str) -> Result<Template, TemplateError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            literal.push_str(before);
            if let Some(escaped) = after.strip_prefix("{{") {
                literal.push_str("{{");
                rest = escaped;
                continue;
            }
            let fail = |problem| {
                let (line, column) = position(&text[..text.len() - after.len() - "{{".len()]);
                TemplateError { what: what.to_owned(), line, column, problem }
            };
            let (inside, behind) = after.split_once("}}").ok_or_else(|| fail(TemplateProblem::Open))?;
            let piece = placeholder(inside.trim()).map_err(fail)?;
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal).into_bytes()));
            }
            pieces.push(piece);
            rest = behind;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal.into_bytes()));
        }
        Ok(Template { pieces })
    }

    /// Appends the text for the message at hand.
    pub fn render(&self, context: &mut Context, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Sequence => context.push_sequence(out),
                Piece::RunId => out.extend_from_slice(context.run_id().as_bytes()),
                Piece::Index => push_number(context.index(), out),
                Piece::Host => out.extend_from_slice(context.host().as_bytes()),
                // From the system and not from `rng`: its 64 bits of state are too few for names that are unique over
                // all pods.
                Piece::Uuid => {
                    let mut buffer = uuid::Uuid::encode_buffer();
                    out.extend_from_slice(uuid::Uuid::new_v4().as_hyphenated().encode_lower(&mut buffer).as_bytes());
                }
                Piece::Time => context.push_time(out),
                Piece::TimeMs => push_number(context.sent_us().div_euclid(1000), out),
                Piece::TimeUs => push_number(context.sent_us(), out),
                Piece::Random(count) => context.push_letters(*count, out),
                Piece::RandomInt(low, high) => push_number(context.rng().i64(*low..=*high), out),
            }
        }
    }
}

/// What stands between the braces, as a piece.
fn placeholder(inside: &str) -> Result<Piece, TemplateProblem> {
    let wrong = |expected: String| TemplateProblem::Argument { found: shown(inside), expected };
    let (name, arguments) = match inside.split_once(':') {
        Some((name, arguments)) => (name, Some(arguments)),
        None => (inside, None),
    };
    let piece = match name {
        "random" => {
            let count = arguments.and_then(|count| count.parse().ok());
            return match count {
                Some(count @ 1..=MAX_RANDOM) => Ok(Piece::Random(count)),
                _ => Err(wrong(format!("write {{{{random:N}}}} with N from 1 to {MAX_RANDOM}"))),
            };
        }
        "random_int" => {
            let bounds = arguments.and_then(|both| both.split_once(':'));
            return match bounds.map(|(low, high)| (low.parse(), high.parse())) {
                Some((Ok(low), Ok(high))) if low <= high => Ok(Piece::RandomInt(low, high)),
                _ => Err(wrong(
                    "write {{random_int:A:B}} with whole numbers, A not above B; both can be drawn".to_owned(),
                )),
            };
        }
        "seq" => Piece::Sequence,
        "run_id" => Piece::RunId,
        "index" => Piece::Index,
        "host" => Piece::Host,
        "uuid" => Piece::Uuid,
        "time" => Piece::Time,
        "time_ms" => Piece::TimeMs,
        "time_us" => Piece::TimeUs,
        _ => {
            return Err(TemplateProblem::Unknown { found: shown(inside) });
        }
    };
    match arguments {
        None => Ok(piece),
        Some(_) => Err(wrong(format!("write {{{{{name}}}}}, it takes no argument"))),
    }
}

/// Short enough for an error: a forgotten brace can make half the file a placeholder.
fn shown(inside: &str) -> String {
    const LONGEST: usize = 40;
    match inside.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}...", &inside[..cut]),
        None => inside.to_owned(),
    }
}

/// Line and column of what follows `before`, both counted from 1.
fn position(before: &str) -> (usize, usize) {
    let last_line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, last_line.chars().count() + 1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use std::collections::HashSet;

    use fastrand::Rng;

    use super::*;

    /// The same templates in every run: a failure names its round.
    const SEED: u64 = 0x7e3;
    const ROUNDS: usize = if cfg!(debug_assertions) { 5_000 } else { 100_000 };

    /// A text that has more braces than people write.
    fn any_text(rng: &mut Rng) -> String {
        let size = rng.usize(0..40);
        let character = |_| match rng.u8(0..6) {
            0 => rng.char(..),
            1 | 2 => *rng.choice(&['{', '}']).unwrap(),
            3 => *rng.choice(&['\n', ':', ' ', '-', '1', 'ö']).unwrap(),
            _ => rng.alphabetic(),
        };
        (0..size).map(character).collect()
    }

    fn render(text: &str) -> String {
        let mut context = Context::new("run-1", "pod-a", 3);
        context.begin(42, 1_795_432_527_123_456);
        let mut out = Vec::new();
        Template::parse("the value template", text).unwrap().render(&mut context, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn error(text: &str) -> String {
        Template::parse("the key template", text).unwrap_err().to_string()
    }

    #[test]
    fn each_placeholder() {
        assert_eq!(render("{{seq}}"), "42");
        assert_eq!(render("{{run_id}}"), "run-1");
        assert_eq!(render("{{index}}"), "3");
        assert_eq!(render("{{host}}"), "pod-a");
        assert_eq!(render("{{time}}"), "2026-11-23T11:15:27.123456Z");
        assert_eq!(render("{{time_ms}}"), "1795432527123");
        assert_eq!(render("{{time_us}}"), "1795432527123456");
        let uuid = render("{{uuid}}");
        assert_eq!(uuid::Uuid::parse_str(&uuid).unwrap().get_version_num(), 4);
        let random = render("{{random:25}}");
        assert!(random.len() == 25 && random.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{random}");
        assert_eq!(render("{{random_int:-3:-3}}"), "-3");
        assert_eq!(render(&format!("{{{{random_int:{}:{}}}}}", i64::MAX, i64::MAX)), i64::MAX.to_string());
    }

    #[test]
    fn each_listed_placeholder_parses() {
        for listed in PLACEHOLDERS {
            render(&listed.replace(":N", ":8").replace(":A:B", ":1:9"));
        }
    }

    #[test]
    fn chance_differs_and_stays_within_bounds() {
        let mut context = Context::new("run", "host", 0);
        for text in ["{{uuid}}", "{{random:16}}"] {
            let template = Template::parse("the value template", text).unwrap();
            let all: HashSet<_> = (0..100)
                .map(|_| {
                    let mut out = Vec::new();
                    template.render(&mut context, &mut out);
                    out
                })
                .collect();
            assert_eq!(all.len(), 100, "{text}");
        }
        let drawn: HashSet<i64> = (0..200).map(|_| render("{{random_int:-1:2}}").parse().unwrap()).collect();
        assert_eq!(drawn, HashSet::from([-1, 0, 1, 2]));
    }

    #[test]
    fn text_around_stays_as_it_is() {
        assert_eq!(render(""), "");
        assert_eq!(render("plain"), "plain");
        assert_eq!(render(r#"{"order":{"id":{{seq}}}}"#), r#"{"order":{"id":42}}"#);
        assert_eq!(render("a{{ seq }}b{{seq}}\n"), "a42b42\n");
        assert_eq!(render("ö{{seq}}ß } }} {"), "ö42ß } }} {");
    }

    #[test]
    fn any_text_comes_out_as_it_went_in_when_its_braces_are_doubled() {
        let mut rng = Rng::with_seed(SEED);
        for round in 0..ROUNDS {
            let text = any_text(&mut rng);
            assert_eq!(render(&text.replace("{{", "{{{{")), text, "round {round}");
            // A brace in front of a placeholder would be the first of its own two.
            let text = text.trim_end_matches('{');
            let around = format!("{0}{{{{seq}}}}{0}", text.replace("{{", "{{{{"));
            assert_eq!(render(&around), format!("{text}42{text}"), "round {round}");
        }
    }

    #[test]
    fn any_template_is_rendered_or_refused_where_two_braces_stand() {
        let mut rng = Rng::with_seed(SEED);
        let mut context = Context::new("run", "host", 0);
        let (mut rendered, mut refused) = (0, 0);
        for round in 0..ROUNDS {
            let pieces: [&str; 12] =
                ["{{", "}}", "{", "}", "seq", "random:3", "random_int:1:9", "random_int:", ":", " ", "\n", "ö"];
            let size = rng.usize(0..12);
            let mut text: String = (0..size).map(|_| rng.choice(pieces).unwrap()).collect();
            if rng.bool() {
                text.push_str(&any_text(&mut rng));
            }
            match Template::parse("the value template", &text) {
                Ok(template) => {
                    template.render(&mut context, &mut Vec::new());
                    rendered += 1;
                }
                Err(error) => {
                    let line = text.split('\n').nth(error.line - 1).unwrap();
                    let rest: String = line.chars().skip(error.column - 1).collect();
                    assert!(rest.starts_with("{{"), "round {round}: {error} is not where {text:?} is wrong");
                    assert!(error.to_string().len() < 500, "round {round}: {error}");
                    refused += 1;
                }
            }
        }
        assert!(rendered > ROUNDS / 10 && refused > ROUNDS / 10, "{rendered} rendered, {refused} refused");
    }

    #[test]
    fn four_braces_are_two() {
        assert_eq!(render("{{{{seq}} is {{seq}}"), "{{seq}} is 42");
        assert_eq!(render("{{{{{{{{"), "{{{{");
        assert_eq!(render("{{{{{{seq}}"), "{{42");
    }

    #[test]
    fn unknown_names_give_position_and_the_list() {
        let text = error("one\nöö {{sequ}}");
        assert!(
            text.starts_with("the key template, line 2, column 4: unknown placeholder `{{sequ}}`: there are {{seq}}, ")
        );
        assert!(text.ends_with("{{random_int:A:B}}; write `{{{{` for two braces"), "{text}");
        assert!(error("{{}}").contains("unknown placeholder `{{}}`"));
        assert!(error("{{SEQ}}").contains("unknown placeholder `{{SEQ}}`"));
        assert!(error(&format!("{{{{{}}}}}", "x".repeat(5000))).len() < 400);
    }

    #[test]
    fn open_placeholders_and_bad_arguments() {
        assert_eq!(
            error("a {{seq}} {{seq"),
            "the key template, line 1, column 11: `{{` without `}}`: close the placeholder, or write `{{{{` for two braces"
        );
        for bad in ["random", "random:", "random:0", "random:-1", "random:1048577", "random:1:2", "random:x"] {
            assert!(error(&format!("{{{{{bad}}}}}")).contains("write {{random:N}} with N from 1 to 1048576"), "{bad}");
        }
        for bad in ["random_int", "random_int:1", "random_int:2:1", "random_int:1:2:3", "random_int:a:b"] {
            assert!(error(&format!("{{{{{bad}}}}}")).contains("write {{random_int:A:B}}"), "{bad}");
        }
        assert!(error("{{seq:1}}").contains("write {{seq}}, it takes no argument"));
    }
}
