//! When each broker answered last, from successive statistics: a broker that takes requests and says nothing is told from one
//! of which nothing is wanted.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::statistics::{Broker, Statistics};

/// No answer for this long, with requests in flight or without a connection, is silence.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What a consumer depends on, as the latest statistics have it, and when that answered last.
#[derive(Debug)]
pub struct Answering {
    /// When the client was made: what is away in its first statistics has been away since.
    began: Instant,
    nodes: BTreeMap<i32, Answered>,
    coordinator: Option<Answered>,
    /// The leaders of the partitions that are consumed: the first partition of each, for the message.
    leaders: BTreeMap<i32, String>,
    /// Since when partitions have no leader.
    leaderless: HashMap<String, Instant>,
    /// When the latest statistics came.
    seen: Option<Instant>,
}

/// A connection, as far as it matters here.
#[derive(Clone, Debug)]
struct Answered {
    last: Instant,
    address: String,
}

impl Default for Answering {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            nodes: BTreeMap::new(),
            coordinator: None,
            leaders: BTreeMap::new(),
            leaderless: HashMap::new(),
            seen: None,
        }
    }
}

impl Answering {
    /// Takes new statistics into account.
    pub fn update(&mut self, statistics: &Statistics<'_>, now: Instant) {
        let new = if self.seen.is_none() { self.began.min(now) } else { now };
        self.seen = Some(now);
        let own = statistics.brokers.values().filter(|broker| broker.nodeid >= 0 && broker.source != "logical");
        let before = std::mem::take(&mut self.nodes);
        for broker in own {
            let heard = answered(before.get(&broker.nodeid), broker, (new, now), false);
            // Of several connections to a node the one that answered last counts.
            let node = self.nodes.entry(broker.nodeid).or_insert_with(|| heard.clone());
            if heard.last > node.last {
                *node = heard;
            }
        }
        // While the group is being formed its coordinator keeps the answer to JoinGroup or SyncGroup back, rightly.
        let joins = statistics.cgrp.as_ref().is_some_and(|group| group.join_state.starts_with("wait-"));
        let coordinator = statistics.brokers.get("GroupCoordinator").filter(|_| statistics.cgrp.is_some());
        self.coordinator = coordinator.map(|broker| answered(self.coordinator.as_ref(), broker, (new, now), joins));
        self.leaders.clear();
        let mut leaderless = HashMap::new();
        for (topic, partitions) in &statistics.topics {
            for partition in partitions.partitions.values().filter(|partition| partition.is_consumed()) {
                let name = format!("{topic}[{}]", partition.partition);
                if partition.leader >= 0 {
                    self.leaders.entry(partition.leader).or_insert(name);
                } else {
                    let since = self.leaderless.get(&name).copied().unwrap_or(now);
                    leaderless.insert(name, since);
                }
            }
        }
        self.leaderless = leaderless;
        // A broker that was never reached may be missing in the statistics.
        for node in self.leaders.keys() {
            let away = || {
                let known = before.get(node).cloned();
                known.unwrap_or_else(|| Answered { last: new, address: "no connection to it".to_owned() })
            };
            self.nodes.entry(*node).or_insert_with(away);
        }
    }

    /// What has been silent for this long, in a sentence: the leader of a partition that is consumed, or the coordinator
    /// of the group. `patience` is at least [`PATIENCE`], and longer than a broker may keep an answer to a fetch back
    /// (`fetch.wait.max.ms`).
    pub fn silent(&self, patience: Duration) -> Option<String> {
        let seen = self.seen?;
        let too_long = |since: Instant| seen.saturating_duration_since(since) >= patience;
        let seconds = |since: Instant| seen.saturating_duration_since(since).as_secs();
        let leader = self.leaders.iter().find_map(|(node, partition)| {
            let broker = self.nodes.get(node).filter(|broker| too_long(broker.last))?;
            let (address, seconds) = (&broker.address, seconds(broker.last));
            Some(format!("broker {node} ({address}), the leader of {partition}, has not answered for {seconds} s"))
        });
        leader
            .or_else(|| {
                let coordinator = self.coordinator.as_ref().filter(|broker| too_long(broker.last))?;
                let (address, seconds) = (&coordinator.address, seconds(coordinator.last));
                Some(format!("the coordinator of the group ({address}) has not answered for {seconds} s"))
            })
            .or_else(|| {
                let (partition, since) = self.leaderless.iter().filter(|(_, since)| too_long(**since)).min()?;
                Some(format!("{partition} has had no leader for {} s", seconds(*since)))
            })
    }
}

