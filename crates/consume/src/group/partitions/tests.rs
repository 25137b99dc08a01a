use common::metrics::{Metrics, Program};

use super::*;

fn place(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn partitions(ends: &[(i32, Option<i64>)]) -> Partitions {
    let program =
        Program { program: "test", version: "1", librdkafka: "2".into(), features: String::new(), openssl: "3" };
    let mut partitions = Partitions::new(LoopMetrics::new(&mut Metrics::new("test", &program).unwrap()).unwrap());
    for (partition, end) in ends {
        partitions.add(place(*partition), 0, NONE, *end);
    }
    partitions
}

fn take(partitions: &mut Partitions, partition: i32, offset: i64) -> bool {
    let admitted = partitions.admit("t", partition, offset);
    admitted.inspect(|index| partitions.accept(*index, offset, 10, None)).is_some()
}

fn uncommitted(partitions: &mut Partitions) -> Vec<(i32, i64)> {
    let list = partitions.take_uncommitted().unwrap();
    let mut offsets: Vec<_> = list
        .iter()
        .flat_map(|list| {
            list.elements().iter().map(|e| (e.partition(), e.offset().to_raw().unwrap())).collect::<Vec<_>>()
        })
        .collect();
    offsets.sort_unstable();
    offsets
}

#[test]
fn only_what_was_written_is_committed_and_only_the_highest_of_each_partition() {
    let mut partitions = partitions(&[(0, None), (1, None)]);
    for (partition, offset) in [(0, 5), (0, 6), (1, 9), (0, 7)] {
        assert!(take(&mut partitions, partition, offset));
    }
    assert!(uncommitted(&mut partitions).is_empty(), "nothing is written yet");
    partitions.mark_written();
    assert_eq!(uncommitted(&mut partitions), [(0, 8), (1, 10)]);
    assert!(uncommitted(&mut partitions).is_empty(), "committed once");
    partitions.mark_uncommitted();
    assert_eq!(uncommitted(&mut partitions).len(), 2);
}

#[test]
fn what_is_read_and_not_written_is_lag_in_the_first_batch_too() {
    let mut partitions = partitions(&[(0, None)]);
    partitions.metrics.lag.expect_every(std::time::Duration::from_secs(60));
    let lag = |partitions: &mut Partitions| {
        partitions.show_lag(&place(0), 100, Instant::now());
        partitions.metrics.lag.now()[0].records
    };
    assert!(take(&mut partitions, 0, 90) && take(&mut partitions, 0, 99));
    assert_eq!(lag(&mut partitions), 10);
    partitions.mark_written();
    assert_eq!(lag(&mut partitions), 0);
}

#[test]
fn offsets_that_went_back_are_committed_too() {
    let mut partitions = partitions(&[(0, None)]);
    assert!(take(&mut partitions, 0, 99));
    partitions.mark_written();
    assert_eq!(uncommitted(&mut partitions), [(0, 100)]);
    partitions.forget("t");
    assert!(uncommitted(&mut partitions).is_empty(), "nothing of the new topic was read");
    assert!(take(&mut partitions, 0, 0));
    partitions.mark_written();
    assert_eq!(uncommitted(&mut partitions), [(0, 1)]);
}

#[test]
fn a_partition_that_went_takes_its_batch_along() {
    let mut partitions = partitions(&[(0, None), (1, None)]);
    assert!(take(&mut partitions, 0, 0) && take(&mut partitions, 1, 0));
    partitions.remove(&place(0));
    assert!(!take(&mut partitions, 0, 1), "not ours any more");
    partitions.mark_written();
    assert_eq!(uncommitted(&mut partitions), [(1, 1)]);
}

#[test]
fn an_end_is_reached_by_a_record_or_by_the_fetch_position() {
    let mut partitions = partitions(&[(0, Some(2)), (1, Some(5)), (2, Some(3))]);
    assert!(take(&mut partitions, 0, 0) && take(&mut partitions, 0, 1));
    assert!(!take(&mut partitions, 0, 2), "beyond the end");
    partitions.end_met(&place(1), 4);
    partitions.end_met(&place(2), 3);
    assert!(!partitions.all_at_end(), "an end before the one asked for does not count");
    assert_eq!(partitions.unended().collect::<Vec<_>>(), [&place(1)]);
    partitions.end_met(&place(1), 7);
    assert!(partitions.all_at_end());
}

#[test]
fn no_partitions_have_no_end() {
    assert!(!partitions(&[]).all_at_end());
}

#[test]
fn markers_at_the_end_are_committed_once_a_record_was_read() {
    let mut partitions = partitions(&[(0, None)]);
    assert!(take(&mut partitions, 0, 0));
    partitions.end_met(&place(0), 3);
    partitions.mark_written();
    assert_eq!(uncommitted(&mut partitions), [(0, 3)]);
    partitions.add(place(1), NONE, NONE, None);
    partitions.end_met(&place(1), 8);
    partitions.mark_written();
    assert!(uncommitted(&mut partitions).is_empty(), "nothing was read");
}

#[test]
fn nothing_behind_a_damaged_batch_is_taken_until_it_was_read_again() {
    let mut partitions = partitions(&[(0, Some(5))]);
    assert!(take(&mut partitions, 0, 0));
    let now = Instant::now();
    partitions.get(&place(0)).unwrap().damage = Some(Damage { offset: 1, since: now, retry_at: Some(now) });
    assert!(!take(&mut partitions, 0, 4), "passed over");
    partitions.end_met(&place(0), 5);
    assert!(!partitions.all_at_end());
    assert_eq!(partitions.get(&place(0)).unwrap().next(), Some(1));
    partitions.get(&place(0)).unwrap().damage.as_mut().unwrap().retry_at = None;
    assert!(take(&mut partitions, 0, 1));
}

#[test]
fn a_topic_is_unanswered_until_one_of_its_partitions_has_an_answer() {
    let mut partitions = partitions(&[(0, None), (1, None)]);
    assert_eq!(partitions.unanswered(), Some("t"));
    partitions.end_met(&place(1), 0);
    assert_eq!(partitions.unanswered(), None);
}
