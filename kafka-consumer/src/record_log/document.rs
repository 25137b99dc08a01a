//! JSON objects and arrays, checked and stripped of whitespace, with their numbers, names and order as they came.

use serde::de::IgnoredAny;

/// How deep a JSON value may nest to be embedded. Common parsers, `serde_json` among them, take 127 levels and refuse
/// the 128th; one of them is the line itself.
pub const MAX_DEPTH: usize = 126;

/// Digits in a row as only a number of twice as many is sure to have at each multiple of this: numbers with fewer, and with an
/// exponent of two digits, fit into a double.
const MANY_DIGITS: usize = 64;

/// `text` without whitespace between its tokens, if it is a JSON object or array that any parser will take. Text that
/// has none is returned as it is, else `spare` holds the result.
pub(super) fn compact<'a>(text: &'a str, spare: &'a mut String) -> Option<&'a str> {
    if !text.trim_ascii_start().starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    if looks_huge(text.as_bytes()) && has_huge_number(text.as_bytes()) {
        return None;
    }
    if is_plain(text) {
        return Some(text);
    }
    spare.clear();
    let bytes = text.as_bytes();
    let (mut at, mut copied, mut depth) = (0, 0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b' ' | b'\t' | b'\n' | b'\r' => {
                spare.push_str(&text[copied..at]);
                copied = at + 1;
            }
            _ => {}
        }
        if depth > MAX_DEPTH {
            return None;
        }
        at += 1;
    }
    if copied == 0 {
        return Some(text);
    }
    spare.push_str(&text[copied..]);
    Some(spare)
}

/// Whether no byte of a document needs a closer look: what most programs write has neither whitespace nor escapes, and is not
/// deep. Looks at all of it, which takes vector instructions and so a fraction of the time of going through its strings.
fn is_plain(text: &str) -> bool {
    let special = |found, byte| found | (byte <= b' ') | (byte == b'\\');
    let opens = |byte: &u8| u8::from(matches!(byte, b'{' | b'['));
    // Counted in bytes, and so in pieces whose count fits one.
    let pieces = text.as_bytes().chunks(128);
    let levels = pieces.map(|piece| usize::from(piece.iter().map(opens).sum::<u8>()));
    !text.bytes().fold(false, special) && (levels.sum::<usize>() <= MAX_DEPTH || is_shallow(text.as_bytes()))
}

/// Whether something in a document looks like a number beyond the range of a double, `1e400`, be it in a string: an exponent of
/// three digits, or a long row of digits. By vector instructions, as nearly no document has one. Numbers that are too small
/// are zero to every parser.
fn looks_huge(json: &[u8]) -> bool {
    let many_digits = json.chunks_exact(MANY_DIGITS).any(|piece| piece.iter().all(u8::is_ascii_digit));
    let from = |start: usize| json.get(start..).unwrap_or_default();
    let fives = json.iter().zip(from(1)).zip(from(2)).zip(from(3).iter().zip(from(4)));
    many_digits
        || fives.fold(false, |found, (((mantissa, e), first), (second, third))| {
            let exponent = (e | 0x20 == b'e') & (first.is_ascii_digit() | (*first == b'+'));
            found | (mantissa.is_ascii_digit() & exponent & second.is_ascii_digit() & third.is_ascii_digit())
        })
}

/// Whether a number of a document is too large for a double: parsers refuse it, or take it for infinity.
fn has_huge_number(json: &[u8]) -> bool {
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => at = string_end(json, at).unwrap_or(json.len()),
            b'-' | b'0'..=b'9' => {
                let of_number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
                let length = json[at..].iter().take_while(|byte| of_number(byte)).count();
                let number = std::str::from_utf8(&json[at..at + length]).unwrap_or_default();
                if number.parse::<f64>().is_ok_and(f64::is_infinite) {
                    return true;
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    false
}

/// Whether a document without escapes is surely not too deep, by eight bytes at once: a long one has many objects, though few
/// within each other. `false` when it is close: levels that close among the eight are counted after those that open.
fn is_shallow(json: &[u8]) -> bool {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const LOW: u64 = EACH * 0x7f;
    /// 1 for each byte that is the same, else 0.
    fn same(bytes: u64, byte: u8) -> u64 {
        let other = bytes ^ (EACH * u64::from(byte));
        !(((other & LOW) + LOW) | other | LOW) >> 7
    }
    let (mut depth, mut in_string) = (0, 0);
    for piece in json.chunks(64) {
        // Long strings are passed over.
        let structure = |byte: &u8| (*byte == b'"') | matches!(*byte | 0x20, b'{' | b'}');
        if !piece.iter().fold(false, |found, byte| found | structure(byte)) {
            continue;
        }
        let (words, rest) = piece.as_chunks::<8>();
        let mut last = [b' '; 8];
        last[..rest.len()].copy_from_slice(rest);
        for word in words.iter().chain([&last]) {
            let bytes = u64::from_le_bytes(*word);
            // How many quotes there are up to each byte; what follows an odd one is a string.
            let quotes = same(bytes, b'"').wrapping_mul(EACH);
            let outside = !(quotes ^ (EACH * in_string)) & EACH;
            in_string ^= quotes >> 56 & 1;
            // This bit is all that tells square from curly ones.
            let either = bytes | (EACH * 0x20);
            let count = |bytes: u64| (bytes & outside).wrapping_mul(EACH) >> 56;
            depth += count(same(either, b'{'));
            if depth > MAX_DEPTH as u64 {
                return false;
            }
            depth = depth.saturating_sub(count(same(either, b'}')));
        }
    }
    true
}

/// Where the string that opens at `open` has ended, if it is well formed. `\ud800` without its other half is valid
/// by grammar, but no text, and most parsers refuse it.
pub(super) fn string_end(json: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        let rest = json.get(at..)?;
        let found = memchr::memchr2(b'"', b'\\', rest)?;
        at += found;
        match &rest[found..] {
            [b'"', ..] => return Some(at + 1),
            [_, b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'A' | b'b' | b'B', _, _, low @ ..] => match low {
                [b'\\', b'u', b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', ..] => at += "\\ud83d\\ude00".len(),
                _ => return None,
            },
            [_, b'u', b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', ..] => return None,
            // What follows the character after the backslash, such as four digits, is neither quote nor backslash.
            _ => at += "\\n".len(),
        }
    }
}

/// Where the value that starts at `start` in a compact document has ended.
pub(super) fn value_end(json: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                at = string_end(json, at).unwrap_or(json.len());
                continue;
            }
            b'{' | b'[' => depth += 1,
            b',' | b'}' | b']' if depth == 0 => break,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    at
}
