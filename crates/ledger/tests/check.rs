//! The check of the check: a log with one fault is told by that fault's name and nothing else, and no order in which its
//! partitions are read changes anything.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use fastrand::Rng;
use ledger::{Findings, Judgement, Mark, Place, Ranges, Received, SHOWN, Sent, Share, Spot};

const PARTITIONS: u64 = 3;
const MESSAGES: u64 = 1000;

/// Partitions as they stand in a topic.
type Log = Vec<Vec<Mark>>;

fn message(attempt: u32, seq: u64) -> Mark {
    Mark::Message { attempt, seq, is_whole: true }
}

/// A run without faults: messages spread over the partitions.
fn run(attempt: u32, messages: impl Iterator<Item = u64>) -> Log {
    let mut log = vec![Vec::new(); PARTITIONS as usize];
    messages.for_each(|seq| log[(seq % PARTITIONS) as usize].push(message(attempt, seq)));
    log
}

fn append(log: &mut Log, more: Log) {
    log.iter_mut().zip(more).for_each(|(partition, more)| partition.extend(more));
}

/// Where a message stands.
fn find(log: &Log, wanted: Mark) -> (usize, usize) {
    let places = log.iter().enumerate();
    let mut found = places.filter_map(|(at, marks)| Some((at, marks.iter().position(|mark| *mark == wanted)?)));
    found.next().unwrap()
}

/// Reads the partitions one after the other.
fn read(log: &Log) -> Received {
    let mut received = Received::new(Some(MESSAGES));
    for (partition, marks) in log.iter().enumerate() {
        for (offset, mark) in marks.iter().enumerate() {
            received.note(partition as i32, offset as i64, *mark);
        }
    }
    received
}

fn findings(log: &Log, reports: &[Sent]) -> Findings {
    read(log).findings(Some(MESSAGES), reports)
}

fn sent(attempt: u32, delivered: u64, unacknowledged: &[(u64, u64)]) -> Sent {
    let unacknowledged = unacknowledged.iter().copied().collect();
    Sent { attempt, share: Share::WHOLE, requested: MESSAGES, delivered, unacknowledged }
}

/// Missing, lost, written twice, reordered, damaged.
fn counts(findings: &Findings) -> [u64; 5] {
    let Findings { missing, lost, written_twice, reordered, damaged, .. } = findings;
    [missing.count, lost.count, written_twice.count, reordered.count, damaged.count]
}

#[test]
fn a_run_without_faults_is_proven() {
    let found = findings(&run(1, 0..MESSAGES), &[sent(1, MESSAGES, &[])]);
    assert_eq!(counts(&found), [0; 5]);
    assert_eq!((found.records, found.distinct, found.resent, found.attempts), (MESSAGES, MESSAGES, 0, 1));
    assert_eq!(found.judgement(true, false), Judgement::Proven);
    assert_eq!(found.judgement(false, false), Judgement::Unproven);
    assert_eq!(found.judgement(true, true), Judgement::Unproven);
}

#[test]
fn a_dropped_message_is_missing() {
    let mut log = run(1, 0..MESSAGES);
    for seq in [7, 500, 501, 502, MESSAGES - 1] {
        let (partition, at) = find(&log, message(1, seq));
        log[partition].remove(at);
    }
    let found = findings(&log, &[]);
    assert_eq!(counts(&found), [5, 0, 0, 0, 0]);
    assert_eq!(found.missing.first, [(7, 7), (500, 502), (MESSAGES - 1, MESSAGES - 1)]);
    assert_eq!(found.judgement(true, false), Judgement::Faulty);
    assert_eq!(found.judgement(false, true), Judgement::Unproven, "it may be where nobody looked");
    // With the report it is known to have been written.
    let found = findings(&log, &[sent(1, MESSAGES - 1, &[(500, 500)])]);
    assert_eq!(counts(&found), [5, 4, 0, 0, 0]);
    assert_eq!(found.lost.first[0], Place { seq: 7, attempt: 1 });
}

#[test]
fn a_repeated_message_is_written_twice_wherever_the_copy_stands() {
    let at_once = |log: &mut Log| {
        let (partition, at) = find(log, message(1, 300));
        log[partition].insert(at, message(1, 300));
    };
    let later = |log: &mut Log| {
        let (partition, _) = find(log, message(1, 300));
        log[partition].push(message(1, 300));
    };
    let elsewhere = |log: &mut Log| {
        let (partition, _) = find(log, message(1, 300));
        log[(partition + 1) % PARTITIONS as usize].push(message(1, 300));
    };
    type Fault<'a> = &'a dyn Fn(&mut Log);
    let faults: [(&str, Fault); 3] = [("at once", &at_once), ("later", &later), ("elsewhere", &elsewhere)];
    for (name, fault) in faults {
        let mut log = run(1, 0..MESSAGES);
        fault(&mut log);
        let found = findings(&log, &[sent(1, MESSAGES, &[])]);
        assert_eq!(counts(&found), [0, 0, 1, 0, 0], "{name}");
        assert_eq!(found.written_twice.first, [Place { seq: 300, attempt: 1 }], "{name}");
        assert_eq!(found.judgement(false, true), Judgement::Faulty, "{name}: whatever else is not known");
    }
}

