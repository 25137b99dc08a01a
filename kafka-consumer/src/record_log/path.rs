//! How people write down what to hide.

use std::{
    iter::Peekable,
    str::{Chars, FromStr},
};

/// What to hide of a record: `key`, `header:NAME`, or a path into JSON values.
///
/// - `key` is the record's key.
/// - `header:authorization` are the headers of that name, in upper or lower case; `header:*` is all of them.
/// - Anything else is names of JSON fields with dots between them: `password`, `user.email`. `*` stands for any
///   name and for any element of an array. An array is looked through, so `items.card` hides the card of each item;
///   `items.*.card` does too. A backslash takes the character after it as it is: `a\.b` is one name, and `\key` is a
///   field named `key`.
///
/// All that a path leads to is hidden, whatever its type. A field or header that occurs twice is hidden twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath(pub(super) Target);

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Key,
    Header(Segment),
    Field(Vec<Segment>),
}

/// One name of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Any,
    Name(String),
}

/// What is wrong with a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldPathError {
    /// Nothing before, between or after dots, or after `header:`.
    #[error("`{0}` has an empty name (names are separated by single dots, as in `user.email`)")]
    EmptyName(String),
    /// Brackets, which other notations use for arrays.
    #[error(
        "`{0}` has brackets: write `items.card` or `items.*.card` for a field of each element, `\\[` for a bracket"
    )]
    Bracket(String),
    /// A star beside other characters.
    #[error("`{0}` has a `*` within a name: it stands for a whole name only (write `\\*` for the character)")]
    PartialStar(String),
    /// A backslash with nothing after it.
    #[error("`{0}` ends in a backslash: it takes the character after it as it is (write `\\\\` for the character)")]
    LoneBackslash(String),
}

impl FromStr for FieldPath {
    type Err = FieldPathError;

    fn from_str(path: &str) -> Result<Self, FieldPathError> {
        if path == "key" {
            return Ok(Self(Target::Key));
        }
        if let Some(name) = path.strip_prefix("header:") {
            return match name {
                "" => Err(FieldPathError::EmptyName(path.to_owned())),
                "*" => Ok(Self(Target::Header(Segment::Any))),
                name => Ok(Self(Target::Header(Segment::Name(name.to_owned())))),
            };
        }
        let mut segments = Vec::new();
        let mut characters = path.chars().peekable();
        loop {
            segments.push(segment(path, &mut characters)?);
            if characters.next().is_none() {
                return Ok(Self(Target::Field(segments)));
            }
        }
    }
}

/// Reads up to the next dot, which is left for the caller.
fn segment(path: &str, characters: &mut Peekable<Chars<'_>>) -> Result<Segment, FieldPathError> {
    let (mut name, mut star) = (String::new(), false);
    while let Some(character) = characters.next_if(|&character| character != '.') {
        match character {
            '\\' => match characters.next() {
                Some(literal) => name.push(literal),
                None => return Err(FieldPathError::LoneBackslash(path.to_owned())),
            },
            '[' | ']' => return Err(FieldPathError::Bracket(path.to_owned())),
            '*' if star => return Err(FieldPathError::PartialStar(path.to_owned())),
            '*' => star = true,
            other => name.push(other),
        }
    }
    match (name.is_empty(), star) {
        (true, true) => Ok(Segment::Any),
        (true, false) => Err(FieldPathError::EmptyName(path.to_owned())),
        (false, true) => Err(FieldPathError::PartialStar(path.to_owned())),
        (false, false) => Ok(Segment::Name(name)),
    }
}
