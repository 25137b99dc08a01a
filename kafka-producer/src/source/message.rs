//! One message to publish, in buffers that keep their memory from message to message.

/// One message to publish. Clearing it keeps the buffers, so filling it again allocates nothing once they have grown.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub(super) key: Slot,
    pub(super) value: Slot,
    headers: Headers,
    /// The partition to send to; the client's partitioner chooses when there is none.
    pub partition: Option<i32>,
    /// The record's own time in milliseconds since 1970; the client takes the present when there is none.
    pub timestamp_ms: Option<i64>,
}

impl Message {
    /// The key, if there is one.
    pub fn key(&self) -> Option<&[u8]> {
        self.key.get()
    }

    /// The value; `None` is a tombstone, which is not the same as an empty value.
    pub fn value(&self) -> Option<&[u8]> {
        self.value.get()
    }

    /// The headers in order, duplicates included.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.headers.iter()
    }

    /// Makes it a message without key, value, headers, partition and time.
    pub fn clear(&mut self) {
        self.key.clear();
        self.value.clear();
        self.headers.clear();
        self.partition = None;
        self.timestamp_ms = None;
    }

    /// Adds a header behind those there are.
    pub fn push_header(&mut self, name: &str, value: Option<&[u8]>) {
        match value {
            Some(bytes) => self.push_header_with(name, |buffer| buffer.extend_from_slice(bytes)),
            None => self.headers.push(name, true),
        }
    }

    /// Adds a header whose value is written in place. `write` may only append.
    pub(super) fn push_header_with(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.headers.values);
        self.headers.push(name, false);
    }
}

/// Bytes that may be absent. Absence is a flag, so that the buffer outlives it.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    bytes: Vec<u8>,
    present: bool,
}

impl Slot {
    pub fn get(&self) -> Option<&[u8]> {
        self.present.then_some(self.bytes.as_slice())
    }

    pub fn clear(&mut self) {
        self.present = false;
    }

    /// Makes the slot present and empty, and hands out its buffer.
    pub fn start(&mut self) -> &mut Vec<u8> {
        self.present = true;
        self.bytes.clear();
        &mut self.bytes
    }
}

/// All names in one buffer and all values in another: three allocations for any number of headers, all kept.
#[derive(Clone, Debug, Default)]
struct Headers {
    names: String,
    values: Vec<u8>,
    ends: Vec<HeaderEnd>,
}

/// Where a header ends in both buffers. It starts where the one before it ends.
#[derive(Clone, Copy, Debug, Default)]
struct HeaderEnd {
    name: usize,
    value: usize,
    null: bool,
}

impl Headers {
    fn clear(&mut self) {
        self.names.clear();
        self.values.clear();
        self.ends.clear();
    }

    /// Closes the header whose value has just been appended to `values`.
    fn push(&mut self, name: &str, null: bool) {
        self.names.push_str(name);
        self.ends.push(HeaderEnd { name: self.names.len(), value: self.values.len(), null });
    }

    fn iter(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.ends.iter().scan(HeaderEnd::default(), |start, end| {
            let name = &self.names[start.name..end.name];
            let value = &self.values[start.value..end.value];
            *start = *end;
            Some((name, (!end.null).then_some(value)))
        })
    }
}

/// Appends a number as decimal text.
pub(super) fn push_number(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_and_empty_differ() {
        let mut message = Message::default();
        assert_eq!((message.key(), message.value()), (None, None));
        message.value.start();
        assert_eq!(message.value(), Some(&b""[..]));
        message.clear();
        assert_eq!(message.value(), None);
    }

    #[test]
    fn headers_keep_order_duplicates_nulls_and_empty_values() {
        let mut message = Message::default();
        message.push_header("a", Some(b"1"));
        message.push_header("b", None);
        message.push_header("a", Some(b""));
        message.push_header("", Some(&[0xff]));
        let expected = [("a", Some(&b"1"[..])), ("b", None), ("a", Some(b"")), ("", Some(&[0xff]))];
        assert!(message.headers().eq(expected));
        message.clear();
        assert_eq!(message.headers().count(), 0);
    }

    #[test]
    fn clearing_keeps_the_memory() {
        let mut message = Message::default();
        message.value.start().extend_from_slice(&[b'x'; 1000]);
        let before = message.value.bytes.as_ptr();
        message.clear();
        message.value.start().extend_from_slice(&[b'y'; 1000]);
        assert_eq!(message.value.bytes.as_ptr(), before);
    }
}
