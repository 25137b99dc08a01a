//! Whether the consumer is ready, and the reason why not: from facts alone, so that each rule has its test.

use std::time::Duration;

/// Commits that fail for this long make a consumer not ready.
pub(crate) const COMMITS_FAIL: Duration = Duration::from_secs(30);

/// What readiness rests on. Each reason is a whole sentence; `None` means that there is nothing of the kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// Why no broker can be reached.
    pub unreachable: Option<String>,
    /// Which topic does not exist, or is not known yet.
    pub topic: Option<String>,
    /// What an assignment still waits for.
    pub placement: Option<String>,
    /// Whether the group has told this member its part, if only that it has none.
    pub joined: bool,
    /// A topic of the assignment that no fetch was answered for.
    pub unanswered: Option<String>,
    /// Brokers that lead partitions of the assignment, or coordinate the group, and do not answer.
    pub silent: Option<String>,
    /// A batch that fails its checksum.
    pub damaged: Option<String>,
    /// Since when every commit has failed, and how the last one did.
    pub commits: Option<(Duration, String)>,
    /// Why the sink takes nothing.
    pub held: Option<String>,
}

impl Facts {
    /// `Err` with the reason that explains most.
    pub fn readiness(self) -> Result<(), String> {
        let joined = (!self.joined).then(|| "waiting for the first partition assignment".to_owned());
        let commits = self
            .commits
            .filter(|(since, _)| *since >= COMMITS_FAIL)
            .map(|(since, how)| format!("no commit has succeeded for {} s: {how}", since.as_secs()));
        let reasons = [
            self.unreachable,
            self.topic,
            self.placement,
            joined,
            self.silent,
            self.damaged,
            self.unanswered.map(|topic| format!("no fetch of topic {topic} has been answered yet")),
            self.held,
            commits,
        ];
        reasons.into_iter().flatten().next().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined() -> Facts {
        Facts { joined: true, ..Facts::default() }
    }

    #[test]
    fn a_member_without_partitions_is_ready_and_one_that_waits_for_them_is_not() {
        assert_eq!(joined().readiness(), Ok(()));
        assert!(Facts::default().readiness().is_err());
    }

    #[test]
    fn the_reason_that_explains_the_others_comes_first() {
        let facts = Facts {
            unreachable: Some("no broker".into()),
            topic: Some("no topic".into()),
            silent: Some("silence".into()),
            ..Facts::default()
        };
        assert_eq!(facts.readiness(), Err("no broker".into()));
    }

    #[test]
    fn each_kind_of_trouble_alone_is_a_reason() {
        for facts in [
            Facts { unreachable: Some("x".into()), ..joined() },
            Facts { topic: Some("x".into()), ..joined() },
            Facts { placement: Some("x".into()), ..joined() },
            Facts { unanswered: Some("x".into()), ..joined() },
            Facts { silent: Some("x".into()), ..joined() },
            Facts { damaged: Some("x".into()), ..joined() },
            Facts { held: Some("x".into()), ..joined() },
            Facts { commits: Some((COMMITS_FAIL, "x".into())), ..joined() },
        ] {
            assert!(facts.clone().readiness().is_err_and(|reason| reason.contains('x')), "{facts:?}");
        }
    }

    #[test]
    fn commits_that_fail_for_a_short_time_are_no_reason() {
        let facts = Facts { commits: Some((COMMITS_FAIL - Duration::from_secs(1), "x".into())), ..joined() };
        assert_eq!(facts.readiness(), Ok(()));
    }
}
