use base64::{Engine, engine::general_purpose::STANDARD};
use fastrand::Rng;
use serde_json::{Value, json};

use super::{
    super::{DEFAULT_MAX_LINE_BYTES, MIN_LINE_BYTES, document},
    *,
};

/// The same records in every run: a failure names its round.
const SEED: u64 = 0x5eed;
const ROUNDS: usize = if cfg!(debug_assertions) { 3_000 } else { 100_000 };

/// Says which round it was when a check in it fails.
struct Round(usize);

impl Drop for Round {
    #[allow(clippy::print_stderr, reason = "a test that fails has nowhere else to say it")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in round {}", self.0);
        }
    }
}

fn size(rng: &mut Rng) -> usize {
    let most = *rng.choice(&[0, 8, 100, 1_000, 20_000]).unwrap();
    rng.usize(0..=most)
}

fn characters(rng: &mut Rng, size: usize) -> String {
    let common = rng.bool();
    let character = |_| match rng.u8(0..8) {
        0 if !common => rng.char('\0'..='\u{ff}'),
        1 if !common => rng.char(..),
        2 if !common => *rng.choice(&['"', '\\', '\n', '\u{2028}', '🦀']).unwrap(),
        _ => rng.alphanumeric(),
    };
    (0..size).map(character).collect()
}

fn tree(rng: &mut Rng, depth: usize) -> Value {
    let len = rng.usize(0..6);
    let scalar = *rng.choice(&[0, 3, 10, 200]).unwrap();
    match rng.u8(if depth == 0 { 0..4 } else { 0..8 }) {
        0 => json!(rng.i64(..)),
        1 => [json!(null), json!(true), json!(1.5e-7)][rng.usize(0..3)].clone(),
        2 | 3 => json!(characters(rng, scalar)),
        4 | 5 => (0..len).map(|_| tree(rng, depth - 1)).collect(),
        _ => Value::Object((0..len).map(|_| (characters(rng, scalar / 3), tree(rng, depth - 1))).collect()),
    }
}

fn anything(rng: &mut Rng) -> Option<Vec<u8>> {
    let size = size(rng);
    match rng.u8(0..8) {
        0 => None,
        1 | 2 => Some((0..size).map(|_| rng.u8(..)).collect()),
        3 => Some(serde_json::to_vec_pretty(&tree(rng, 6)).unwrap()),
        4 => Some(serde_json::to_vec(&tree(rng, 6)).unwrap()),
        _ => Some(characters(rng, size).into_bytes()),
    }
}

/// What a line says of some bytes: all of them, or the start of them when `cut`.
fn check(shown: &Value, base64: bool, cut: bool, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else {
        assert_eq!((shown, cut), (&Value::Null, false));
        return;
    };
    assert_eq!(base64, std::str::from_utf8(bytes).is_err());
    let shown = shown.as_str().unwrap();
    let shown = if base64 { STANDARD.decode(shown).unwrap() } else { shown.as_bytes().to_vec() };
    assert!(bytes.starts_with(&shown));
    assert_eq!(cut, shown.len() < bytes.len());
}

fn check_line(line: &Value, record: &Record<'_, Headers<'_>>) {
    let cut = |flag| line.get(flag).is_some();
    assert_eq!(line["key_size"].as_u64(), record.key.map(|key| key.len() as u64));
    assert_eq!(line["value_size"].as_u64(), record.value.map(|value| value.len() as u64));
    check(&line["key"], line.get("key_encoding").is_some(), cut("key_truncated"), record.key);

    let document = record.value.and_then(|value| serde_json::from_slice::<Value>(value).ok());
    let document = document.filter(|document| document.is_object() || document.is_array());
    match (line["value_encoding"].as_str(), document) {
        (Some("json"), document) => assert_eq!(Some(&line["value"]), document.as_ref()),
        (Some("text"), Some(_)) => assert!(cut("value_truncated")),
        (encoding, _) => check(&line["value"], encoding == Some("base64"), cut("value_truncated"), record.value),
    }

    let headers = line["headers"].as_array().unwrap();
    for (shown, (name, value)) in headers.iter().zip(record.headers.clone()) {
        assert_eq!(shown[0], *String::from_utf8_lossy(name));
        check(&shown[1], shown.get(2).is_some_and(|encoding| encoding == "base64"), false, value);
    }
    assert_eq!(headers.len() < record.headers.len(), cut("headers_truncated"));
    if cut("headers_truncated") {
        assert_eq!(line["headers_count"], record.headers.len());
    }
}

