//! Several values in one variable, with a separator between them and a backslash before one that belongs to a value.
//!
//! A backslash before anything else is part of the value, so that regular expressions, templates and redaction paths keep theirs.

/// The values of a list. White space around a value does not count, and neither does an empty value.
pub fn split(text: &str, separator: char) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = character == '\\' && characters.next_if_eq(&separator).is_some();
        match values.last_mut() {
            Some(value) if escaped => value.push(separator),
            Some(value) if character != separator => value.push(character),
            _ => values.push(String::new()),
        }
    }
    values.iter().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).collect()
}

/// The list as a variable holds it: what [`split`] takes apart again.
pub fn join(values: &[String], separator: char) -> String {
    let escaped: Vec<_> = values.iter().map(|value| value.replace(separator, &format!("\\{separator}"))).collect();
    escaped.join(&separator.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_taken_apart_and_put_together_again() {
        let cases: [(&str, char, &[&str]); 8] = [
            ("a,b", ',', &["a", "b"]),
            ("a", ';', &["a"]),
            ("", ',', &[]),
            (" a ;\n b;; ", ';', &["a", "b"]),
            (r"type=a\; charset=b;x=1", ';', &["type=a; charset=b", "x=1"]),
            (r"^a{1\,2}\.b,c", ',', &[r"^a{1,2}\.b", "c"]),
            (r"a\\b,c", ',', &[r"a\\b", "c"]),
            ("a,b;c", ';', &["a,b", "c"]),
        ];
        for (text, separator, values) in cases {
            let split_up = split(text, separator);
            assert_eq!(split_up, values, "{text}");
            assert_eq!(split(&join(&split_up, separator), separator), values, "{text}");
        }
    }
}
