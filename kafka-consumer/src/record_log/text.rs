//! Bytes as characters: JSON strings, terminal text and base64, each cut so that what is left can still be read.

use std::str;

use base64::{Engine, engine::general_purpose::STANDARD};

/// Bytes that a part may take.
#[derive(Clone, Copy)]
pub(super) struct Room {
    /// If it fits as a whole.
    pub whole: usize,
    /// If not: less, since the line has to say that it was cut.
    pub cut: usize,
}

impl Room {
    pub const UNLIMITED: Self = Self { whole: usize::MAX, cut: usize::MAX };

    /// `bytes` for a part that is followed by `note` when cut.
    pub fn new(bytes: usize, note: &str) -> Self {
        Self { whole: bytes, cut: bytes.saturating_sub(note.len()) }
    }

    /// What is left beside `frame`.
    pub fn within(self, frame: &str) -> Self {
        Self { whole: self.whole.saturating_sub(frame.len()), cut: self.cut.saturating_sub(frame.len()) }
    }
}

/// How bytes became a JSON string.
#[derive(Clone, Copy)]
pub(super) struct Quoted {
    pub base64: bool,
    pub cut: bool,
}

/// Appends text as it is, anything else as base64, as a JSON string.
pub(super) fn quoted(bytes: &[u8], room: Room, out: &mut Vec<u8>) -> Quoted {
    if bytes.len() < room.whole.saturating_sub(1) && is_plain(bytes) {
        push_plain(bytes, out);
        return Quoted { base64: false, cut: false };
    }
    match str::from_utf8(bytes) {
        Ok(text) => Quoted { base64: false, cut: quoted_text(text, room, out) },
        Err(_) => Quoted { base64: true, cut: quoted_base64(bytes, room, out) },
    }
}

/// Appends the name of a header as a JSON string, whatever its bytes are.
pub(super) fn quoted_name(name: &[u8], out: &mut Vec<u8>) {
    push_json(&String::from_utf8_lossy(name), out);
}

/// Appends a JSON string; `true` when it had to be cut.
pub(super) fn quoted_text(text: &str, room: Room, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    if text.len() <= room.whole {
        push_json(text, out);
        if out.len() - start <= room.whole {
            return false;
        }
        out.truncate(start);
    }
    let cost = |character| match character {
        '"' | '\\' | '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => 2,
        '\0'..='\u{1f}' => 6,
        other => other.len_utf8(),
    };
    push_json(prefix(text, room.within("\"\"").cut, cost), out);
    true
}

/// Appends base64 as a JSON string; `true` when it had to be cut.
pub(super) fn quoted_base64(bytes: &[u8], room: Room, out: &mut Vec<u8>) -> bool {
    out.push(b'"');
    let cut = base64(bytes, room.within("\"\""), out);
    out.push(b'"');
    cut
}

/// Appends base64, cut between groups of four so that it still decodes; `true` when it had to be cut.
pub(super) fn base64(bytes: &[u8], room: Room, out: &mut Vec<u8>) -> bool {
    let fits = bytes.len().div_ceil(3) <= room.whole / 4;
    let shown = if fits { bytes.len() } else { room.cut / 4 * 3 };
    let bytes = bytes.get(..shown).unwrap_or(bytes);
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // Fails for too small a slice only, and this one has the exact size.
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
    !fits
}

/// Appends text for a terminal, where no character of it may move the cursor or turn the direction of writing;
/// `true` when it had to be cut.
pub(super) fn readable(text: &str, room: Room, out: &mut Vec<u8>) -> bool {
    let cost = |character| match character {
        '\t' | '\n' | '\r' => 2,
        other if is_unprintable(other) => "\\u0000".len(),
        other => other.len_utf8(),
    };
    let mut shown = prefix(text, room.whole, cost);
    let cut = shown.len() < text.len();
    if cut {
        shown = prefix(shown, room.cut, cost);
    }
    let mut rest = shown;
    while let Some(at) = rest.find(is_unprintable) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        let mut characters = special.chars();
        match characters.next() {
            Some('\t') => out.extend_from_slice(b"\\t"),
            Some('\n') => out.extend_from_slice(b"\\n"),
            Some('\r') => out.extend_from_slice(b"\\r"),
            Some(other) => push_hex(other, out),
            None => {}
        }
        rest = characters.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    cut
}

/// Appends a whole number.
pub(super) fn number(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends microseconds as milliseconds without trailing zeros: 3400 is `3.4`.
pub(super) fn millis(us: i64, out: &mut Vec<u8>) {
    if us < 0 {
        out.push(b'-');
    }
    let us = us.unsigned_abs();
    number(us / 1000, out);
    let mut fraction = us % 1000;
    if fraction > 0 {
        out.push(b'.');
    }
    let mut place = 100;
    while fraction > 0 {
        out.push(b'0' + (fraction / place) as u8);
        fraction %= place;
        place /= 10;
    }
}

fn push_json(text: &str, out: &mut Vec<u8>) {
    // Most text needs no escapes. To look at all of it without stopping early is what the compiler turns into vector
    // instructions, several times faster than the search for escapes.
    if is_plain(text.as_bytes()) || !text.bytes().fold(false, |found, byte| found | needs_escape(byte)) {
        push_plain(text.as_bytes(), out);
    } else {
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(out, text);
    }
}

/// Whether the bytes are ASCII that stands in a JSON string as it is: one look for UTF-8 and for escapes, at eight bytes at
/// once. Most strings of a line are short, so what is left of one is not looked at byte by byte: the last piece overlaps.
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    let found = if let Some(last) = bytes.last_chunk() {
        let (pieces, _) = bytes.as_chunks();
        pieces.iter().fold(special(*last), |found, piece| found | special(*piece))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let both = u64::from(u32::from_ne_bytes(*first)) << 32 | u64::from(u32::from_ne_bytes(*last));
        special(both.to_ne_bytes())
    } else {
        bytes.iter().fold(0, |found, byte| found | special([*byte; 8]))
    };
    found == 0
}

/// Not 0 if one of the bytes is no ASCII or needs an escape. A borrow may mark the byte beside such a one too, never any other.
fn special(bytes: [u8; 8]) -> u64 {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    let bytes = u64::from_ne_bytes(bytes);
    let below = |bytes: u64, limit: u8| bytes.wrapping_sub(EACH * u64::from(limit));
    let is = |byte: u8| below(bytes ^ (EACH * u64::from(byte)), 1);
    (bytes | below(bytes, b' ') | is(b'"') | is(b'\\')) & (EACH << 7)
}

fn needs_escape(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\')
}

fn push_plain(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    out.extend_from_slice(bytes);
    out.push(b'"');
}

/// The longest start of `text` that takes at most `room` bytes, by what each character costs.
fn prefix(text: &str, room: usize, cost: impl Fn(char) -> usize) -> &str {
    let mut used = 0;
    for (at, character) in text.char_indices() {
        used += cost(character);
        if used > room {
            return &text[..at];
        }
    }
    text
}

/// Control characters, and those that separate lines or reorder what stands beside them.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Appends a character of four hexadecimal digits, as all unprintable ones are, in the form that JSON has for it.
fn push_hex(character: char, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        let digit = u32::from(character) >> shift & 0xf;
        out.push(b"0123456789abcdef"[digit as usize]);
    }
}
