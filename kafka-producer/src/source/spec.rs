//! What to publish, as plain data, and the checks of it that need nothing opened.

use std::path::PathBuf;

use super::template::Template;
use super::{PayloadKind, SourceError};

/// The largest message there can be, in bytes: the upper end of librdkafka's `message.max.bytes`.
pub const MAX_MESSAGE_BYTES: usize = 1_000_000_000;

/// The longest line of an input, in bytes, when nothing else is said. Sixteen times what a broker takes by default, and
/// small enough that a file without line ends fails before it fills the memory of a pod.
pub const DEFAULT_MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

/// What to publish, as configured.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// Names the run: part of the demo message, and `{{run_id}}`.
    pub run_id: String,
    /// The name of this machine or pod, for `{{host}}`.
    pub host: String,
    /// The share of this process, for `{{index}}`.
    pub index: u64,
    /// The key of each message.
    pub key: KeySpec,
    /// The value of each message.
    pub value: ValueSpec,
    /// Headers as `name=template`, in order. They follow the headers that the source itself brings.
    pub headers: Vec<String>,
}

/// The key of each message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KeySpec {
    /// What suits the value: the sequence number for generated messages (so that every partition is used), a record's own
    /// key for JSON lines, and no key for text lines and files.
    #[default]
    Default,
    /// A template. A JSON line with a key of its own keeps it.
    Template(String),
    /// No key, not even one that a JSON line brings.
    None,
}

/// The value of each message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ValueSpec {
    /// The demo message: `{"dev":true,"run_id":"...","seq":17,"time":"..."}`.
    #[default]
    Demo,
    /// A template, given in place or read from a file by the caller.
    Template(String),
    /// A template in a file that may have to be waited for, such as a pipe.
    TemplateFrom(Input),
    /// Text of a fixed size.
    Payload {
        /// Size in bytes; 0 makes empty values (not tombstones).
        size: usize,
        /// What the text is like.
        kind: PayloadKind,
    },
    /// One message a line.
    Lines {
        /// Where the lines come from.
        from: Input,
        /// What a line is.
        format: LineFormat,
        /// The longest line in bytes, without its end.
        max_line_bytes: usize,
    },
    /// A whole file as one message.
    File {
        /// The file to send.
        from: Input,
        /// Compress it, and say so in a header.
        gzip: bool,
        /// How often to send it.
        count: u64,
    },
}

/// Where bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// A file, or anything that opens like one.
    File(PathBuf),
}

impl Input {
    /// Reads the command line's way to say it: `-` is standard input.
    pub fn parse(text: &str) -> Input {
        if text == "-" { Input::Stdin } else { Input::File(PathBuf::from(text)) }
    }
}

/// What a line of the input is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineFormat {
    /// The line is the value. It has to be UTF-8; one carriage return at its end belongs to the line end.
    #[default]
    Text,
    /// The line is the value, whatever its bytes; only the line feed is taken off.
    Raw,
    /// The line is a JSON object with the parts of a message, all of them optional: `key` or `key_base64`, `value` or
    /// `value_base64`, `headers` (an object, or an array of pairs), `partition`, `timestamp` (epoch milliseconds or RFC 3339).
    /// Without a value, or with `null`, it is a tombstone.
    Json,
}

impl Spec {
    /// The files that the source opens.
    pub fn files(&self) -> Vec<PathBuf> {
        let from = match &self.value {
            ValueSpec::TemplateFrom(from) | ValueSpec::Lines { from, .. } | ValueSpec::File { from, .. } => Some(from),
            ValueSpec::Demo | ValueSpec::Template(_) | ValueSpec::Payload { .. } => None,
        };
        let file = from.and_then(|from| match from {
            Input::Stdin => None,
            Input::File(path) => Some(path.clone()),
        });
        file.into_iter().collect()
    }

    /// Every problem that shows without opening anything, so that configuration can report all of them at once.
    pub fn problems(&self) -> Vec<SourceError> {
        let mut problems = Vec::new();
        problems.extend(parse_key(&self.key).err());
        problems.extend(match &self.value {
            ValueSpec::Template(text) => parse_value(text).err(),
            ValueSpec::Payload { size, .. } => check_size(*size).err(),
            ValueSpec::Demo | ValueSpec::TemplateFrom(_) | ValueSpec::Lines { .. } | ValueSpec::File { .. } => None,
        });
        problems.extend(self.headers.iter().enumerate().filter_map(|(at, header)| parse_header(at, header).err()));
        problems
    }
}

pub(super) fn parse_key(key: &KeySpec) -> Result<Option<Template>, SourceError> {
    match key {
        KeySpec::Template(text) => Ok(Some(Template::parse("the key template", text)?)),
        KeySpec::Default | KeySpec::None => Ok(None),
    }
}

/// Splits `name=template`. The text of a header is not repeated in errors about its form, as it may be a credential.
pub(super) fn parse_header(at: usize, header: &str) -> Result<(String, Template), SourceError> {
    match header.split_once('=') {
        Some((name, text)) if !name.is_empty() && !name.contains('\0') => {
            let template = Template::parse(&format!("the template of header `{name}`"), text)?;
            Ok((name.to_owned(), template))
        }
        _ => Err(SourceError::Header { number: at + 1 }),
    }
}

pub(super) fn parse_value(text: &str) -> Result<Template, SourceError> {
    Ok(Template::parse("the value template", text)?)
}

pub(super) fn check_size(size: usize) -> Result<(), SourceError> {
    if size > MAX_MESSAGE_BYTES {
        return Err(SourceError::Size { size, limit: MAX_MESSAGE_BYTES });
    }
    Ok(())
}
