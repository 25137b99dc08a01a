//! The seam on a mock cluster: what a sink's faults do to the records, and to the offsets that are committed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step is a failed test")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::config::Properties;
use common::exit::Exit;
use common::health::Health;
use common::kafka::ClientState;
use common::kafka::native::Isolation;
use common::metrics::{ClientMetrics, Metrics, Program};
use common::shutdown::Shutdown;
use common::verdict::Verdict;
use consume::{
    Deps, FIXED, Fault, LoopMetrics, Poller, Record, Reset, Settings, Sink, Start, Stop, Subscription, Tally,
};
use testbed::mock::Mock;
use testbed::records::{self, NewRecord};

const TOPIC: &str = "test";
const RECORDS: i64 = 30;
const SOON: Duration = Duration::from_millis(50);

/// What a sink was given and has kept, as offsets.
#[derive(Default)]
struct Kept {
    flushed: Vec<i64>,
    offered: usize,
}

/// A sink that does as it is told.
struct Scripted {
    batch: Vec<i64>,
    kept: Arc<Mutex<Kept>>,
    /// The faults of the record at this offset, one after the other.
    record: (i64, VecDeque<Fault>),
    flush: VecDeque<Fault>,
}

impl Sink for Scripted {
    fn record(&mut self, record: &Record<'_>) -> Result<(), Fault> {
        self.kept.lock().unwrap().offered += 1;
        if record.offset == self.record.0
            && let Some(fault) = self.record.1.pop_front()
        {
            return Err(fault);
        }
        self.batch.push(record.offset);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        if let Some(fault) = self.flush.pop_front() {
            return Err(fault);
        }
        self.kept.lock().unwrap().flushed.append(&mut self.batch);
        Ok(())
    }

    fn discard(&mut self) {
        self.batch.clear();
    }

    fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    fn is_full(&self) -> bool {
        self.batch.len() >= 7
    }
}

/// Runs a member of group `g` to the end of the topic with these faults; the verdict and what the sink has kept.
fn run(mock: &Mock, record: (i64, Vec<Fault>), flush: Vec<Fault>) -> (Verdict, Kept) {
    let kept = Arc::new(Mutex::new(Kept::default()));
    let sink = Scripted {
        batch: Vec::new(),
        kept: Arc::clone(&kept),
        record: (record.0, record.1.into()),
        flush: flush.into(),
    };
    let mut properties = Properties::new();
    for (key, value) in FIXED {
        properties.fallback(key, value);
    }
    properties.fallback("bootstrap.servers", mock.bootstrap_servers());
    properties.fallback("group.id", "g");
    // Quicker on the mock than a classic group.
    properties.fallback("group.protocol", "consumer");
    let settings = Settings {
        subscription: Subscription::Group { topics: vec![TOPIC.to_owned()], group: "g".to_owned() },
        from: Start::Committed,
        reset: Reset::Earliest,
        isolation: Isolation::ReadCommitted,
        max_records: None,
        positions: Default::default(),
        exit_at_end: true,
        until: None,
        timeout: Some(Duration::from_secs(30)),
        commit_interval: Duration::from_millis(100),
        drain_timeout: Duration::from_secs(10),
        servers: mock.bootstrap_servers(),
        properties,
    };
    let program =
        Program { program: "test", version: "1", librdkafka: "2".into(), features: String::new(), openssl: "3" };
    let mut metrics = Metrics::new("test", &program).unwrap();
    let client = ClientMetrics::new(&mut metrics).unwrap();
    let deps = Deps {
        client: Arc::new(ClientState::new("topic test".to_owned(), client, None)),
        metrics: LoopMetrics::new(&mut metrics).unwrap(),
        health: Health::new(Duration::from_secs(60), "starting"),
        shutdown: Shutdown::new(),
        tally: Arc::new(Tally::new()),
    };
    let verdict = Poller::new(&settings, sink, deps).unwrap().run();
    let kept = std::mem::take(&mut *kept.lock().unwrap());
    (verdict, kept)
}

fn mock() -> Mock {
    let mock = Mock::with_topic(TOPIC, 1).unwrap();
    mock.group_start_delay(Duration::from_millis(200)).unwrap();
    let values: Vec<NewRecord> = (0..RECORDS).map(|n| NewRecord::value(n.to_string()).partition(0)).collect();
    records::produce(&records::client_config(&mock.bootstrap_servers()), TOPIC, &values).unwrap();
    mock
}

fn again() -> Fault {
    Fault::Retry(SOON, "the shelf is full".to_owned())
}

fn all() -> Vec<i64> {
    (0..RECORDS).collect()
}

#[test]
fn a_record_that_is_refused_for_now_comes_again_and_nothing_is_lost_or_repeated() {
    let (verdict, kept) = run(&mock(), (11, vec![again(), again()]), vec![]);
    assert_eq!((verdict, kept.flushed), (Verdict::ok(), all()));
    assert!(kept.offered > all().len(), "offered again: {}", kept.offered);
}

#[test]
fn a_batch_that_is_refused_for_now_is_flushed_later_and_nothing_is_lost_or_repeated() {
    let (verdict, kept) = run(&mock(), (-1, vec![]), vec![again(), again(), again()]);
    assert_eq!((verdict, kept.flushed), (Verdict::ok(), all()));
}

#[test]
fn a_record_that_is_skipped_counts_as_done() {
    let mock = mock();
    let (verdict, kept) = run(&mock, (11, vec![Fault::Skip("poison".to_owned())]), vec![]);
    let expected: Vec<i64> = all().into_iter().filter(|offset| *offset != 11).collect();
    assert_eq!((verdict, kept.flushed), (Verdict::ok(), expected));
    let (verdict, kept) = run(&mock, (-1, vec![]), vec![]);
    assert_eq!(kept.flushed, [0; 0], "all of it was committed");
    assert_eq!(verdict.exit, Exit::Ok);
    assert!(verdict.reason().contains("the group's committed offsets are at the end"), "{verdict}");
}

#[test]
fn what_was_not_flushed_is_not_committed_and_the_next_member_gets_it() {
    let mock = mock();
    let broken = || Fault::Stop(Stop::Failed(Verdict::new(Exit::Incomplete, "the shelf fell down")));
    let (verdict, kept) = run(&mock, (11, vec![broken()]), vec![]);
    assert_eq!((verdict.exit, verdict.reason()), (Exit::Incomplete, "the shelf fell down"));
    let (verdict, rest) = run(&mock, (-1, vec![]), vec![]);
    assert_eq!(verdict, Verdict::ok());
    assert_eq!([kept.flushed, rest.flushed].concat(), all());
}

#[test]
fn a_sink_that_wants_no_more_is_a_good_end() {
    let mock = mock();
    let (verdict, kept) = run(&mock, (11, vec![Fault::Stop(Stop::Closed)]), vec![]);
    assert_eq!(verdict, Verdict::ok());
    let (_, rest) = run(&mock, (-1, vec![]), vec![]);
    assert_eq!([kept.flushed, rest.flushed].concat(), all());
}
