use serde_json::json;

use super::{
    super::{DEFAULT_MAX_LINE_BYTES, FieldPath, FieldPathError, MAX_DEPTH},
    *,
};

/// The value as it is shown with `paths` hidden.
fn hidden(paths: &[&str], value: &str) -> String {
    let line = json(&hiding(paths), &of_value(value.as_bytes()));
    assert_eq!(line["value_size"], value.len());
    match line["value_encoding"].as_str() {
        Some("json") => line["value"].to_string(),
        Some("withheld") => format!("withheld: {}", line["value"]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn fields_are_hidden_by_path_whatever_they_hold() {
    for (path, value, expected) in [
        ("a", r#"{"a":1,"b":2}"#, r#"{"a":"[redacted]","b":2}"#),
        ("a", r#"{"b":{"a":1}}"#, r#"{"b":{"a":1}}"#),
        ("a", r#"{"a":{"b":[1,{"c":"}"}]},"d":null}"#, r#"{"a":"[redacted]","d":null}"#),
        ("a", r#"{ "a" : [ 1 , 2 ] }"#, r#"{"a":"[redacted]"}"#),
        ("a.b", r#"{"a":{"b":null,"c":2}}"#, r#"{"a":{"b":"[redacted]","c":2}}"#),
        ("a.b", r#"{"a":1,"b":2}"#, r#"{"a":1,"b":2}"#),
        ("*", r#"{"a":1,"b":[2]}"#, r#"{"a":"[redacted]","b":"[redacted]"}"#),
        ("*.a", r#"{"x":{"a":1},"y":{"a":2},"a":3}"#, r#"{"a":3,"x":{"a":"[redacted]"},"y":{"a":"[redacted]"}}"#),
        ("A", r#"{"a":1}"#, r#"{"a":1}"#),
        (r"a\.b", r#"{"a.b":1,"a":{"b":2}}"#, r#"{"a":{"b":2},"a.b":"[redacted]"}"#),
        (r"\*", r#"{"*":1,"a":2}"#, r#"{"*":"[redacted]","a":2}"#),
        (r"\key", r#"{"key":1}"#, r#"{"key":"[redacted]"}"#),
        ("grüße.世", r#"{"grüße":{"世":1}}"#, r#"{"grüße":{"世":"[redacted]"}}"#),
    ] {
        assert_eq!(hidden(&[path], value), expected, "{path}");
    }
}

#[test]
fn arrays_are_looked_through() {
    for (path, value, expected) in [
        ("a", r#"[{"a":1},[{"a":2}],3]"#, r#"[{"a":"[redacted]"},[{"a":"[redacted]"}],3]"#),
        ("items.card", r#"{"items":[{"card":1,"n":2},{"n":3}]}"#, r#"{"items":[{"card":"[redacted]","n":2},{"n":3}]}"#),
        ("items.*.card", r#"{"items":[{"card":1,"n":2}]}"#, r#"{"items":[{"card":"[redacted]","n":2}]}"#),
        ("items.*", r#"{"items":[1,{"n":2}]}"#, r#"{"items":["[redacted]","[redacted]"]}"#),
        ("*", "[1,[2]]", r#"["[redacted]","[redacted]"]"#),
    ] {
        assert_eq!(hidden(&[path], value), expected, "{path}");
    }
}

#[test]
fn neither_escapes_nor_duplicates_hide_a_name_from_its_path() {
    let value = br#"{"password":1,"pass\u0077ord":2,"password":{"password":3}}"#;
    let line = text(&hiding(&["password"]), &of_value(value));
    assert!(
        line.contains(r#""value":{"password":"[redacted]","pass\u0077ord":"[redacted]","password":"[redacted]"}"#),
        "{line}"
    );
    assert_eq!(hidden(&["a\"b"], r#"{"a\"b":1,"":2}"#), r#"{"":2,"a\"b":"[redacted]"}"#);
}

#[test]
fn several_paths_work_at_once() {
    let value = r#"{"user":{"email":"e","name":"n","pets":[{"name":"p"}]},"password":"x"}"#;
    assert_eq!(
        hidden(&["password", "user.email", "user.pets.name", "none"], value),
        r#"{"password":"[redacted]","user":{"email":"[redacted]","name":"n","pets":[{"name":"[redacted]"}]}}"#
    );
}

#[test]
fn many_stars_in_nested_arrays_end_in_time() {
    let path = ["*"; 100].join(".") + ".a";
    let value = "[".repeat(MAX_DEPTH) + "1" + &"]".repeat(MAX_DEPTH);
    assert_eq!(hidden(&[&path], &value), value);
}

#[test]
fn values_without_fields_are_withheld() {
    let deep = "[".repeat(MAX_DEPTH + 1) + &"]".repeat(MAX_DEPTH + 1);
    for value in ["password=x", "", "\"password\"", "17", "{\"password\":1", r#"{"\ud800":1}"#, &deep] {
        assert_eq!(hidden(&["password"], value), "withheld: \"[withheld]\"");
    }
    let line = json(&hiding(&["password"]), &of_value(b"\xff"));
    assert_eq!(line["value_encoding"], "withheld");
    let line = json(&hiding(&["password"]), &record(None, None, &[]));
    assert_eq!((&line["value"], &line["value_encoding"]), (&Value::Null, &Value::Null));
    // Paths to key and headers say nothing about values.
    let line = json(&hiding(&["key", "header:x"]), &of_value(b"plain"));
    assert_eq!(line["value"], "plain");
}

#[test]
fn values_are_cut_after_redaction() {
    let secret = "s".repeat(100_000);
    let value = format!(r#"{{"password":"{secret}","n":1}}"#);
    assert_eq!(hidden(&["password"], &value), r#"{"n":1,"password":"[redacted]"}"#);

    let value = format!(r#"{{"password":"secret","n":"{}"}}"#, "x".repeat(DEFAULT_MAX_LINE_BYTES));
    let line = json(&hiding(&["password"]), &of_value(value.as_bytes()));
    assert_eq!((&line["value_encoding"], &line["value_truncated"]), (&json!("text"), &json!(true)));
    assert!(line["value"].as_str().unwrap().starts_with(r#"{"password":"[redacted]","n":"xxx"#));
}

#[test]
fn keys_and_headers_are_hidden_but_not_their_absence() {
    let huge = vec![b's'; 50_000];
    let headers: [Header<'_>; 4] = [
        (b"Authorization", Some(b"secret")),
        (b"authorization", Some(&huge)),
        (b"authorization", None),
        (b"other", Some(b"shown")),
    ];
    let expected = json!([
        ["Authorization", "[redacted]"],
        ["authorization", "[redacted]"],
        ["authorization", null],
        ["other", "shown"]
    ]);
    let line = json(&hiding(&["key", "header:AUTHORIZATION"]), &record(Some(&huge), Some(b"v"), &headers));
    assert_eq!(line["headers"], expected);
    assert_eq!((&line["key"], &line["key_size"]), (&json!("[redacted]"), &json!(50_000)));
    assert!(line.get("key_truncated").is_none() && line.get("headers_truncated").is_none());

    let line = json(&hiding(&["key", "header:*"]), &record(None, Some(b"v"), &headers));
    assert_eq!(line["key"], Value::Null);
    assert_eq!(line["headers"][3], json!(["other", "[redacted]"]));
}

#[test]
fn a_hidden_stamp_is_hidden_where_the_line_repeats_it() {
    let headers: [Header<'_>; 1] = [(b"stamp", Some(STAMP))];
    let record = stamped(None, Some(b"v"), &headers);
    for path in ["header:stamp", "header:Stamp", "header:*"] {
        let line = json(&hiding(&[path]), &record);
        assert_eq!(line["headers"], json!([["stamp", "[redacted]"]]), "{path}");
        assert!(line.get("run_id").is_none() && line.get("seq").is_none(), "{path}: {line}");
    }
    let line = json(&hiding(&["header:tenant", "key"]), &record);
    assert_eq!((&line["run_id"], &line["seq"]), (&json!("a"), &json!(17)));
}

#[test]
fn other_formats_redact_as_well() {
    let value = br#"{"password": "secret", "n": 1}"#;
    let headers: [Header<'_>; 1] = [(b"h", Some(b"secret"))];
    for format in [Format::Human, Format::Raw] {
        let options = Options { format, ..hiding(&["password", "key", "header:h"]) };
        let line = text(&options, &record(Some(b"secret"), Some(value), &headers));
        assert!(line.contains(r#"{"password":"[redacted]","n":1}"#), "{line}");
        assert!(!line.contains("secret"), "{line}");
        let line = text(&options, &record(Some(b"secret"), Some(b"secret"), &headers));
        assert!(line.contains("[withheld]") && !line.contains("secret"), "{line}");
    }
}

#[test]
fn wrong_paths_are_refused_with_advice() {
    let error = |path: &str| path.parse::<FieldPath>().unwrap_err();
    for path in ["", ".", "a.", ".a", "a..b", "header:"] {
        assert_eq!(error(path), FieldPathError::EmptyName(path.to_owned()));
    }
    for path in ["pass*", "*word", "a.**"] {
        assert_eq!(error(path), FieldPathError::PartialStar(path.to_owned()));
    }
    assert_eq!(error("a\\"), FieldPathError::LoneBackslash("a\\".to_owned()));
    assert_eq!(
        error("items[].card").to_string(),
        "`items[].card` has brackets: write `items.card` or `items.*.card` for a field of each element, `\\[` for a bracket"
    );
}
