//! The source as its caller sees it: which parts combine, and what is left of one message in the next.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::sync::Arc;
use std::time::Instant;

use super::*;

const SENT_US: i64 = 1_795_432_527_123_456;

fn spec() -> Spec {
    Spec { run_id: "run-1".to_owned(), host: "pod-a".to_owned(), index: 1, ..Spec::default() }
}

fn open(spec: &Spec) -> Result<Source, SourceError> {
    Source::open(spec, Arc::new(|| true))
}

/// Shows [`SENT_US`], until it ticks.
fn clock() -> Clock {
    Clock::at(Instant::now(), SENT_US)
}

fn first(spec: &Spec) -> Message {
    let mut message = Message::default();
    let filled = open(spec).unwrap().fill(17, &mut clock(), &mut message).unwrap();
    assert_eq!(filled, Filled::Message);
    message
}

fn lines(folder: &tempfile::TempDir, content: &str, format: LineFormat) -> ValueSpec {
    let path = folder.path().join("in");
    std::fs::write(&path, content).unwrap();
    ValueSpec::Lines { from: Input::File(path), format, max_line_bytes: DEFAULT_MAX_LINE_BYTES }
}

#[test]
fn can_move_to_the_thread_that_publishes() {
    fn is_send<T: Send>() {}
    is_send::<(Source, Message, SourceError)>();
}

#[test]
fn the_default_is_the_demo_message_with_its_number_as_key() {
    let message = first(&spec());
    assert_eq!(message.key(), Some(&b"17"[..]));
    let expected = r#"{"dev":true,"run_id":"run-1","seq":17,"time":"2026-11-23T11:15:27.123456Z"}"#;
    assert_eq!(message.value(), Some(expected.as_bytes()));
    assert_eq!((message.headers().count(), message.partition, message.timestamp_ms), (0, None, None));
}

#[test]
fn parts_combine() {
    let key = KeySpec::Template("k-{{seq}}".to_owned());
    let headers = vec!["a={{index}}".to_owned(), "b==".to_owned(), "a=".to_owned()];
    let message = first(&Spec { key: key.clone(), headers, ..spec() });
    assert_eq!(message.key(), Some(&b"k-17"[..]));
    assert!(message.value().unwrap().starts_with(b"{\"dev\":true"));
    assert!(message.headers().eq([("a", Some(&b"1"[..])), ("b", Some(b"=")), ("a", Some(b""))]));

    let value = ValueSpec::Template("{{host}}".to_owned());
    let message = first(&Spec { value: value.clone(), ..spec() });
    assert_eq!((message.key(), message.value()), (Some(&b"17"[..]), Some(&b"pod-a"[..])));
    let message = first(&Spec { key: KeySpec::None, value, ..spec() });
    assert_eq!((message.key(), message.value()), (None, Some(&b"pod-a"[..])));

    let value = ValueSpec::Payload { size: 0, kind: PayloadKind::Random };
    let message = first(&Spec { key, value, ..spec() });
    assert_eq!((message.key(), message.value()), (Some(&b"k-17"[..]), Some(&b""[..])));
}

#[test]
fn lines_have_the_key_they_bring_or_the_template() {
    let folder = tempfile::tempdir().unwrap();
    let template = || KeySpec::Template("k-{{seq}}".to_owned());
    let keys = |value: ValueSpec, key: KeySpec| -> Vec<Option<String>> {
        let mut source = open(&Spec { value, key, ..spec() }).unwrap();
        let mut message = Message::default();
        let mut keys = Vec::new();
        for sequence in 0.. {
            if source.fill(sequence, &mut clock(), &mut message).unwrap() == Filled::End {
                break;
            }
            keys.push(message.key().map(|key| String::from_utf8(key.to_vec()).unwrap()));
        }
        keys
    };
    let text = lines(&folder, "a\nb", LineFormat::Text);
    assert_eq!(keys(text.clone(), KeySpec::Default), [None, None]);
    assert_eq!(keys(text, template()), [Some("k-0".to_owned()), Some("k-1".to_owned())]);
    let json = lines(&folder, "{\"key\":\"own\"}\n{\"key\":null}\n", LineFormat::Json);
    assert_eq!(keys(json.clone(), KeySpec::Default), [Some("own".to_owned()), None]);
    assert_eq!(keys(json.clone(), template()), [Some("own".to_owned()), Some("k-1".to_owned())]);
    assert_eq!(keys(json, KeySpec::None), [None, None]);
}

