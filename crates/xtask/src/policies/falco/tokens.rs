//! The words of a condition: split, with macros and lists put in, and written out again.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};

/// Macros in macros, and lists in lists, go no deeper.
const DEPTH: usize = 8;

/// A word of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// `(`.
    Open,
    /// `)`.
    Close,
    /// `,`.
    Comma,
    /// `=`, `!=`, `<`, `<=`, `>`, `>=`.
    Sign(&'static str),
    /// Anything else: a field, an operator in letters, a value.
    Word(String),
    /// A value in quotes.
    Quoted(String),
}

/// Longer ones first.
const SIGNS: [&str; 6] = ["!=", "<=", ">=", "=", "<", ">"];

/// Splits a text.
pub fn split(text: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '(' | ')' | ',' => {
                tokens.push(if first == '(' {
                    Token::Open
                } else if first == ')' {
                    Token::Close
                } else {
                    Token::Comma
                });
                1
            }
            '"' | '\'' => {
                let Some((value, _)) = rest[1..].split_once(first) else { bail!("{text:?}: a quote without its end") };
                tokens.push(Token::Quoted(value.to_owned()));
                value.len() + 2
            }
            _ => match SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
                Some(sign) => {
                    tokens.push(Token::Sign(sign));
                    sign.len()
                }
                None => {
                    let end = |letter: char| letter.is_whitespace() || "(),=!<>\"'".contains(letter);
                    let length = rest.find(end).unwrap_or(rest.len());
                    ensure!(length > 0, "{text:?}: {first:?} means nothing here");
                    tokens.push(Token::Word(rest[..length].to_owned()));
                    length
                }
            },
        };
        rest = rest[taken..].trim_start();
    }
    Ok(tokens)
}

/// Puts in what macros and lists stand for.
pub fn expand(
    tokens: &[Token],
    macros: &BTreeMap<String, String>,
    lists: &BTreeMap<String, Vec<String>>,
) -> Result<Vec<Token>> {
    let mut expanded = tokens.to_vec();
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for token in &expanded {
            match token {
                Token::Word(name) if macros.contains_key(name) => {
                    next.push(Token::Open);
                    next.extend(split(&macros[name])?);
                    next.push(Token::Close);
                }
                Token::Word(name) if lists.contains_key(name) => {
                    for (number, item) in lists[name].iter().enumerate() {
                        if number > 0 {
                            next.push(Token::Comma);
                        }
                        next.extend(split(item)?);
                    }
                }
                other => next.push(other.clone()),
            }
        }
        if next == expanded {
            return Ok(expanded);
        }
        expanded = next;
    }
    bail!("macros or lists that contain each other")
}

/// As a filter is written.
pub fn text(tokens: &[Token]) -> String {
    let words = tokens.iter().map(|token| match token {
        Token::Open => "(".to_owned(),
        Token::Close => ")".to_owned(),
        Token::Comma => ",".to_owned(),
        Token::Sign(sign) => (*sign).to_owned(),
        Token::Word(word) => word.clone(),
        Token::Quoted(value) => format!("\"{value}\""),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_split_expanded_and_written() {
        let macros = BTreeMap::from([("ours".to_owned(), "(x.y = 1 or x.z in (few))".to_owned())]);
        let lists = BTreeMap::from([("few".to_owned(), vec!["a".to_owned(), "\"b c\"".to_owned()])]);
        let tokens = split("evt.type=connect and ours").unwrap();
        let expanded = expand(&tokens, &macros, &lists).unwrap();
        assert_eq!(text(&expanded), "evt.type = connect and ( ( x.y = 1 or x.z in ( a , \"b c\" ) ) )");
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        split("a = \"b").unwrap_err();
        split("a ! b").unwrap_err();
        let endless = BTreeMap::from([("a".to_owned(), "b".to_owned()), ("b".to_owned(), "a".to_owned())]);
        expand(&split("a").unwrap(), &endless, &BTreeMap::new()).unwrap_err();
    }
}