#[test]
fn any_record_makes_a_true_line_within_its_limit() {
    let mut rng = Rng::with_seed(SEED);
    let limits = [Some(MIN_LINE_BYTES), Some(2_000), Some(DEFAULT_MAX_LINE_BYTES), None];
    let options = limits.map(|max_line_bytes| Options { max_line_bytes, ..Options::default() });
    let mut logs = options.each_ref().map(|options| RecordLog::new(options.clone()));
    let mut cuts = 0;
    for round in 0..ROUNDS {
        let (key, value) = (anything(&mut rng), anything(&mut rng));
        let headers: Vec<_> = (0..rng.usize(0..4)).map(|_| (anything(&mut rng), anything(&mut rng))).collect();
        let headers: Vec<Header<'_>> =
            headers.iter().map(|(name, value)| (name.as_deref().unwrap_or_default(), value.as_deref())).collect();
        let mut record = record(key.as_deref(), value.as_deref(), &headers);
        (record.partition, record.offset) = (rng.i32(..), rng.i64(..));
        record.timestamp = rng.bool().then(|| RecordTimestamp::Create(rng.i64(..) >> rng.u32(0..64)));
        record.latency_us = rng.bool().then(|| rng.i64(..) >> rng.u32(0..64));

        let chosen = rng.usize(0..limits.len());
        let limit = limits[chosen].unwrap_or(usize::MAX);
        let mut out = Vec::new();
        logs[chosen].line(NOW_US, &record, &mut out);
        assert!(out.len() <= limit, "round {round}: {} bytes", out.len());
        assert_eq!(out.iter().position(|&byte| byte == b'\n'), Some(out.len() - 1), "round {round}");
        let line: Value = serde_json::from_slice(&out).unwrap_or_else(|error| panic!("round {round}: {error}"));
        let named = Round(round);
        check_line(&line, &record);
        drop(named);

        let whole = bytes(&options[3], &record);
        cuts += usize::from(out != whole);
        // Room is set aside for what a key or header leaves to say, so they are cut a little early; and a value longer
        // than a line is not parsed, though without its whitespace it might fit.
        let needed = whole.len() + 200 > limit || record.value.is_some_and(|value| value.len() > limit);
        assert!(out == whole || needed, "round {round}: cut without need");
    }
    assert!((ROUNDS / 10..ROUNDS / 10 * 9).contains(&cuts), "{cuts} lines cut");
}

#[test]
fn any_record_makes_a_harmless_human_line_within_its_limit() {
    let mut rng = Rng::with_seed(SEED);
    for round in 0..ROUNDS / 3 {
        let (key, value, name) = (anything(&mut rng), anything(&mut rng), anything(&mut rng).unwrap_or_default());
        let headers: [Header<'_>; 2] = [(&name, value.as_deref()), (b"h", key.as_deref())];
        let max_line_bytes = *rng.choice(&[MIN_LINE_BYTES, DEFAULT_MAX_LINE_BYTES]).unwrap();
        let options = Options { max_line_bytes: Some(max_line_bytes), ..human(false) };
        let line = text(&options, &record(key.as_deref(), value.as_deref(), &headers));
        assert!(line.len() <= max_line_bytes, "round {round}: {} bytes", line.len());
        assert_eq!(line.find(char::is_control), Some(line.len() - 1), "round {round}");
    }
}

/// Damaged documents: what is embedded must be what a strict parser takes, and be the same document.
#[test]
fn a_document_is_what_a_parser_takes() {
    let mut rng = Rng::with_seed(SEED);
    let mut spare = String::new();
    let mut taken = 0;
    for round in 0..ROUNDS * 10 {
        let tree = tree(&mut rng, 3);
        let mut text = match rng.bool() {
            true => serde_json::to_vec_pretty(&tree).unwrap(),
            false => serde_json::to_vec(&tree).unwrap(),
        };
        if rng.bool() && !text.is_empty() {
            let damage: &[u8] = rng
                .choice(&[
                    &b"\""[..],
                    b"\\",
                    b"\\ud83d",
                    b"\\ude00",
                    b"\\ud83d\\ude00",
                    b"{",
                    b"]",
                    b",",
                    b" ",
                    b"\n",
                    b"",
                ])
                .unwrap();
            let from = rng.usize(..text.len());
            let to = (from + rng.usize(0..3)).min(text.len());
            text.splice(from..to, damage.iter().copied());
        }
        let Ok(text) = std::str::from_utf8(&text) else {
            continue;
        };
        let expected = serde_json::from_str::<Value>(text).ok();
        let expected = expected.filter(|value| value.is_array() || value.is_object());
        let compact = document::compact(text, &mut spare);
        assert_eq!(compact.is_some(), expected.is_some(), "round {round}: {text}");
        if let (Some(compact), Some(expected)) = (compact, expected) {
            assert_eq!(serde_json::from_str::<Value>(compact).unwrap(), expected, "round {round}");
            assert!(compact.len() <= text.len());
            taken += 1;
        }
    }
    assert!(taken > ROUNDS, "{taken} documents");
}
