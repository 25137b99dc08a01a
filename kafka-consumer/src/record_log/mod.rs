//! One record in, one line out: the consumer's hot path, without I/O, and without an allocation of its own per record.
//!
//! [`RecordLog::line`] appends to a buffer that the caller reuses and writes out in large pieces. `json` and `human`
//! lay a line out, `value` decides how a value is shown, `redact` hides fields by `path`, `document` and `text` handle
//! characters, `time` formats timestamps.

mod document;
mod human;
mod json;
mod path;
mod redact;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod value;

use common::stamp::Stamp;
pub use document::MAX_DEPTH;
pub use path::{FieldPath, FieldPathError};

/// Bytes of a line, its newline included, that container runtimes (which split at 16 KiB) pass on in one piece.
pub const DEFAULT_MAX_LINE_BYTES: usize = 15 * 1024;

/// Bytes that the fields which are never cut may need; a smaller limit counts as this one.
pub const MIN_LINE_BYTES: usize = 1536;

/// A record as Kafka delivered it, borrowed.
#[derive(Clone, Debug)]
pub struct Record<'a, H> {
    /// Name of the topic; Kafka allows at most 249 bytes, and no more are shown.
    pub topic: &'a str,
    /// Partition of the topic.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
    /// When the record was created or appended, if the broker says so.
    pub timestamp: Option<RecordTimestamp>,
    /// Key, `None` for a record without one.
    pub key: Option<&'a [u8]>,
    /// Value, `None` for a tombstone.
    pub value: Option<&'a [u8]>,
    /// Names and values of the headers in their order, of the type `Iterator<Item = (&[u8], Option<&[u8]>)> + Clone`.
    pub headers: H,
    /// The run that sent the record, and its number there; `None` leaves them out.
    pub stamp: Option<Stamp<'a>>,
    /// Microseconds from sending to receiving, negative when the clocks disagree; `None` leaves the field out.
    pub latency_us: Option<i64>,
    /// Trace that the record belongs to, 32 hexadecimal digits; `None` leaves the field out.
    pub trace_id: Option<&'a str>,
}

/// A record's own time in milliseconds since 1970, and who set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordTimestamp {
    /// Set by the producer.
    Create(i64),
    /// Set by the broker when it stored the record.
    LogAppend(i64),
}

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A JSON object a line, for machines.
    #[default]
    Json,
    /// A line for a person at a terminal; control characters are escaped.
    Human,
    /// The value's bytes and a newline, never cut; only a newline for a tombstone or with values switched off.
    Raw,
}

/// What to show of each record.
#[derive(Clone, Debug)]
pub struct Options {
    /// How a line looks.
    pub format: Format,
    /// Whether values are shown; their size always is.
    pub values: bool,
    /// What to hide. With a path into values, a value that is no JSON object or array is withheld, since nobody can
    /// tell what is in it.
    pub redact: Vec<FieldPath>,
    /// Bytes of a line, newline included, at least [`MIN_LINE_BYTES`]; `None` leaves lines uncut.
    pub max_line_bytes: Option<usize>,
    /// Whether [`Format::Human`] uses terminal colors.
    pub color: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: Format::default(),
            values: true,
            redact: Vec::new(),
            max_line_bytes: Some(DEFAULT_MAX_LINE_BYTES),
            color: false,
        }
    }
}

/// Formats records, one line each.
#[derive(Debug)]
pub struct RecordLog {
    format: Format,
    limit: usize,
    paint: human::Paint,
    redaction: redact::Redaction,
    values: value::Values,
    /// Time of logging and time of the record: each mostly stays within one second for many records.
    now: time::Micros,
    recorded: time::Millis,
    /// Parts of the line that come after the value but whose size is needed before it.
    headers: Vec<u8>,
    tail: Vec<u8>,
}

impl RecordLog {
    /// A log that formats by `options`.
    pub fn new(options: Options) -> Self {
        let limit = options.max_line_bytes.unwrap_or(usize::MAX);
        let limit = limit.max(MIN_LINE_BYTES);
        let (redaction, fields) = redact::compile(options.redact);
        Self {
            format: options.format,
            limit,
            paint: human::Paint::new(options.color),
            redaction,
            values: value::Values::new(options.values, fields, limit),
            now: time::Micros::default(),
            recorded: time::Millis::default(),
            headers: Vec::new(),
            tail: Vec::new(),
        }
    }

    /// Appends the line of `record` to `out`, its newline included. `now_us` is the time of logging in microseconds
    /// since 1970.
    pub fn line<'a, H>(&mut self, now_us: i64, record: &Record<'a, H>, out: &mut Vec<u8>)
    where
        H: Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + Clone,
    {
        match self.format {
            Format::Json => json::line(self, now_us, record, out),
            Format::Human => human::line(self, now_us, record, out),
            Format::Raw => {
                self.values.raw(record.value, out);
                out.push(b'\n');
            }
        }
    }
}
