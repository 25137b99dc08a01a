//! A condition: read from its words, and decided for an event. Only what our rules use; anything else is refused, not ignored.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};

use super::tokens::Token;

/// What has to hold of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// All of them.
    All(Vec<Self>),
    /// One of them.
    Any(Vec<Self>),
    /// The opposite.
    Not(Box<Self>),
    /// A field, compared with values.
    Is(String, Operator, Vec<String>),
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `=`.
    Equal,
    /// `>=`, numbers only.
    AtLeast,
    /// `in`.
    In,
    /// `startswith`.
    StartsWith,
    /// `endswith`.
    EndsWith,
    /// `contains`.
    Contains,
}

/// Words that are no values and no fields.
const RESERVED: [&str; 4] = ["and", "or", "not", "exists"];

impl Condition {
    /// Reads one, without macros and lists.
    pub fn read(tokens: &[Token]) -> Result<Self> {
        let mut words = tokens;
        let read = expression(&mut words)?;
        ensure!(words.is_empty(), "{:?} after the end of the condition", words[0]);
        Ok(read)
    }

    /// The fields that it looks at.
    pub fn fields(&self) -> BTreeSet<&str> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::fields).collect(),
            Self::Not(part) => part.fields(),
            Self::Is(field, ..) => BTreeSet::from([field.as_str()]),
        }
    }

    /// The values that a field is compared with.
    pub fn values(&self, of: &str) -> BTreeSet<&str> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(|part| part.values(of)).collect(),
            Self::Not(part) => part.values(of),
            Self::Is(field, _, values) if field == of => values.iter().map(String::as_str).collect(),
            Self::Is(..) => BTreeSet::new(),
        }
    }

    /// Whether it holds. `field` gives the value of one, `None` for a field that the event does not have: no comparison with it
    /// holds, as in Falco.
    ///
    /// # Errors
    /// When `field` knows no such field.
    pub fn holds(&self, field: &impl Fn(&str) -> Result<Option<String>>) -> Result<bool> {
        match self {
            Self::All(parts) => parts.iter().try_fold(true, |all, part| Ok(part.holds(field)? && all)),
            Self::Any(parts) => parts.iter().try_fold(false, |any, part| Ok(part.holds(field)? || any)),
            Self::Not(part) => Ok(!part.holds(field)?),
            Self::Is(name, operator, values) => {
                let Some(value) = field(name)? else { return Ok(false) };
                for wanted in values {
                    if operator.holds(&value, wanted)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

impl Operator {
    fn of(token: &Token) -> Option<Self> {
        Some(match token {
            Token::Sign("=") => Self::Equal,
            Token::Sign(">=") => Self::AtLeast,
            Token::Word(word) => match word.as_str() {
                "in" => Self::In,
                "startswith" => Self::StartsWith,
                "endswith" => Self::EndsWith,
                "contains" => Self::Contains,
                _ => return None,
            },
            _ => return None,
        })
    }

    fn holds(self, value: &str, wanted: &str) -> Result<bool> {
        let number = |text: &str| text.parse::<i64>().with_context(|| format!("{text:?} is not a number"));
        Ok(match self {
            Self::Equal | Self::In => value == wanted,
            Self::AtLeast => number(value)? >= number(wanted)?,
            Self::StartsWith => value.starts_with(wanted),
            Self::EndsWith => value.ends_with(wanted),
            Self::Contains => value.contains(wanted),
        })
    }
}

/// Terms with `and` between them, or with `or`; not both, as there people and programs differ about what is meant.
fn expression(words: &mut &[Token]) -> Result<Condition> {
    let mut parts = vec![term(words)?];
    let mut between: Option<String> = None;
    while let [Token::Word(word), ..] = words {
        if word != "and" && word != "or" {
            break;
        }
        ensure!(between.as_ref().is_none_or(|before| before == word), "and beside or: brackets say which is meant");
        between = Some(word.clone());
        *words = &words[1..];
        parts.push(term(words)?);
    }
    Ok(match between.as_deref() {
        None => parts.remove(0),
        Some("and") => Condition::All(parts),
        Some(_) => Condition::Any(parts),
    })
}

fn term(words: &mut &[Token]) -> Result<Condition> {
    match words {
        [Token::Open, ..] => {
            *words = &words[1..];
            let inner = expression(words)?;
            ensure!(words.first() == Some(&Token::Close), "a bracket without its end before {:?}", words.first());
            *words = &words[1..];
            Ok(inner)
        }
        [Token::Word(word), ..] if word == "not" => {
            *words = &words[1..];
            Ok(Condition::Not(Box::new(term(words)?)))
        }
        [Token::Word(field), operator, ..] if !RESERVED.contains(&field.as_str()) => {
            let read = Operator::of(operator);
            let read = read.with_context(|| format!("{field}: {operator:?} is no comparison that is known here"))?;
            *words = &words[2..];
            Ok(Condition::Is(field.clone(), read, values(read, words)?))
        }
        _ => bail!("a condition was expected before {:?}", words.first()),
    }
}

fn values(operator: Operator, words: &mut &[Token]) -> Result<Vec<String>> {
    if operator != Operator::In {
        return Ok(vec![value(words)?]);
    }
    ensure!(words.first() == Some(&Token::Open), "in without a list");
    let mut values = Vec::new();
    loop {
        // The bracket, then the commas.
        *words = &words[1..];
        values.push(value(words)?);
        match words.first() {
            Some(Token::Comma) => {}
            Some(Token::Close) => break,
            other => bail!("in a list: {other:?}"),
        }
    }
    *words = &words[1..];
    Ok(values)
}

fn value(words: &mut &[Token]) -> Result<String> {
    match words {
        [Token::Word(word), ..] if !RESERVED.contains(&word.as_str()) => {
            let word = word.clone();
            *words = &words[1..];
            Ok(word)
        }
        [Token::Quoted(value), ..] => {
            let value = value.clone();
            *words = &words[1..];
            Ok(value)
        }
        _ => bail!("a value was expected before {:?}", words.first()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::split;
    use super::*;

    fn read(text: &str) -> Result<Condition> {
        Condition::read(&split(text)?)
    }

    fn holds(text: &str) -> bool {
        let field = |name: &str| match name {
            "name" => Ok(Some("/usr/lib/x.so".to_owned())),
            "number" => Ok(Some("-1".to_owned())),
            "absent" => Ok(None),
            _ => bail!("no field {name}"),
        };
        read(text).unwrap().holds(&field).unwrap()
    }

    #[test]
    fn conditions_are_decided() {
        for text in [
            "name = /usr/lib/x.so",
            "name in (a, \"/usr/lib/x.so\")",
            "name startswith /usr and not (number >= 0)",
            "name endswith .so or number >= 0",
            "not absent = 1",
        ] {
            assert!(holds(text), "{text}");
        }
        for text in ["name contains .so.", "number >= 0", "absent = 1", "not name startswith /usr/", "number in (1, 2)"]
        {
            assert!(!holds(text), "{text}");
        }
    }

    #[test]
    fn what_is_ambiguous_or_not_known_is_refused() {
        for text in [
            "a = 1 and b = 2 or c = 3",
            "a = 1 or b = 2 and c = 3",
            "a glob x",
            "a in b",
            "a in (b",
            "(a = 1",
            "a = 1 b = 2",
            "a =",
            "and",
            "",
        ] {
            read(text).unwrap_err();
        }
        read("(a = 1 and b = 2) or c = 3").unwrap();
    }

    #[test]
    fn a_field_that_nobody_knows_is_an_error_even_where_it_does_not_matter() {
        let unknown = |name: &str| if name == "a" { Ok(None) } else { bail!("no field {name}") };
        read("a = 1 and b = 2").unwrap().holds(&unknown).unwrap_err();
        let condition = read("a = 1 and not (b in (2, 3) or a = 4)").unwrap();
        assert_eq!(condition.fields(), BTreeSet::from(["a", "b"]));
        assert_eq!(condition.values("a"), BTreeSet::from(["1", "4"]));
    }
}
