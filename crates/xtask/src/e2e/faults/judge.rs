//! Whether what was seen of a row may be: each rule of the suite, and what it says when it is broken.

use std::time::Duration;

use super::load::RATE;
use super::row::{Ready, Repeats, Row};
use super::seen::Seen;

/// A consumer's memory after a fault, over that before it, in KiB.
const CONSUMER_GROWTH: i64 = 12 * 1024;
/// A producer's: its queue.
const PRODUCER_GROWTH: i64 = 32 * 1024;
/// What a member that dies has logged and not committed: two intervals of a second, at its third of the rate.
const OF_ONE_DEATH: u64 = 2 * RATE / 3;

/// A broker that has just started answers the first producer that its ids are not loaded yet, one that has just been told of a topic
/// may not know it yet, and a member is not ready before the first answer; readiness from the fault on has a rule of its own.
const OF_A_START: [&str; 3] = ["librdkafka/GETPID", "client_error/UnknownTopicOrPartition", "not_ready"];

/// What must not be.
pub fn judge(row: &Row, seen: &Seen) -> Vec<String> {
    let mut problems = Vec::new();
    let mut check = |holds: bool, problem: String| {
        if !holds {
            problems.push(problem);
        }
    };
    let allowed = &row.allowed;
    check(seen.audit == Some(0), format!("the audit ended with {:?}: {}", seen.audit, seen.audit_said));
    match seen.report {
        None => check(false, "the producer has no report".to_owned()),
        Some([requested, delivered, failed, unsent]) => {
            check(requested == delivered + failed + unsent, format!("the report does not add up: {:?}", seen.report));
            check(requested == delivered, format!("{failed} messages failed, {unsent} were not sent"));
        }
    }
    let records = seen.records.unwrap_or_default();
    check(seen.logged == records, format!("{} of {records} records were logged", seen.logged));
    let limit = match allowed.repeats {
        Repeats::None => 0,
        Repeats::OneDeath => OF_ONE_DEATH,
        Repeats::Counted => u64::MAX,
    };
    check(seen.repeated <= limit, format!("{} records were logged again, {limit} may be", seen.repeated));
    let longest = seen.fault + Duration::from_secs(allowed.beyond);
    for (what, time) in [("an acknowledgement", seen.acknowledged), ("a partition's next record", seen.gap)] {
        match time {
            None => check(false, format!("{what} was not measured")),
            Some(time) => check(time <= longest, format!("{what} took {time:.1?}, the limit is {longest:.1?}")),
        }
    }
    check(seen.not_live == 0, format!("/livez was not 200 {} times", seen.not_live));
    match allowed.ready {
        Ready::Stays => check(seen.not_ready.is_zero(), format!("a member was not ready for {:.1?}", seen.not_ready)),
        Ready::MayGo => {}
        Ready::Goes => {
            check(!seen.not_ready.is_zero(), "all members said that they were ready all the time".to_owned())
        }
    }
    check(seen.ready_again, "not all members were ready at the end".to_owned());
    for (who, growth, limit) in
        [("a consumer", seen.consumer_growth, CONSUMER_GROWTH), ("the producer", seen.producer_growth, PRODUCER_GROWTH)]
    {
        match growth {
            None => check(false, format!("the memory of {who} was not measured")),
            Some(growth) => check(growth <= limit, format!("{who} has {growth} KiB more, {limit} may be")),
        }
    }
    for (name, count) in &seen.lines {
        let event = name.split('/').next().unwrap_or_default();
        let named = [event, name.as_str()].iter().any(|name| allowed.lines.contains(name) || OF_A_START.contains(name));
        check(named, format!("{count} lines of {name}, which the row does not name"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::bench::Kind;
    use super::super::row::{Allowed, Fault};
    use super::*;

    fn row(ready: Ready, repeats: Repeats) -> Row {
        let allowed = Allowed { repeats, beyond: 20, ready, lines: &["client_error"] };
        let fault = Fault::FreezeBroker(40);
        Row { name: "x", what: "x", fault, allowed, flags: &[], stage: 0, short: false, kind: Kind::Open }
    }

    fn well() -> Seen {
        Seen {
            fault: Duration::from_secs(40),
            records: Some(1000),
            logged: 1000,
            acknowledged: Some(Duration::from_secs(41)),
            gap: Some(Duration::from_secs(59)),
            ready_again: true,
            consumer_growth: Some(12 * 1024),
            producer_growth: Some(-5),
            lines: [("client_error/Transport".to_owned(), 3)].into(),
            report: Some([1000, 1000, 0, 0]),
            audit: Some(0),
            ..Seen::default()
        }
    }

    #[test]
    fn what_is_well_is_passed() {
        assert_eq!(judge(&row(Ready::Stays, Repeats::None), &well()), Vec::<String>::new());
    }

    #[test]
    fn each_rule_is_broken_alone_and_named() {
        let row = row(Ready::Stays, Repeats::None);
        type Break = fn(&mut Seen);
        let cases: [(&str, Break); 14] = [
            ("audit ended with Some(5)", |seen| seen.audit = Some(5)),
            ("audit ended with None", |seen| seen.audit = None),
            ("does not add up", |seen| seen.report = Some([1001, 1000, 0, 0])),
            ("2 messages failed", |seen| seen.report = Some([1002, 1000, 2, 0])),
            ("has no report", |seen| seen.report = None),
            ("999 of 1000", |seen| seen.logged = 999),
            ("1 records were logged again", |seen| seen.repeated = 1),
            ("an acknowledgement took", |seen| seen.acknowledged = Some(Duration::from_secs(61))),
            ("next record took", |seen| seen.gap = Some(Duration::from_secs(61))),
            ("/livez", |seen| seen.not_live = 1),
            ("was not ready for", |seen| seen.not_ready = Duration::from_secs(1)),
            ("ready at the end", |seen| seen.ready_again = false),
            ("a consumer has", |seen| seen.consumer_growth = Some(12 * 1024 + 1)),
            ("does not name", |seen| _ = seen.lines.insert("panic".to_owned(), 1)),
        ];
        for (said, spoil) in cases {
            let mut seen = well();
            spoil(&mut seen);
            let problems = judge(&row, &seen);
            assert!(problems.iter().any(|problem| problem.contains(said)), "{said:?} is not in {problems:?}");
        }
    }

    #[test]
    fn a_death_may_repeat_two_commit_intervals_and_an_outage_must_be_seen() {
        let mut seen = well();
        seen.repeated = OF_ONE_DEATH;
        assert!(judge(&row(Ready::Stays, Repeats::OneDeath), &seen).is_empty());
        seen.repeated += 1;
        assert_eq!(judge(&row(Ready::Stays, Repeats::OneDeath), &seen).len(), 1);
        assert!(judge(&row(Ready::Stays, Repeats::Counted), &seen).is_empty());
        assert_eq!(judge(&row(Ready::Goes, Repeats::Counted), &seen).len(), 1);
    }
}
