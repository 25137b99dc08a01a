//! Templates: rendered, or refused before anything is sent; with its braces doubled any text comes out as it went in.

use std::sync::Arc;
use std::time::Instant;

use kafka_producer::source::{Clock, Filled, KeySpec, Message, Source, Spec, ValueSpec};

/// Each may be a megabyte: the time of a run is for other things.
const MOST_RANDOM: usize = 3;

/// Takes the text as the template of key, value and header.
pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    if text.matches("random").count() > MOST_RANDOM {
        return;
    }
    let headers = vec![format!("h={text}"), text.to_owned()];
    let spec = spec(text, headers);
    let problems = spec.problems();
    for problem in &problems {
        let said = problem.to_string();
        assert!(!said.is_empty() && said.len() < 1000 + text.len(), "{said}");
    }
    let opened = message(&spec);
    assert_eq!(opened.is_some(), problems.is_empty(), "what is refused is all that is refused: {problems:?}");

    let escaped = text.replace("{{", "{{{{");
    let same = message(&self::spec(&escaped, Vec::new())).expect("there is no placeholder left");
    assert_eq!((same.key(), same.value()), (Some(text.as_bytes()), Some(text.as_bytes())));
}

fn spec(text: &str, headers: Vec<String>) -> Spec {
    let (key, value) = (KeySpec::Template(text.to_owned()), ValueSpec::Template(text.to_owned()));
    Spec { run_id: "run".to_owned(), host: "host".to_owned(), index: 3, key, value, headers }
}

/// The message of this specification, if it has no problem.
fn message(spec: &Spec) -> Option<Message> {
    let mut source = Source::open(spec, Arc::new(|| true)).ok()?;
    let mut message = Message::default();
    let filled = source.fill(17, &mut Clock::at(Instant::now(), 1_795_432_527_123_456), &mut message);
    assert!(matches!(filled, Ok(Filled::Message)), "{:?}", filled.err());
    Some(message)
}
