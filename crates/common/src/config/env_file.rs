//! Env files: a `NAME=value` a line, read as `docker --env-file` and `kubectl create --from-env-file` read them.
//!
//! The value is the rest of the line as it stands: quotes, backslashes, `$`, `#` and spaces inside are part of it. What a person
//! cannot have meant is refused by file and line, and never repeated, as it may be a secret. `dotenvy`, which reads the dialect of
//! shells, is not used: it takes quotes off, turns `\n` into a line break and replaces `$NAME`, all of it in silence.

use std::collections::BTreeMap;
use std::path::Path;

use super::Problems;
use super::variables::{is_known, is_of_others, similar};

/// Returns the variables of an env file, or `None` when there is no such file.
pub(super) fn read(path: &Path, problems: &mut Problems) -> Option<BTreeMap<String, String>> {
    let shown = path.display();
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            problems.add(format!("{shown}: cannot be read: {error}"));
            return Some(BTreeMap::new());
        }
    };
    let mut variables: BTreeMap<String, (usize, String)> = BTreeMap::new();
    // Editors on Windows begin a file with a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let (name, value) = match variable(line) {
            Ok(None) => continue,
            Ok(Some(variable)) => variable,
            Err(reason) => {
                problems.add(format!("{shown}: line {number}{reason}"));
                continue;
            }
        };
        if !is_known(name) && !is_of_others(name) {
            let hint = similar(name).map_or(String::new(), |known| format!("; was {known} meant?"));
            problems.add(format!("{shown}: line {number}: {name} is not a setting of either program{hint}"));
        }
        if let Some((first, _)) = variables.insert(name.to_owned(), (number, value.to_owned())) {
            problems.add(format!("{shown}: line {number}: {name} was set in line {first} already: keep one of them"));
        }
    }
    Some(variables.into_iter().map(|(name, (_, value))| (name, value)).collect())
}

/// The variable of a line, if it has one, or what is wrong with the line: the end of a sentence that begins with `line 5`.
fn variable(line: &[u8]) -> Result<Option<(&str, &str)>, String> {
    let line = std::str::from_utf8(line).map_err(|_| " is not UTF-8".to_owned())?;
    let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (name, value) = line.split_once('=').filter(|(name, _)| is_name(name)).ok_or(" is not NAME=value")?;
    let fault = if value.contains('\0') {
        "contains a NUL character: take it out"
    } else if value.trim() != value {
        "begins or ends with white space, which would be part of it: take it off"
    } else if is_quoted(value) {
        "is in quotes, which would be part of it: take them off"
    } else {
        return Ok(Some((name, value)));
    };
    Err(format!(": the value of {name} {fault}"))
}

/// Whether a text is the name of a variable. Anything else is not repeated: it may be a value that lost its name.
fn is_name(text: &str) -> bool {
    let starts_well = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    starts_well && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

fn is_quoted(value: &str) -> bool {
    value.len() >= 2 && ['"', '\''].iter().any(|quote| value.starts_with(*quote) && value.ends_with(*quote))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn read_bytes(content: &[u8]) -> (BTreeMap<String, String>, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env.secret");
        std::fs::write(&path, content).unwrap();
        let mut problems = Problems::new();
        let variables = read(&path, &mut problems).unwrap();
        (variables, problems.to_string())
    }

    #[test]
    fn a_value_is_the_rest_of_its_line() {
        let values = [
            "two words",
            "a'b\"c",
            "\"only before",
            r"back\nslash\\",
            "pa$$word${HOME}",
            "x # no comment",
            "a=b=c",
            "#",
            "",
            "ä\u{a0}ö",
        ];
        for value in values {
            for end in ["", "\n", "\r\n"] {
                let (variables, problems) = read_bytes(format!("# login\n\n  KAFKA_PASSWORD={value}{end}").as_bytes());
                assert_eq!((problems.as_str(), variables["KAFKA_PASSWORD"].as_str()), ("", value));
            }
        }
        let (variables, problems) = read_bytes(b"\xef\xbb\xbfKAFKA_TOPIC=a\r\n\r\n");
        assert_eq!((problems.as_str(), variables["KAFKA_TOPIC"].as_str()), ("", "a"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_line_without_its_value() {
        let cases: [(&[u8], &str); 13] = [
            (b"hunter2", "line 1 is not NAME=value"),
            (b"hunter2 is no setting=x", "line 1 is not NAME=value"),
            (b"export KAFKA_PASSWORD=hunter2", "line 1 is not NAME=value"),
            (b"=hunter2", "line 1 is not NAME=value"),
            (b"KAFKA_PASSWORD =hunter2", "line 1 is not NAME=value"),
            (b"# fine\nKAFKA_PASSWORD=hunter2\xff", "line 2 is not UTF-8"),
            (b"KAFKA_PASSWORD=hunter2\0x", "line 1: the value of KAFKA_PASSWORD contains a NUL character"),
            (b"KAFKA_PASSWORD='hunter2'", "line 1: the value of KAFKA_PASSWORD is in quotes"),
            (b"KAFKA_PASSWORD=\"hunter2\"", "line 1: the value of KAFKA_PASSWORD is in quotes"),
            (b"KAFKA_PASSWORD=hunter2 ", "line 1: the value of KAFKA_PASSWORD begins or ends with white space"),
            (b"KAFKA_PASSWORD= hunter2", "line 1: the value of KAFKA_PASSWORD begins or ends with white space"),
            (b"KAFKA_PASSWORD=hunter2\nKAFKA_PASSWORD=hunter2", "line 2: KAFKA_PASSWORD was set in line 1 already"),
            (
                b"KAFKA_PASWORD=hunter2",
                "line 1: KAFKA_PASWORD is not a setting of either program; was KAFKA_PASSWORD meant?",
            ),
        ];
        for (content, says) in cases {
            let (_, problems) = read_bytes(content);
            assert!(problems.contains(says) && problems.contains(".env.secret"), "{says} is missing: {problems}");
            assert!(!problems.contains("hunter2"), "{problems}");
        }
    }
}
