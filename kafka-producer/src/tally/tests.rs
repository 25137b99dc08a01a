//! The tally adds up at any moment, and silence is counted from when something was in flight.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use common::metrics::Program;

use super::*;
use crate::metrics::register;

fn tally(requested: Option<u64>) -> Tally {
    let program =
        Program { program: "test", version: "1", librdkafka: String::new(), features: String::new(), openssl: "3" };
    Tally::new(register(&program).unwrap().producer, requested).unwrap()
}

fn assert_adds_up(tally: &Tally, expected: [u64; 5]) {
    let Counts { requested, delivered, failed, unsent, in_flight, .. } = tally.counts();
    assert_eq!([requested, delivered, failed, unsent, in_flight], expected);
    assert_eq!(requested, delivered + failed + unsent + in_flight);
}

#[test]
fn it_adds_up_at_every_moment() {
    let tally = tally(Some(6));
    assert_adds_up(&tally, [6, 0, 0, 6, 0]);
    for _ in 0..4 {
        tally.hand_over();
    }
    assert_adds_up(&tally, [6, 0, 0, 2, 4]);
    assert_eq!(tally.in_flight(), 4);
    tally.delivered(0, 10, Duration::from_millis(1), Instant::now());
    tally.undelivered(RDKafkaErrorCode::PurgeQueue, false, "test", 0);
    tally.undelivered(RDKafkaErrorCode::PurgeInflight, true, "test", 0);
    assert_adds_up(&tally, [6, 1, 1, 3, 1]);
    tally.hand_over();
    tally.hand_back();
    assert_adds_up(&tally, [6, 1, 1, 3, 1]);
    tally.undelivered(RDKafkaErrorCode::PurgeInflight, true, "test", 0);
    assert_adds_up(&tally, [6, 1, 2, 3, 0]);
    assert_eq!(tally.counts().undone().unwrap(), "1 of 6 messages acknowledged");
}

#[test]
fn the_metric_of_unsent_messages_is_what_the_report_says() {
    let tally = tally(Some(9));
    for _ in 0..4 {
        tally.hand_over();
    }
    tally.undelivered(RDKafkaErrorCode::PurgeQueue, false, "test", 0);
    tally.undelivered(RDKafkaErrorCode::PurgeInflight, true, "test", 0);
    tally.not_taken(3, RDKafkaErrorCode::MessageSizeTooLarge, "test", 0);
    assert_eq!(tally.metrics.unsent.get(), 2, "what is still to be sent does not count");
    assert_eq!((tally.close().unsent, tally.metrics.unsent.get()), (7, 7));
    assert_eq!((tally.close().unsent, tally.metrics.unsent.get()), (7, 7), "a second look changes nothing");
}

#[test]
fn what_is_in_flight_at_the_end_failed() {
    let tally = tally(Some(3));
    tally.hand_over();
    tally.hand_over();
    let counts = tally.close();
    assert_eq!([counts.requested, counts.failed, counts.unsent, counts.in_flight], [3, 2, 1, 0]);
}

#[test]
fn only_a_committed_transaction_is_delivered() {
    for committed in [true, false] {
        let tally = tally(Some(2));
        tally.begin_transaction();
        for _ in 0..2 {
            tally.hand_over();
            tally.delivered(0, 5, Duration::from_millis(1), Instant::now());
        }
        assert_eq!(tally.counts().delivered, 2, "what a person sees meanwhile");
        if committed {
            tally.commit();
        }
        // Asked twice: by the work that ended, and by whoever reports.
        for counts in [tally.close(), tally.close()] {
            let found = (counts.delivered, counts.failed, counts.bytes, counts.errors.get("TransactionAborted"));
            assert_eq!(found, if committed { (2, 0, 10, None) } else { (0, 2, 0, Some(&2)) });
            assert_eq!(counts.latencies_us.is_some(), committed);
        }
    }
}

#[test]
fn what_was_not_acknowledged_is_known_by_its_number() {
    let tally = tally(Some(10));
    for _ in 0..6 {
        tally.hand_over();
    }
    // The fourth was not taken, the others are 0, 1, 2, 4 and 5.
    tally.not_taken(3, RDKafkaErrorCode::MessageSizeTooLarge, "test", 0);
    for _ in 0..3 {
        tally.delivered(0, 1, Duration::from_millis(1), Instant::now());
    }
    tally.unacknowledged(1);
    tally.undelivered(RDKafkaErrorCode::MessageTimedOut, true, "test", 0);
    let ranges = |counts: Counts| counts.unacknowledged.iter().collect::<Vec<_>>();
    // One is in flight: nobody knows which.
    assert_eq!(ranges(tally.close()), [(1, 1), (3, 3), (6, 9)]);
    tally.unacknowledged(2);
    tally.undelivered(RDKafkaErrorCode::PurgeInflight, true, "test", 0);
    for counts in [tally.close(), tally.close()] {
        assert_eq!(counts.unacknowledged.count(), counts.failed + counts.unsent);
        assert_eq!(ranges(counts), [(1, 3), (6, 9)]);
    }
}

