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

    use fastrand::Rng;

    use super::*;

    /// The same files in every run: a failure names its round.
    const SEED: u64 = 0xe9f;
    const ROUNDS: usize = if cfg!(debug_assertions) { 2_000 } else { 20_000 };
    /// Stands in values only, so that no message may have it.
    const SENTINEL: &str = "hunter2";

    /// What a line is to be read as.
    enum Fate {
        Nothing,
        Variable(&'static str, String),
        Problem,
    }

    /// A text that may be a value: nothing in it ends a line, and its ends are no white space and no quotes.
    fn value(rng: &mut Rng) -> String {
        loop {
            let size = rng.usize(0..20);
            let text: String = (0..size)
                .map(|_| match rng.u8(0..4) {
                    0 => rng.char(..),
                    1 => *rng.choice(&['=', '#', '\'', '"', '$', '\\', ' ', '\t', '\r', '\u{a0}', '\u{feff}']).unwrap(),
                    _ => rng.alphanumeric(),
                })
                .collect();
            if text.trim() == text && !text.contains(['\n', '\0']) && !is_quoted(&text) {
                return text;
            }
        }
    }

    /// A line without its end, and what it is.
    fn line(rng: &mut Rng) -> (Vec<u8>, Fate) {
        let name = *rng.choice(&["KAFKA_PASSWORD", "KAFKA_TOPIC", "KAFKA_USERNAME", "PRODUCER_VALUE"]).unwrap();
        let indent = *rng.choice(&["", " ", "\t  "]).unwrap();
        // Its ends are those of the value in front: no quote is left alone with one behind it.
        let good = format!("{}{SENTINEL}", value(rng));
        match rng.u8(0..12) {
            0 => (indent.into(), Fate::Nothing),
            1 => (format!("{indent}#{name}={good}").into(), Fate::Nothing),
            2 => (format!("{name}=\"{good}\"").into(), Fate::Problem),
            3 => (format!("{name}={good} ").into(), Fate::Problem),
            4 => (format!("{name}={good}\0").into(), Fate::Problem),
            5 => ([name.as_bytes(), b"=", good.as_bytes(), b"\xff"].concat(), Fate::Problem),
            6 => (format!("export {name}={good}").into(), Fate::Problem),
            7 => (format!("{name} {SENTINEL}").into(), Fate::Problem),
            _ => (format!("{indent}{name}={good}").into(), Fate::Variable(name, good)),
        }
    }

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
    fn each_line_is_read_as_what_it_is_whatever_stands_around_it() {
        let mut rng = Rng::with_seed(SEED);
        for round in 0..ROUNDS {
            let mut content = if rng.bool() { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
            let (mut expected, mut wrong) = (BTreeMap::new(), 0);
            for _ in 0..rng.usize(0..6) {
                let (line, fate) = line(&mut rng);
                content.extend(line);
                content.extend_from_slice(if rng.bool() { b"\n" } else { b"\r\n" });
                match fate {
                    Fate::Nothing => {}
                    Fate::Problem => wrong += 1,
                    // Given twice, which is a problem of its own.
                    Fate::Variable(name, value) => {
                        wrong += usize::from(expected.insert(name.to_owned(), value).is_some());
                    }
                }
            }
            let (variables, problems) = read_bytes(&content);
            assert_eq!((variables, problems.lines().count()), (expected, wrong), "round {round}: {problems}");
            assert!(!problems.contains(SENTINEL), "round {round}: {problems}");
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_by_line() {
        let mut rng = Rng::with_seed(SEED);
        let mut read = 0;
        for round in 0..ROUNDS {
            let pieces: [&[u8]; 14] = [
                b"\nKAFKA_TOPIC=",
                b"\nKAFKA_USERNAME=a",
                b"KAFKA_TOPIC",
                b"=",
                b"\n",
                b"\r",
                b"\"",
                b"'",
                b"#",
                b" ",
                b"\0",
                b"\xff",
                b"\xc3\xa4",
                b"a",
            ];
            let size = rng.usize(0..15);
            let content: Vec<u8> = (0..size).flat_map(|_| rng.choice(pieces).unwrap()).copied().collect();
            let (variables, problems) = read_bytes(&content);
            read += variables.len();
            for (name, value) in &variables {
                let whole = format!("{name}={value}");
                let stands = content.split(|byte| *byte == b'\n').any(|line| {
                    let line = line.strip_suffix(b"\r").unwrap_or(line);
                    line.ends_with(whole.as_bytes())
                });
                assert!(stands, "round {round}: {whole:?} is not in {content:?}");
            }
            let lines = content.iter().filter(|byte| **byte == b'\n').count() + 1;
            let named = problems.lines().all(|problem| {
                let number = problem.split("line ").nth(1).and_then(|rest| rest.split([' ', ':']).next());
                number.and_then(|number| number.parse().ok()).is_some_and(|number| (1..=lines).contains(&number))
            });
            assert!(named, "round {round}: {problems}");
        }
        assert!(read > ROUNDS / 20, "{read} variables");
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
