//! All rows of the fault suite, in the order in which they run.

use testbed::process::Signal;
use testbed::proxy::Way;

use super::bench::Kind;
use super::row::{Allowed, Fault, Output, Reach, Ready, Repeats, Row, Which};

/// Of a fault that no program should notice.
const QUIET: Allowed = Allowed { repeats: Repeats::None, beyond: 20, ready: Ready::Stays, lines: &[] };
/// Of brokers or a network that fail: both programs say so.
const AWAY: Allowed = Allowed {
    repeats: Repeats::None,
    beyond: 20,
    ready: Ready::MayGo,
    lines: &["client_error", "commit_failed", "librdkafka", "not_ready"],
};
/// The same, when no broker is left to read from.
const ALL_AWAY: Allowed = Allowed { ready: Ready::Goes, ..AWAY };
/// Packets that vanish. TCP doubles its pauses: what was lost in 30 s is sent again up to 51 s after the beginning. A consumer gives
/// the connection up before, a producer after a minute, as it waits so long for an answer under a quota.
const CUT: Allowed = Allowed { beyond: 35, ..AWAY };
const ALL_CUT: Allowed = Allowed { beyond: 35, ..ALL_AWAY };
/// Members that join and leave: a commit may meet the next generation, and is made again with it; a member that is given
/// partitions anew is not ready before they answer.
const COMES: Allowed = Allowed { lines: &["commit_failed", "not_ready"], ready: Ready::MayGo, ..QUIET };
/// A member that is gone without a word, and comes back or not.
const DEATH: Allowed = Allowed {
    repeats: Repeats::OneDeath,
    ready: Ready::MayGo,
    lines: &["client_error", "commit_failed", "librdkafka", "not_ready", "records_repeated"],
    ..QUIET
};

/// A row on the cluster without logins.
const fn row(name: &'static str, what: &'static str, fault: Fault, allowed: Allowed) -> Row {
    Row { name, what, fault, allowed, flags: &[], stage: 0, short: false, kind: Kind::Open }
}

/// One of CI's.
const fn short(row: Row) -> Row {
    Row { short: true, ..row }
}

/// One that leaves brokers and network alone.
const fn beside(stage: u8, row: Row) -> Row {
    Row { stage, ..row }
}

const fn with(flags: &'static [&'static str], row: Row) -> Row {
    Row { flags, ..row }
}

/// A dead member is noticed within these, so that a minute sees some of it.
const SHORT_SESSION: &[&str] = &["-X", "session.timeout.ms=6000"];
/// The least that `max.poll.interval.ms` can be is the session.
const SHORT_POLL: &[&str] = &["-X", "session.timeout.ms=10000", "-X", "max.poll.interval.ms=10000"];
const KIP848: &[&str] = &["--group-protocol", "consumer"];