/// `excused`: an answer may be kept back.
fn answered(known: Option<&Answered>, broker: &Broker<'_>, (new, now): (Instant, Instant), excused: bool) -> Answered {
    // A connection that was not known before has its time, and so has one that is being made.
    let before = known.map_or(new, |known| known.last);
    let last = if !broker.is_up() {
        before
    } else if excused || broker.waitresp_cnt == 0 {
        now
    } else {
        let heard = u64::try_from(broker.rxidle).ok().and_then(|idle| now.checked_sub(Duration::from_micros(idle)));
        heard.map_or(before, |heard| before.max(heard))
    };
    Answered { last, address: broker.nodename.clone().into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two brokers that lead a partition each, and a coordinator on the first.
    fn statistics(first: &str, second: &str, coordinator: &str, join_state: &str) -> String {
        format!(
            r#"{{"brokers":{{
                "a:9092/1":{{"nodeid":1,"nodename":"a:9092","source":"learned",{first}}},
                "b:9092/2":{{"nodeid":2,"nodename":"b:9092","source":"learned",{second}}},
                "GroupCoordinator":{{"nodeid":1,"nodename":"a:9092","source":"logical",{coordinator}}}}},
              "topics":{{"test":{{"partitions":{{
                "0":{{"partition":0,"desired":true,"fetch_state":"active","leader":1}},
                "1":{{"partition":1,"desired":true,"fetch_state":"active","leader":2}}}}}}}},
              "cgrp":{{"state":"up","join_state":"{join_state}","rebalance_cnt":1}}}}"#
        )
    }

    const FINE: &str = r#""state":"UP","waitresp_cnt":1,"rxidle":200000"#;
    const IDLE: &str = r#""state":"UP","waitresp_cnt":0,"rxidle":60000000"#;
    const DOWN: &str = r#""state":"CONNECT","waitresp_cnt":0,"rxidle":-1"#;

    fn silent_for(seconds: u64) -> String {
        format!(r#""state":"UP","waitresp_cnt":1,"rxidle":{}"#, seconds * 1_000_000)
    }

    /// What is silent after these, each five seconds after the one before.
    fn after(statistics: &[String]) -> Option<String> {
        let mut answering = Answering::default();
        let start = Instant::now();
        for (round, json) in (0..).zip(statistics) {
            answering.update(&serde_json::from_str(json).unwrap(), start + Duration::from_secs(5 * round));
        }
        answering.silent(PATIENCE)
    }

    #[test]
    fn brokers_that_answer_or_are_not_asked_are_not_silent() {
        assert_eq!(Answering::default().silent(PATIENCE), None);
        assert_eq!(after(&[statistics(FINE, FINE, IDLE, "steady")]), None);
        // Asked a moment ago, after a minute of rest.
        let asked = silent_for(61);
        assert_eq!(after(&[statistics(FINE, IDLE, IDLE, "steady"), statistics(FINE, &asked, IDLE, "steady")]), None);
    }

    #[test]
    fn packets_that_vanish_are_seen_in_the_third_statistics() {
        let lost = |seconds| statistics(&silent_for(seconds), &silent_for(seconds), IDLE, "steady");
        assert_eq!(after(&[statistics(FINE, FINE, IDLE, "steady"), lost(6)]), None);
        let said = after(&[statistics(FINE, FINE, IDLE, "steady"), lost(6), lost(13)]).unwrap();
        assert_eq!(said, "broker 1 (a:9092), the leader of test[0], has not answered for 10 s");
    }

    #[test]
    fn one_leader_that_is_away_is_named_though_others_answer() {
        let away = statistics(FINE, DOWN, IDLE, "steady");
        let fine = statistics(FINE, FINE, IDLE, "steady");
        assert_eq!(after(&[fine.clone(), away.clone()]), None);
        let said = after(&[fine, away.clone(), away]).unwrap();
        assert!(said.contains("broker 2 (b:9092), the leader of test[1]"), "{said}");
    }

    #[test]
    fn a_node_that_came_back_is_not_silent_because_its_old_connection_is_still_listed() {
        let fine = statistics(FINE, FINE, IDLE, "steady");
        let away = statistics(FINE, DOWN, IDLE, "steady");
        let entry =
            |state: &str| format!(r#""b:9092/2":{{"nodeid":2,"nodename":"b:9092","source":"learned",{state}}},"#);
        for (first, second) in [(DOWN, FINE), (FINE, DOWN)] {
            let listed = format!("{}{}", entry(first), entry(second));
            let twice = fine.replace(&entry(FINE), &listed);
            assert_eq!(twice.matches("b:9092/2").count(), 2);
            assert_eq!(after(&[fine.clone(), away.clone(), twice.clone(), twice.clone(), twice]), None);
        }
    }

    #[test]
    fn a_slow_join_is_no_silence_and_a_silent_coordinator_is() {
        let with = |state| statistics(FINE, FINE, &silent_for(60), state);
        let steady = statistics(FINE, FINE, IDLE, "steady");
        assert_eq!(after(&[steady.clone(), with("wait-join"), with("wait-join"), with("wait-join")]), None);
        let said = after(&[steady, with("steady"), with("steady"), with("steady")]).unwrap();
        assert_eq!(said, "the coordinator of the group (a:9092) has not answered for 15 s");
    }

    #[test]
    fn a_partition_without_a_leader_is_named() {
        let fine = statistics(FINE, FINE, IDLE, "steady");
        let gone = fine.replace(r#""leader":2"#, r#""leader":-1"#);
        assert_eq!(after(&[fine.clone(), gone.clone()]), None);
        let said = after(&[fine, gone.clone(), gone.clone(), gone]).unwrap();
        assert_eq!(said, "test[1] has had no leader for 10 s");
    }
}