#[test]
fn nothing_of_a_message_is_left_in_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let full = r#"{"key":"k","value":"v","headers":{"a":"1"},"partition":3,"timestamp":5}"#;
    let value =
        lines(&folder, &format!("{full}\n{{}}\n{full}\n{{\"value\":\"x\",\"partition\":-1}}\n"), LineFormat::Json);
    let mut source = open(&Spec { value, headers: vec!["b=2".to_owned()], ..spec() }).unwrap();
    let mut message = Message::default();
    assert_eq!(source.fill(0, &mut clock(), &mut message).unwrap(), Filled::Message);
    assert!(message.headers().eq([("a", Some(&b"1"[..])), ("b", Some(b"2"))]));
    assert_eq!(source.fill(1, &mut clock(), &mut message).unwrap(), Filled::Message);
    assert_eq!((message.key(), message.value(), message.partition, message.timestamp_ms), (None, None, None, None));
    assert!(message.headers().eq([("b", Some(&b"2"[..]))]));
    assert_eq!(source.fill(2, &mut clock(), &mut message).unwrap(), Filled::Message);
    assert!(source.fill(3, &mut clock(), &mut message).is_err());
    assert_eq!((message.key(), message.value(), message.partition, message.timestamp_ms), (None, None, None, None));
    assert_eq!(source.fill(4, &mut clock(), &mut message).unwrap(), Filled::End);
}

#[test]
fn a_file_goes_out_as_often_as_asked_and_knows_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in");
    std::fs::write(&path, "a\nb\n").unwrap();
    let value = ValueSpec::File { from: Input::File(path), gzip: false, count: 2 };
    let mut source = open(&Spec { value, headers: vec!["b=2".to_owned()], ..spec() }).unwrap();
    assert_eq!(source.known_total(), Some(2));
    let mut message = Message::default();
    assert_eq!(source.fill(1, &mut clock(), &mut message).unwrap(), Filled::Message);
    assert_eq!((message.key(), message.value()), (None, Some(&b"a\nb\n"[..])));
    assert!(message.headers().eq([("file-name", Some(&b"in"[..])), ("b", Some(b"2"))]));
    assert_eq!(source.fill(3, &mut clock(), &mut message).unwrap(), Filled::End);
    assert_eq!(open(&spec()).unwrap().known_total(), None);
}

#[test]
fn problems_come_all_at_once() {
    let spec = Spec {
        key: KeySpec::Template("{{key}}".to_owned()),
        value: ValueSpec::Template("{{value}}".to_owned()),
        headers: vec!["good={{seq}}".to_owned(), "s3cret".to_owned(), "=x".to_owned(), "h={{header}}".to_owned()],
        ..spec()
    };
    let problems: Vec<String> = spec.problems().iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 5);
    assert!(problems[0].starts_with("the key template, line 1, column 1: unknown placeholder `{{key}}`"));
    assert!(problems[1].starts_with("the value template, line 1, column 1: "));
    assert!(problems[2].starts_with("header number 2 is not of the form name=template"));
    assert!(problems[3].starts_with("header number 3 is not"));
    assert!(problems[4].starts_with("the template of header `h`, line 1, column 1: "));
    assert!(problems.iter().all(|problem| !problem.contains("s3cret")));
    assert!(open(&spec).is_err());
    assert!(self::spec().problems().is_empty());
}

#[test]
fn an_input_that_is_not_there_says_so() {
    let value = ValueSpec::Lines { from: Input::parse("no/such"), format: LineFormat::Text, max_line_bytes: 10 };
    let error = open(&Spec { value, ..spec() }).err().unwrap();
    assert!(error.to_string().starts_with("cannot open `no/such`: "));
    assert_eq!(Input::parse("-"), Input::Stdin);
}

#[test]
fn a_size_that_no_message_can_have_is_refused() {
    let value = ValueSpec::Payload { size: MAX_MESSAGE_BYTES + 1, kind: PayloadKind::Random };
    let spec = Spec { value, ..spec() };
    assert!(spec.problems()[0].to_string().starts_with("a value of 1000000001 bytes is beyond 1000000000, "));
    assert!(open(&spec).is_err());
}
