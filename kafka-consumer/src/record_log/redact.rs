//! Hiding what must not be logged.

use std::{borrow::Cow, ops::Range};

use common::stamp;

use super::{
    document,
    path::{FieldPath, Segment, Target},
};

/// Stands for what a path hides.
pub(super) const REDACTED: &str = "[redacted]";
/// Stands for a whole value in which fields cannot be told apart.
pub(super) const WITHHELD: &str = "[withheld]";

/// Sorts paths by what they lead to.
pub(super) fn compile(paths: Vec<FieldPath>) -> (Redaction, Fields) {
    let (mut redaction, mut fields) = (Redaction::default(), Fields::default());
    for FieldPath(target) in paths {
        match target {
            Target::Key => redaction.key = true,
            Target::Header(name) => {
                redaction.stamp |= hides(&name, stamp::HEADER.as_bytes());
                redaction.headers.push(name);
            }
            Target::Field(path) => fields.paths.push(path),
        }
    }
    (redaction, fields)
}

/// Which of key and headers to hide.
#[derive(Debug, Default)]
pub(super) struct Redaction {
    pub key: bool,
    /// Whether the stamp is one of the headers to hide, and so what the line says from it.
    pub stamp: bool,
    headers: Vec<Segment>,
}

impl Redaction {
    /// What to show of a header: nothing is hidden where there is nothing.
    pub fn header<'a>(&self, name: &[u8], value: Option<&'a [u8]>) -> Option<&'a [u8]> {
        let hidden = self.headers.iter().any(|hidden| hides(hidden, name));
        value.map(|value| if hidden { REDACTED.as_bytes() } else { value })
    }
}

fn hides(hidden: &Segment, header: &[u8]) -> bool {
    match hidden {
        Segment::Any => true,
        Segment::Name(hidden) => hidden.as_bytes().eq_ignore_ascii_case(header),
    }
}

/// Which fields of values to hide.
#[derive(Debug, Default)]
pub(super) struct Fields {
    paths: Vec<Vec<Segment>>,
    /// How far paths have come, a run of positions for each level of the document, reused.
    live: Vec<Position>,
}

/// The segment of a path that has to match next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    path: usize,
    segment: usize,
}

impl Fields {
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Replaces `out` by the compact document with its hidden fields replaced.
    pub fn redact(&mut self, document: &str, out: &mut String) {
        out.clear();
        self.live.clear();
        self.live.extend((0..self.paths.len()).map(|path| Position { path, segment: 0 }));
        let start = 0..self.live.len();
        let mut walk = Walk { document, at: 0, fields: self, out };
        walk.value(start);
    }

    /// Adds the positions of a member by this name, or of an array's element. `true` when it is hidden.
    fn advance(&mut self, from: Range<usize>, name: Option<&str>) -> bool {
        let level = self.live.len();
        for index in from {
            let here = self.live[index];
            if name.is_none() {
                self.add(level, here);
            }
            let path = &self.paths[here.path];
            let matches = match &path[here.segment] {
                Segment::Any => true,
                Segment::Name(segment) => name == Some(segment),
            };
            let next = here.segment + 1;
            if matches && next == path.len() {
                return true;
            }
            if matches {
                let path = here.path;
                self.add(level, Position { path, segment: next });
            }
        }
        false
    }

    /// Adds a position once: in nested arrays each `*` could else double them at every level.
    fn add(&mut self, level: usize, position: Position) {
        if !self.live[level..].contains(&position) {
            self.live.push(position);
        }
    }
}

/// Copies a document member by member. As deep as the document, which is checked to be at most `MAX_DEPTH`.
struct Walk<'w> {
    document: &'w str,
    at: usize,
    fields: &'w mut Fields,
    out: &'w mut String,
}

impl<'w> Walk<'w> {
    fn value(&mut self, live: Range<usize>) {
        match self.peek() {
            Some(b'{') if !live.is_empty() => self.members(live, true),
            Some(b'[') if !live.is_empty() => self.members(live, false),
            _ => {
                let end = document::value_end(self.document.as_bytes(), self.at);
                self.copy_to(end);
            }
        }
    }

    fn members(&mut self, live: Range<usize>, named: bool) {
        self.copy_to(self.at + 1);
        while let Some(byte) = self.peek() {
            if matches!(byte, b',' | b'}' | b']') {
                self.copy_to(self.at + 1);
                if byte == b',' {
                    continue;
                }
                return;
            }
            let name = named.then(|| self.name());
            let level = self.fields.live.len();
            if self.fields.advance(live.clone(), name.as_deref()) {
                self.out.extend(["\"", REDACTED, "\""]);
                self.at = document::value_end(self.document.as_bytes(), self.at);
            } else {
                self.value(level..self.fields.live.len());
            }
            self.fields.live.truncate(level);
        }
    }

    /// Copies a name with its colon and returns it without escapes, which must not hide it from a path.
    fn name(&mut self) -> Cow<'w, str> {
        let start = self.at;
        let end = document::string_end(self.document.as_bytes(), start).unwrap_or(self.document.len());
        self.copy_to(end + 1);
        let quoted = &self.document[start..end];
        if quoted.contains('\\') {
            Cow::Owned(serde_json::from_str(quoted).unwrap_or_default())
        } else {
            Cow::Borrowed(quoted.trim_matches('"'))
        }
    }

    fn peek(&self) -> Option<u8> {
        self.document.as_bytes().get(self.at).copied()
    }

    fn copy_to(&mut self, end: usize) {
        self.out.push_str(&self.document[self.at..end]);
        self.at = end;
    }
}
