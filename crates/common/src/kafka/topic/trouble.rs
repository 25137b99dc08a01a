//! Why a topic takes no messages, or gives none, though brokers answer: partitions without a leader, replicas out of sync.

use std::time::Duration;

use rdkafka::client::{Client, ClientContext};

/// One partition, as the metadata have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionState {
    /// Its number.
    pub partition: i32,
    /// Node id of the leader, if it has one.
    pub leader: Option<i32>,
    /// Node ids of all replicas.
    pub replicas: Vec<i32>,
    /// Node ids of those that are in sync.
    pub in_sync: Vec<i32>,
}

/// The partitions of a topic, by number; none when there is no such topic. Blocks for `limit` at most; `None` when no broker
/// answered.
pub fn partitions<C: ClientContext>(client: &Client<C>, topic: &str, limit: Duration) -> Option<Vec<PartitionState>> {
    let metadata = client.fetch_metadata(Some(topic), limit).ok()?;
    let found = metadata.topics().iter().filter(|found| found.name() == topic);
    let mut partitions: Vec<PartitionState> = found
        .flat_map(|found| found.partitions())
        .map(|partition| PartitionState {
            partition: partition.id(),
            leader: Some(partition.leader()).filter(|leader| *leader >= 0),
            replicas: partition.replicas().to_vec(),
            in_sync: partition.isr().to_vec(),
        })
        .collect();
    partitions.sort_by_key(|partition| partition.partition);
    Some(partitions)
}

/// What is wrong with a topic, in a sentence: for a verdict at a deadline, instead of a guess about the brokers. Leaders first, as
/// nothing moves without; then replicas, which are fatal only below the topic's `min.insync.replicas`.
pub fn explain(topic: &str, partitions: &[PartitionState]) -> Option<String> {
    let of = partitions.len();
    if of == 0 {
        return Some(format!("topic {topic} does not exist any more"));
    }
    let leaderless: Vec<&PartitionState> = partitions.iter().filter(|partition| partition.leader.is_none()).collect();
    if !leaderless.is_empty() {
        let named = listed("partition", leaderless.iter().map(|partition| partition.partition));
        let (has, replicas) = (if leaderless.len() == 1 { "has" } else { "have" }, union(&leaderless, |p| &p.replicas));
        let text = format!("topic {topic}: {named} of {of} {has} no leader");
        let replicas = if replicas.is_empty() {
            String::new()
        } else {
            format!("; the replicas are on {}: bring one back", listed("broker", replicas))
        };
        return Some(text + &replicas);
    }
    let behind: Vec<&PartitionState> =
        partitions.iter().filter(|partition| partition.in_sync.len() < partition.replicas.len()).collect();
    let worst = behind.iter().min_by_key(|partition| partition.in_sync.len())?;
    let missing: Vec<i32> = union(&behind, |partition| &partition.replicas)
        .into_iter()
        .filter(|node| behind.iter().any(|p| p.replicas.contains(node) && !p.in_sync.contains(node)))
        .collect();
    Some(format!(
        "topic {topic}: {} of {of} lack replicas, partition {} has {} of {} in sync; {} missing: with fewer than the topic's \
         min.insync.replicas nothing is acknowledged",
        listed("partition", behind.iter().map(|partition| partition.partition)),
        worst.partition,
        worst.in_sync.len(),
        worst.replicas.len(),
        match missing.as_slice() {
            [one] => format!("broker {one} is"),
            many => format!("{} are", listed("broker", many.iter().copied())),
        }
    ))
}

/// `partition 3`, `partitions 0, 3, 5`, `partitions 0 to 5`, or, of many, `partitions 0, 3, 5, ..`.
fn listed(what: &str, numbers: impl IntoIterator<Item = i32>) -> String {
    const SHOWN: usize = 8;
    let numbers: Vec<i32> = numbers.into_iter().collect();
    match numbers.as_slice() {
        [one] => format!("{what} {one}"),
        [first, .., last]
            if numbers.len() > 2 && usize::try_from(last - first).is_ok_and(|n| n + 1 == numbers.len()) =>
        {
            format!("{what}s {first} to {last}")
        }
        _ => {
            let shown: Vec<String> = numbers.iter().take(SHOWN).map(ToString::to_string).collect();
            let more = if numbers.len() > SHOWN { ", .." } else { "" };
            format!("{what}s {}{more}", shown.join(", "))
        }
    }
}

fn union<'a>(partitions: &[&'a PartitionState], nodes: impl Fn(&'a PartitionState) -> &'a Vec<i32>) -> Vec<i32> {
    let mut all: Vec<i32> = partitions.iter().flat_map(|partition| nodes(partition).iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rdkafka::producer::{BaseProducer, Producer};
    use testbed::mock::Mock;

    use super::*;
    use crate::config::Properties;
    use crate::kafka::topic::SLICE;

    fn state(partition: i32, leader: Option<i32>, replicas: &[i32], in_sync: &[i32]) -> PartitionState {
        PartitionState { partition, leader, replicas: replicas.to_vec(), in_sync: in_sync.to_vec() }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_partitions_and_brokers() {
        let whole = |number| state(number, Some(1), &[1, 2, 3], &[1, 2, 3]);
        assert_eq!(explain("t", &[whole(0), whole(1)]), None);
        assert_eq!(explain("t", &[]).unwrap(), "topic t does not exist any more");
        assert_eq!(
            explain("t", &[whole(0), state(1, None, &[2, 3], &[2])]).unwrap(),
            "topic t: partition 1 of 2 has no leader; the replicas are on brokers 2, 3: bring one back"
        );
        assert_eq!(
            explain("t", &[state(0, Some(1), &[1, 2, 3], &[1]), whole(1), state(2, Some(1), &[1, 2], &[1])]).unwrap(),
            "topic t: partitions 0, 2 of 3 lack replicas, partition 0 has 1 of 3 in sync; brokers 2, 3 are missing: with \
             fewer than the topic's min.insync.replicas nothing is acknowledged"
        );
        let lonely: Vec<_> = (0..4).map(|number| state(number, None, &[], &[])).collect();
        assert_eq!(explain("t", &lonely).unwrap(), "topic t: partitions 0 to 3 of 4 have no leader");
    }

    #[test]
    fn metadata_tell_of_a_partition_without_a_leader() {
        let mock = Mock::start(3).unwrap();
        mock.create_topic("test", 2, 3).unwrap();
        let mut properties = Properties::new();
        properties.fallback("bootstrap.servers", mock.bootstrap_servers());
        let producer: BaseProducer = crate::kafka::client_config(&properties).create().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while partitions(producer.client(), "test", SLICE).is_none_or(|partitions| partitions.is_empty()) {
            assert!(Instant::now() < deadline, "no broker answers");
        }
        let look = || explain("test", &partitions(producer.client(), "test", SLICE).unwrap());
        assert_eq!(look(), None);
        mock.move_leader("test", 1, None).unwrap();
        let said = look().unwrap();
        assert!(said.starts_with("topic test: partition 1 of 2 has no leader"), "{said}");
    }
}
