//! The page as text: complete, small, and with nothing from outside that is not escaped.

use super::*;
use crate::status::facts::{Bound, LISTED, Latency, Quantile, Records, VERSION, keep_most_lag};

const BAD: &str = r#"<script>alert("1")</script>&'"#;

fn partition(number: i32) -> Partition {
    Partition {
        topic: "t".repeat(40),
        partition: number,
        next_offset: Some(1_234_567_890),
        lag_records: Some(i64::from(number)),
        lag_seconds: Some(61.0),
        records_per_second: Some(1234.5),
    }
}

fn facts(partitions: usize) -> Facts {
    let mut partitions: Vec<Partition> = (0..partitions).map(|number| partition(number as i32)).collect();
    let assigned_partitions = partitions.len();
    let partitions_left_out = keep_most_lag(&mut partitions);
    let count = |name: &str| Count { name: name.to_owned(), count: 3 };
    Facts {
        v: VERSION,
        program: "kafka-consumer",
        version: "1.0.0",
        librdkafka: "2.12.1".to_owned(),
        openssl: "OpenSSL 3",
        group: Some("billing".to_owned()),
        client_id: "pod-1".to_owned(),
        uptime_seconds: 61,
        live: Ok(()).into(),
        ready: Ok(()).into(),
        records: Records {
            total: 1_000_000,
            bytes: 1,
            per_second: Some(1234.0),
            per_second_1m: Some(12.5),
            per_second_5m: None,
            history: vec![123_456.7; 150],
            history_step_seconds: 2,
        },
        latency: Latency { p50: Some(Quantile { seconds: 0.005, bound: Bound::Below }), p99: None },
        lag_records: Some(7),
        assigned_partitions,
        partitions,
        partitions_left_out,
        rebalances: vec![Rebalanced {
            time: "2026-11-26T12:00:00Z".to_owned(),
            seconds_ago: 5,
            kind: "assign",
            partitions: 6,
            assigned: 6,
        }],
        commits: vec![count("ok")],
        brokers: vec![Broker { id: "1".to_owned(), up: true, p50_seconds: Some(0.0004), p99_seconds: None }],
        errors: vec![],
        spans: vec![],
    }
}

#[test]
fn every_place_of_the_template_is_filled() {
    let page = page(&facts(6));
    assert!(!page.contains(MARKS.0), "{page}");
    for shown in
        ["<td>ok</td><td class=\"n\">3</td>", "&lt; 5 ms", "1,000,000", "1 min 1 s", "1,234,567,890", "5 s ago"]
    {
        assert!(page.contains(shown), "{shown}\n{page}");
    }
    assert!(page.contains("id=\"traces\" aria-labelledby=\"h-spans\" hidden"), "without tracing no spans");
}

#[test]
fn the_page_is_small_without_its_rows_and_lists_no_more_than_it_may() {
    let bare = page(&facts(0)).len();
    assert!(bare <= 32 * 1024, "{bare} bytes");
    let page = page(&facts(1000));
    assert_eq!(page.matches("class=\"bar\"><svg").count(), LISTED);
    assert!(page.contains(">1,000<") && page.contains("and 800 more, none of them with more lag"));
}

#[test]
fn whatever_comes_from_outside_is_text() {
    let mut facts = facts(1);
    facts.group = Some(BAD.to_owned());
    facts.client_id = BAD.to_owned();
    facts.ready = Err(BAD.to_owned()).into();
    facts.partitions[0].topic = BAD.to_owned();
    facts.brokers[0].id = BAD.to_owned();
    for list in [&mut facts.commits, &mut facts.errors, &mut facts.spans] {
        list.push(Count { name: BAD.to_owned(), count: 1 });
    }
    let page = page(&facts);
    let escaped = Escaped(BAD).to_string();
    // Title, membership, client, reason, topic, broker, commits, errors, spans.
    assert_eq!(page.matches(&escaped).count(), 9, "{page}");
    assert!(!page.contains("alert(\"1\")"), "{page}");
    assert_eq!(page.matches("<script>").count(), 1);
}

#[test]
fn nothing_in_a_value_is_taken_for_a_place() {
    let mut facts = facts(0);
    facts.group = Some("{{script}}".to_owned());
    let page = page(&facts);
    assert!(page.contains("group <b>{{script}}</b>") && page.matches("use strict").count() == 1);
}

#[test]
fn the_curve_goes_from_edge_to_edge_and_stays_in_its_box() {
    assert_eq!(line(&[0.0, 5.0, 10.0]), "M0.0,78.0 150.0,41.0 300.0,4.0");
    assert_eq!(area(&[0.0, 5.0, 10.0]), "M0.0,78.0 150.0,41.0 300.0,4.0 V80 H0Z");
    for few in [[].as_slice(), &[1.0]] {
        assert_eq!((line(few), area(few)), (String::new(), String::new()));
    }
}