/// All of them.
pub const ROWS: &[Row] = &[
    short(row(
        "planted",
        "no fault; the judge is given a report that claims a message more, and a topic that lacks some",
        Fault::Planted,
        QUIET,
    )),
    short(row(
        "leader-killed",
        "leader of a partition killed by -9, back after 10 s",
        Fault::Kill(Which::Leader, 10),
        AWAY,
    )),
    row(
        "follower-killed",
        "broker that leads nothing killed by -9, back after 10 s",
        Fault::Kill(Which::Follower, 10),
        AWAY,
    ),
    row(
        "controller-killed",
        "active controller killed by -9, back after 10 s",
        Fault::Kill(Which::Controller, 10),
        AWAY,
    ),
    short(row("all-killed", "all three brokers killed by -9, back after 10 s", Fault::Kill(Which::All, 10), ALL_AWAY)),
    row("two-of-three", "two of three brokers killed by -9, back after 20 s", Fault::Kill(Which::Two, 20), AWAY),
    short(row("rolling-restart", "each broker in turn stopped by SIGTERM and started again", Fault::Rolling, AWAY)),
    short(row("frozen-40", "a leader stands still for 40 s", Fault::FreezeBroker(40), AWAY)),
    row("frozen-90", "a leader stands still for 90 s", Fault::FreezeBroker(90), AWAY),
    row("cut-out-one", "packets to one broker vanish for 30 s", Fault::Cut(Way::Out, Reach::One, 30), CUT),
    row("cut-in-one", "packets from one broker vanish for 30 s", Fault::Cut(Way::In, Reach::One, 30), CUT),
    row("cut-both-one", "packets to and from one broker vanish for 30 s", Fault::Cut(Way::Both, Reach::One, 30), CUT),
    row("cut-out-all", "packets to all brokers vanish for 30 s", Fault::Cut(Way::Out, Reach::All, 30), ALL_CUT),
    row("cut-in-all", "packets from all brokers vanish for 30 s", Fault::Cut(Way::In, Reach::All, 30), ALL_CUT),
    row(
        "cut-both-all",
        "packets to and from all brokers vanish for 30 s",
        Fault::Cut(Way::Both, Reach::All, 30),
        ALL_CUT,
    ),
    short(row("reset", "all connections reset, five times in 10 s", Fault::Reset(5), AWAY)),
    row("loss", "5% of the packets lost for 30 s", Fault::Loss(5, 30), AWAY),
    row("delay", "each packet 300 ms later for 30 s", Fault::Delay(300, 30), QUIET),
    row(
        "quota",
        "clients held to 20 kB/s at each broker for 30 s",
        Fault::Quota(20_000, 30),
        Allowed { beyond: 45, lines: &["librdkafka/REQTMOUT"], ..QUIET },
    ),
    row("disk-full", "a broker's disk full until it gives up, then room again", Fault::DiskFull, AWAY),
    row(
        "random",
        "faults of all these kinds, one after another for three minutes",
        Fault::Random(180),
        Allowed {
            repeats: Repeats::Counted,
            lines: &["client_error", "commit_failed", "librdkafka", "not_ready", "records_repeated"],
            ..AWAY
        },
    ),
    short(beside(
        1,
        row(
            "member-killed",
            "a member killed by -9, another one started; the group notices after its session of 45 s",
            Fault::KillMember,
            DEATH,
        ),
    )),
    short(beside(
        1,
        row(
            "leaving-term",
            "members join and leave by SIGTERM every 3 s for a minute",
            Fault::ComeAndGo(Signal::TERM, 60),
            COMES,
        ),
    )),
    short(beside(1, row("partitions", "the topic gets twice the partitions", Fault::Partitions, COMES))),
    short(beside(
        1,
        row(
            "consumer-sigterms",
            "100 members stopped by SIGTERM at a random moment of their first 2 s",
            Fault::SignalConsumers(100),
            Allowed { lines: &["commit_failed", "librdkafka/REQTMOUT"], ..QUIET },
        ),
    )),
    beside(
        2,
        with(KIP848, row("leaving-term-kip848", "the same by KIP-848", Fault::ComeAndGo(Signal::TERM, 60), COMES)),
    ),
    beside(
        2,
        with(
            SHORT_SESSION,
            row(
                "leaving-kill",
                "members join, and others are killed by -9, every 3 s for a minute",
                Fault::ComeAndGo(Signal::KILL, 60),
                Allowed { repeats: Repeats::Counted, ..DEATH },
            ),
        ),
    ),
    beside(
        2,
        with(
            KIP848,
            row(
                "leaving-kill-kip848",
                "the same by KIP-848",
                Fault::ComeAndGo(Signal::KILL, 60),
                Allowed { repeats: Repeats::Counted, ..DEATH },
            ),
        ),
    ),
    beside(
        2,
        with(
            SHORT_POLL,
            row(
                "member-frozen",
                "a member stands still for 30 s, `max.poll.interval.ms` is 10 s",
                Fault::FreezeMember(30),
                DEATH,
            ),
        ),
    ),
    beside(3, row("producer-frozen", "the producer stands still for 125 s", Fault::FreezeProducer(125), AWAY)),
    beside(
        3,
        row("stdout-stalled", "nobody reads a member's records for 60 s", Fault::Stall(Output::Stdout, 60), QUIET),
    ),
    beside(3, row("stderr-stalled", "nobody reads a member's log for 60 s", Fault::Stall(Output::Stderr, 60), QUIET)),
    beside(
        3,
        row(
            "producer-sigterms",
            "100 producers stopped by SIGTERM at a random moment of their first 2 s",
            Fault::SignalProducers(100),
            QUIET,
        ),
    ),
    beside(4, row("stdout-closed", "the reader of a member's records goes away", Fault::Close(Output::Stdout), QUIET)),
    beside(4, row("stderr-closed", "the reader of a member's log goes away", Fault::Close(Output::Stderr), QUIET)),
    beside(
        4,
        row(
            "stdout-full",
            "no room for a member's records",
            Fault::Full(Output::Stdout),
            Allowed { lines: &["commit_failed", "failed", "not_ready"], repeats: Repeats::OneDeath, ..COMES },
        ),
    ),
    beside(4, row("stderr-full", "no room for a member's log", Fault::Full(Output::Stderr), COMES)),
    row("topic-again", "the topic deleted and created again", Fault::TopicAgain, AWAY),
    row(
        "process-one",
        "both programs as process 1 stopped by SIGTERM 0 to 100 ms after their start",
        Fault::SignalProcessOne,
        QUIET,
    ),
    Row {
        kind: Kind::Login,
        ..row(
            "password",
            "another password for 30 s, while brokers ask for it again every 10 s",
            Fault::Password(30),
            QUIET,
        )
    },
];