#[test]
fn swapped_messages_are_reordered() {
    let mut log = run(1, 0..MESSAGES);
    log[1].swap(10, 11);
    let found = findings(&log, &[sent(1, MESSAGES, &[])]);
    assert_eq!(counts(&found), [0, 0, 0, 1, 0]);
    assert_eq!(found.reordered.first, [Spot { partition: 1, offset: 11, message: Some((1, 31)) }]);
}

#[test]
fn a_damaged_message_is_damaged_and_not_missing() {
    let mut log = run(1, 0..MESSAGES);
    log[2][5] = Mark::Message { attempt: 1, seq: 17, is_whole: false };
    let found = findings(&log, &[sent(1, MESSAGES, &[])]);
    assert_eq!(counts(&found), [0, 0, 0, 0, 1]);
    assert_eq!(found.damaged.first, [Spot { partition: 2, offset: 5, message: Some((1, 17)) }]);
    // Of a stamp that cannot be read nobody knows which message it was.
    log[2][5] = Mark::Unreadable;
    assert_eq!(counts(&findings(&log, &[])), [1, 0, 0, 0, 1]);
    // A number beyond the run is a stamp that cannot be.
    let mut log = run(1, 0..MESSAGES);
    log[0].push(message(1, MESSAGES));
    let found = findings(&log, &[]);
    assert_eq!((counts(&found), found.distinct), ([0, 0, 0, 0, 1], MESSAGES));
}

#[test]
fn a_second_attempt_is_resent_and_its_gap_needs_a_report() {
    let mut log = run(1, 0..400);
    append(&mut log, run(2, 0..MESSAGES));
    let killed_and_retried = findings(&log, &[sent(2, MESSAGES, &[])]);
    assert_eq!(counts(&killed_and_retried), [0; 5]);
    assert_eq!((killed_and_retried.resent, killed_and_retried.attempts), (400, 2));
    assert_eq!(killed_and_retried.judgement(true, false), Judgement::Proven);

    let (partition, at) = find(&log, message(2, 100));
    log[partition].remove(at);
    assert_eq!(counts(&findings(&log, &[])), [0; 5], "the first attempt has it");
    let found = findings(&log, &[sent(2, MESSAGES, &[])]);
    assert_eq!((counts(&found), found.lost.first.clone()), ([0, 1, 0, 0, 0], vec![Place { seq: 100, attempt: 2 }]));
    // Not where it says itself that it does not know.
    assert_eq!(counts(&findings(&log, &[sent(2, MESSAGES - 1, &[(100, 100)])])), [0; 5]);
}

#[test]
fn a_run_that_stops_early_lacks_its_end() {
    let found = findings(&run(1, 0..600), &[sent(1, 600, &[(600, MESSAGES - 1)])]);
    assert_eq!(counts(&found), [MESSAGES - 600, 0, 0, 0, 0]);
    assert_eq!(found.missing.first, [(600, MESSAGES - 1)]);
}

#[test]
fn records_of_others_are_no_fault() {
    let mut log = run(1, 0..MESSAGES);
    log[0].extend([Mark::Other, Mark::Unstamped, Mark::Unstamped]);
    let found = findings(&log, &[sent(1, MESSAGES, &[])]);
    assert_eq!((counts(&found), found.other_records, found.unchecked), ([0; 5], 1, 2));
    assert_eq!(found.judgement(true, false), Judgement::Proven);
}

#[test]
fn a_cut_report_loses_only_what_must_be_lost() {
    let mut log = run(1, 0..MESSAGES);
    for seq in 10..15 {
        let (partition, at) = find(&log, message(1, seq));
        log[partition].remove(at);
    }
    // Ten were not acknowledged, of which one is named: the five may be among the other nine.
    let found = findings(&log, &[sent(1, MESSAGES - 10, &[(900, 900)])]);
    assert_eq!((counts(&found), found.uncertain.clone()), ([5, 0, 0, 0, 0], vec![(1, 5)]));
    // Four were not acknowledged, of which one is named: of the five, two at least were.
    let found = findings(&log, &[sent(1, MESSAGES - 4, &[(900, 900)])]);
    assert_eq!((counts(&found), found.uncertain.clone()), ([5, 2, 0, 0, 0], vec![(1, 3)]));
}

