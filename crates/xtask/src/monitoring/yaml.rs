//! Writes YAML as the files of `infra/` are written: lists indented, text quoted only where it must be.

use std::fmt::Write as _;

use serde_json::Value;

/// Longer text is folded.
const WIDTH: usize = 100;
/// Words that YAML 1.1 or 1.2 takes for something else than text.
const RESERVED: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

/// A document without its comment.
pub fn to_string(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text
}

fn write(value: &Value, depth: usize, out: &mut String) {
    let indent = " ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let _ = write!(out, "{indent}{name}:");
                after(value, depth, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                if let Value::Object(_) = item {
                    let mut inner = String::new();
                    write(item, depth + 2, &mut inner);
                    let _ = write!(out, "{indent}- {}", inner.trim_start());
                } else {
                    let _ = write!(out, "{indent}-");
                    after(item, depth, out);
                }
            }
        }
        scalar => out.push_str(&format!("{}\n", plain(scalar))),
    }
}

/// What stands behind a colon or a dash.
fn after(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            out.push('\n');
            write(value, depth + 2, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            write(value, depth + 2, out);
        }
        Value::String(text) if text.contains('\n') => {
            let chomp = if text.ends_with('\n') { "" } else { "-" };
            let _ = writeln!(out, " |{chomp}");
            for line in text.trim_end_matches('\n').lines() {
                let _ = writeln!(out, "{}{line}", " ".repeat(depth + 2));
            }
        }
        Value::String(text) if text.len() > WIDTH && !text.contains("  ") => {
            out.push_str(" >-\n");
            let mut line = String::new();
            for word in text.split(' ') {
                if !line.is_empty() && line.len() + word.len() >= WIDTH {
                    let _ = writeln!(out, "{}{line}", " ".repeat(depth + 2));
                    line.clear();
                }
                line += &if line.is_empty() { word.to_owned() } else { format!(" {word}") };
            }
            let _ = writeln!(out, "{}{line}", " ".repeat(depth + 2));
        }
        scalar => {
            let _ = writeln!(out, " {}", plain(scalar));
        }
    }
}

fn plain(value: &Value) -> String {
    let Value::String(text) = value else { return value.to_string() };
    let simple = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let bare = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') && text.chars().all(simple);
    if bare && !RESERVED.contains(&text.to_ascii_lowercase().as_str()) { text.clone() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let value = json!({"a": {"b": ["x", {"c": "yes", "d": "1h"}, {"e": []}]}, "text": "one {{ . }}\n  two\n", "end": "a\nb",
            "odd": "x: \"y\"", "number": 4, "long": "some words ".repeat(20).trim(), "truth": true, "nothing": {}});
        let text = to_string(&value);
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, value, "{text}");
        assert!(text.contains("    - x\n    - c: \"yes\"\n      d: \"1h\"\n"), "{text}");
    }
}