#[test]
fn of_an_aborted_transaction_nothing_is_acknowledged() {
    let tally = tally(Some(3));
    tally.begin_transaction();
    tally.hand_over();
    tally.delivered(0, 1, Duration::from_millis(1), Instant::now());
    for counts in [tally.close(), tally.close()] {
        assert_eq!(counts.unacknowledged.iter().collect::<Vec<_>>(), [(0, 2)]);
    }
}

#[test]
fn an_input_is_counted_as_it_is_read() {
    let tally = tally(None);
    assert_adds_up(&tally, [0, 0, 0, 0, 0]);
    tally.request(1);
    assert_adds_up(&tally, [1, 0, 0, 1, 0]);
    tally.hand_over();
    tally.delivered(0, 1, Duration::from_millis(1), Instant::now());
    tally.request(2);
    tally.hand_over();
    tally.not_taken(3, RDKafkaErrorCode::MessageSizeTooLarge, "test", 0);
    assert_adds_up(&tally, [2, 1, 0, 1, 0]);
    assert_eq!(tally.counts().undone().unwrap(), "1 of 2 messages acknowledged before the end of the input");
}

#[test]
fn an_input_that_ends_early_requests_no_more() {
    let tally = tally(Some(100));
    tally.hand_over();
    tally.request_no_more(1);
    assert_adds_up(&tally, [1, 0, 0, 0, 1]);
    tally.delivered(0, 1, Duration::from_millis(1), Instant::now());
    assert_eq!(tally.counts().undone(), None);
}

#[test]
fn what_was_never_transmitted_is_unsent_and_no_failure() {
    let tally = tally(Some(4));
    for _ in 0..4 {
        tally.hand_over();
    }
    tally.not_taken(3, RDKafkaErrorCode::MessageSizeTooLarge, "test", 0);
    tally.undelivered(RDKafkaErrorCode::PurgeQueue, false, "test", 0);
    tally.undelivered(RDKafkaErrorCode::PurgeQueue, true, "test", 0);
    tally.undelivered(RDKafkaErrorCode::MessageSizeTooLarge, true, "test", 0);
    assert_adds_up(&tally, [4, 0, 2, 2, 0]);
    assert_eq!(tally.counts().errors["MessageSizeTooLarge"], 2, "the report names both");
    let failed = |error: &str| tally.metrics.failed.with_label_values(&[error]).get();
    assert_eq!((failed("MessageSizeTooLarge"), failed("PurgeQueue")), (1, 1));
    assert!(!tally.has_refusal() && tally.refused_message().is_some(), "one message too large is no end of the run");
}

#[test]
fn of_the_rights_on_the_topic_the_one_that_is_missing_is_named() {
    let tally = tally(Some(1));
    tally.hand_over();
    tally.undelivered(RDKafkaErrorCode::TopicAuthorizationFailed, true, "test", 0);
    let refusal = tally.refused().unwrap();
    assert!(refusal.reason().ends_with("; the user needs Write on the topic"), "{refusal}");
}

#[test]
fn silence_counts_from_when_something_came_into_flight() {
    let (tally, start) = (tally(Some(9)), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    let silence = |seconds| tally.silence(at(seconds)).as_secs();
    assert_eq!(silence(0), 0);
    assert_eq!(silence(500), 0, "nothing was sent: a wait for input, or for a message's time");
    tally.hand_over();
    assert_eq!(silence(500), 0);
    assert_eq!(silence(560), 60);
    tally.hand_over();
    assert_eq!(silence(561), 61, "one more in flight is no acknowledgement");
    tally.delivered(0, 1, Duration::from_secs(1), at(570));
    assert_eq!(silence(580), 10, "the other one is still in flight");
    tally.undelivered(RDKafkaErrorCode::MessageTimedOut, true, "test", 0);
    assert_eq!(silence(900), 0);
    // Between two looks all was acknowledged, long ago, and something new was sent.
    tally.hand_over();
    assert_eq!(silence(1000), 0);
    tally.delivered(0, 1, Duration::from_secs(1), at(1001));
    tally.hand_over();
    assert_eq!(silence(1130), 0, "130 s after the last acknowledgement, and just sent");
    assert_eq!(silence(1250), 120);
}

#[test]
fn metrics_follow_the_counts() {
    let tally = tally(Some(3));
    assert_eq!(tally.metrics.requested.get(), 3);
    for _ in 0..3 {
        tally.hand_over();
    }
    tally.hand_back();
    tally.delivered(0, 7, Duration::from_millis(1), Instant::now());
    tally.counts();
    tally.counts();
    let metrics = &tally.metrics;
    assert_eq!((metrics.enqueued.get(), metrics.delivered.get(), metrics.delivered_bytes.get()), (2, 1, 7));
}

#[test]
fn a_partition_is_confirmed_by_an_acknowledgement_in_it_and_in_no_other() {
    let tally = tally(Some(3));
    for _ in 0..3 {
        tally.hand_over();
    }
    assert!(!tally.is_confirmed(0) && !tally.is_confirmed(-1));
    for partition in [0, 64, 1000] {
        tally.delivered(partition, 1, Duration::from_millis(1), Instant::now());
    }
    let confirmed: Vec<i32> = (-1..1100).filter(|partition| tally.is_confirmed(*partition)).collect();
    assert_eq!(confirmed, [0, 64, 1000]);
}