#[test]
fn shares_of_a_run_are_told_apart() {
    let share = |index| Share { index, count: 3 };
    let own = |index| (0..MESSAGES).filter(move |seq| seq % 3 == index);
    let mut log = run(1, own(0));
    append(&mut log, run(2, own(1)));
    append(&mut log, run(3, own(2).filter(|seq| *seq != 302)));
    let reports: Vec<Sent> = (0..3)
        .map(|index| {
            let requested = share(index).of(MESSAGES);
            let attempt = index as u32 + 1;
            Sent { attempt, share: share(index), requested, delivered: requested, unacknowledged: Ranges::default() }
        })
        .collect();
    let found = findings(&log, &reports);
    assert_eq!((counts(&found), found.attempts), ([1, 1, 0, 0, 0], 3));
    assert_eq!(found.lost.first, [Place { seq: 302, attempt: 3 }]);
}

#[test]
fn what_is_found_without_an_expectation_is_found() {
    let mut log = run(1, 0..MESSAGES);
    log[0].swap(3, 4);
    let found = read(&log).findings(None, &[]);
    assert_eq!((counts(&found), found.expected, found.distinct), ([0, 0, 0, 1, 0], None, MESSAGES));
    assert_eq!(found.judgement(true, true), Judgement::Faulty);
}

#[test]
fn many_pieces_are_many_ranges() {
    let messages = 300_000;
    let mut received = Received::new(Some(messages));
    (0..messages).filter(|seq| seq % 3000 != 0).for_each(|seq| received.note(0, seq as i64, message(1, seq)));
    let found = received.findings(Some(messages), &[]);
    assert_eq!((found.missing.count, found.missing.first.len()), (100, SHOWN));
    assert_eq!((found.missing.first[1], found.distinct), ((3000, 3000), messages - 100));
    let (mut received, gap) = (Received::new(Some(messages)), 65_000..200_000);
    (0..messages).filter(|seq| !gap.contains(seq)).for_each(|seq| received.note(0, seq as i64, message(1, seq)));
    assert_eq!(received.findings(Some(messages), &[]).missing.first, [(65_000, 199_999)]);
}

/// A log with many faults of all kinds at once.
fn damaged_log(rng: &mut Rng) -> Log {
    let mut log = run(1, 0..MESSAGES);
    append(&mut log, run(2, rng.u64(0..MESSAGES)..MESSAGES));
    for _ in 0..rng.usize(0..60) {
        let partition = rng.usize(0..log.len());
        let at = rng.usize(0..log[partition].len());
        let mark = log[partition][at];
        match rng.u8(0..6) {
            0 => drop(log[partition].remove(at)),
            1 => log[partition].insert(at, mark),
            2 => {
                let other = rng.usize(0..log.len());
                let to = rng.usize(0..log[other].len());
                log[other].insert(to, mark);
            }
            3 => {
                let other = rng.usize(0..log[partition].len());
                log[partition].swap(at, other);
            }
            4 => log[partition][at] = Mark::Unreadable,
            _ => {
                if let Mark::Message { is_whole, .. } = &mut log[partition][at] {
                    *is_whole = false;
                }
            }
        }
    }
    log
}

#[test]
fn any_interleaving_of_partitions_gives_the_same_result() {
    let mut rng = Rng::with_seed(0xa0d17);
    let mut faults = [0; 5];
    for round in 0..60 {
        let log = damaged_log(&mut rng);
        let reports = [sent(1, MESSAGES, &[]), sent(2, MESSAGES - 3, &[(5, 7)])];
        let expected = findings(&log, &reports);
        faults.iter_mut().zip(counts(&expected)).for_each(|(sum, count)| *sum += count);
        for _ in 0..5 {
            let mut received = Received::new(Some(MESSAGES));
            let mut next = vec![0; log.len()];
            let mut open: Vec<usize> = (0..log.len()).filter(|at| !log[*at].is_empty()).collect();
            while !open.is_empty() {
                let choice = rng.usize(0..open.len());
                let partition = open[choice];
                // As a client hands them over: some of one partition, then some of another.
                for _ in 0..rng.usize(1..40) {
                    let Some(mark) = log[partition].get(next[partition]) else { break };
                    received.note(partition as i32, next[partition] as i64, *mark);
                    next[partition] += 1;
                }
                if next[partition] == log[partition].len() {
                    open.swap_remove(choice);
                }
            }
            assert_eq!(received.findings(Some(MESSAGES), &reports), expected, "round {round}");
        }
    }
    assert!(faults.iter().all(|count| *count > 100), "each kind has to be there: {faults:?}");
}
