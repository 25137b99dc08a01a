//! What can go wrong with a source: each error says what, where, and what to do.

use std::io;

use super::template::TemplateError;

/// A source that cannot be opened, or cannot give the next message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A template does not parse.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A header is not `name=template`.
    #[error("header number {number} is not of the form name=template, with a name that is not empty")]
    Header {
        /// Which of the headers, counted from 1.
        number: usize,
    },
    /// A payload is larger than a message can be.
    #[error("a value of {size} bytes is beyond {limit}, the most one message can carry: ask for a smaller size")]
    Size {
        /// The size asked for, in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The input does not open.
    #[error("cannot open {name}: check the path, and that this user may read it")]
    Open {
        /// The path, or "standard input".
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// A file to be sent as one message cannot be read.
    #[error("cannot read {name}")]
    ReadFile {
        /// The path, or "standard input".
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// The run is to stop before the input is read.
    #[error("the run is to stop")]
    Stopped,
    /// A file to be sent as one message is larger than a message can be.
    #[error("{name} is larger than {limit} bytes, the most one message can carry: send it in parts")]
    TooLarge {
        /// The path, or "standard input".
        name: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The input stopped giving bytes.
    #[error("cannot read line {line} of {name}")]
    ReadLine {
        /// The path, or "standard input".
        name: String,
        /// The line, counted from 1.
        line: u64,
        /// Why not.
        source: io::Error,
    },
    /// A line is not a message.
    #[error("{name}, line {line}: {problem}")]
    Line {
        /// The path, or "standard input".
        name: String,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        problem: LineProblem,
    },
    /// A message was asked for whose line has been passed already.
    #[error("line {line} of {name} has been read already: the numbers asked for have to rise")]
    Passed {
        /// The path, or "standard input".
        name: String,
        /// The line, counted from 1.
        line: u64,
    },
}

/// Why a line is not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineProblem {
    /// Not UTF-8.
    #[error("byte {byte} is not UTF-8: convert the file, or send its bytes as they are with --input-format raw")]
    NotUtf8 {
        /// The first byte at fault, counted from 1 within the line.
        byte: usize,
    },
    /// Longer than allowed.
    #[error("longer than {limit} bytes: check the line ends, or send the file as one message with --file")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// Nothing but white space where a record has to be.
    #[error("blank, and each line has to be a JSON object: remove the line")]
    Blank,
    /// JSON, perhaps, but not an object.
    #[error("not a JSON object: write {{\"value\": ...}}, or send lines as they are with --input-format text")]
    NotAnObject,
    /// Not JSON, or not the JSON of a record.
    #[error("not a JSON record, at byte {column}: {reason}")]
    Json {
        /// The byte where parsing stopped, counted from 1 within the line.
        column: usize,
        /// What the parser says.
        reason: String,
    },
    /// A field that does not hold what it has to.
    #[error("field `{field}`: {reason}")]
    Field {
        /// The name of the field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}
