//! What of a value may be shown, and as what.

use std::str;

use super::{
    document,
    redact::{Fields, WITHHELD},
};

/// A value ready to be laid out.
pub(super) enum Value<'a> {
    /// Values are switched off.
    Off,
    Tombstone,
    /// Fields are to be hidden, and this value has none that can be found.
    Withheld,
    /// A compact JSON object or array.
    Document(&'a str),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// Decides how values are shown.
#[derive(Debug)]
pub(super) struct Values {
    shown: bool,
    fields: Fields,
    /// Bytes above which a value cannot be embedded, and is not looked at as a whole.
    limit: usize,
    compact: String,
    redacted: String,
}

impl Values {
    pub fn new(shown: bool, fields: Fields, limit: usize) -> Self {
        Self { shown, fields, limit, compact: String::new(), redacted: String::new() }
    }

    /// How to show `value`.
    pub fn show<'a>(&'a mut self, value: Option<&'a [u8]>) -> Value<'a> {
        if !self.shown {
            return Value::Off;
        }
        let Some(bytes) = value else {
            return Value::Tombstone;
        };
        if self.fields.is_empty() {
            if bytes.len() > self.limit {
                return start_of(bytes, self.limit);
            }
            return match str::from_utf8(bytes) {
                Err(_) => Value::Bytes(bytes),
                Ok(text) => document::compact(text, &mut self.compact).map_or(Value::Text(text), Value::Document),
            };
        }
        // Cut only after redaction, so even the longest value is parsed.
        let document = str::from_utf8(bytes).ok().and_then(|text| document::compact(text, &mut self.compact));
        document.map_or(Value::Withheld, |document| {
            self.fields.redact(document, &mut self.redacted);
            Value::Document(&self.redacted)
        })
    }

    /// Appends the bytes of `value`, changed only by redaction.
    pub fn raw(&mut self, value: Option<&[u8]>, out: &mut Vec<u8>) {
        if self.shown && self.fields.is_empty() {
            out.extend_from_slice(value.unwrap_or_default());
            return;
        }
        match self.show(value) {
            Value::Off | Value::Tombstone => {}
            Value::Withheld => out.extend_from_slice(WITHHELD.as_bytes()),
            Value::Document(text) | Value::Text(text) => out.extend_from_slice(text.as_bytes()),
            Value::Bytes(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// A value that is too long for the line, whatever is done with it: only what may be shown of it is looked at, so that it costs
/// no more than a value that fits. What is returned is still too long, and so will be cut.
fn start_of(bytes: &[u8], limit: usize) -> Value<'_> {
    let start = bytes.get(..limit).unwrap_or(bytes);
    match str::from_utf8(start) {
        Ok(text) => Value::Text(text),
        // The last character goes on beyond the limit.
        Err(error) if error.error_len().is_none() => {
            let (text, _) = start.split_at(error.valid_up_to());
            str::from_utf8(text).map_or(Value::Bytes(bytes), Value::Text)
        }
        Err(_) => Value::Bytes(bytes),
    }
}
