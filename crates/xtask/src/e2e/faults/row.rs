//! A fault as data: what is done, for how long, and what is allowed meanwhile.

use testbed::process::Signal;
use testbed::proxy::Way;

use super::bench::Kind;

/// One row of the suite.
pub struct Row {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What is done, for the table.
    pub what: &'static str,
    /// What is done.
    pub fault: Fault,
    /// What is no failure.
    pub allowed: Allowed,
    /// Flags that the members of the group have beside the usual ones.
    pub flags: &'static [&'static str],
    /// Rows of the same number run beside each other, each with a topic, a group and a producer of its own. 0: alone.
    pub stage: u8,
    /// Of CI's short suite.
    pub short: bool,
    /// Which cluster it needs.
    pub kind: Kind,
}

/// What is done.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Brokers are killed by -9 and started again after so many seconds.
    Kill(Which, u64),
    /// Each broker in turn is stopped by SIGTERM and started again.
    Rolling,
    /// A leader stands still for so many seconds.
    FreezeBroker(u64),
    /// Packets between the clients and one broker, or all, vanish for so many seconds.
    Cut(Way, Reach, u64),
    /// All connections are reset, so many times, two seconds apart.
    Reset(u64),
    /// Of a hundred packets so many are lost, for so many seconds.
    Loss(u8, u64),
    /// Each packet takes so many milliseconds longer, for so many seconds.
    Delay(u64, u64),
    /// The brokers hold clients to so many bytes a second each, written and read, for so many seconds.
    Quota(u64, u64),
    /// A broker's disk is full until it gives up; then there is room again.
    DiskFull,
    /// The user's password is another one for so many seconds, while brokers ask for it again.
    Password(u64),
    /// A member is killed by -9, and another one started.
    KillMember,
    /// A member stands still for so many seconds.
    FreezeMember(u64),
    /// Every three seconds a member joins and another one goes by this signal, for so many seconds.
    ComeAndGo(Signal, u64),
    /// The producer stands still for so many seconds.
    FreezeProducer(u64),
    /// The topic gets as many partitions again.
    Partitions,
    /// The topic is deleted and created again.
    TopicAgain,
    /// Nobody reads a member's output for so many seconds.
    Stall(Output, u64),
    /// Nobody reads a member's output any more.
    Close(Output),
    /// There is no room for a member's output.
    Full(Output),
    /// Members come and are stopped by SIGTERM at a random moment of their first seconds, so many.
    SignalConsumers(u32),
    /// Producers are stopped by SIGTERM at a random moment of their first seconds, so many.
    SignalProducers(u32),
    /// Both programs as process 1 get SIGTERM in their first 100 ms.
    SignalProcessOne,
    /// Faults of several kinds, one after another, for so many seconds.
    Random(u64),
    /// No fault: the judge is given a loss that it must see.
    Planted,
}

/// Which brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The leader of partition 0.
    Leader,
    /// One that leads no partition of the topic.
    Follower,
    /// The active controller.
    Controller,
    /// Two of the three.
    Two,
    /// All three.
    All,
}

/// How far a cut reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The leader of partition 0.
    One,
    /// All brokers.
    All,
}

/// One of a program's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Records.
    Stdout,
    /// The program's own log.
    Stderr,
}

/// What is no failure.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    /// Records that are logged again.
    pub repeats: Repeats,
    /// By how much the longest wait may be longer than the fault, in seconds.
    pub beyond: u64,
    /// Readiness while the fault lasts; at the end it must be there.
    pub ready: Ready,
    /// WARN and ERROR lines of these events.
    pub lines: &'static [&'static str],
}

/// Records that may be logged again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// None.
    None,
    /// What a member that dies logs within two commit intervals.
    OneDeath,
    /// As many as there are: they are counted.
    Counted,
}

/// Readiness of the members while a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// Always ready.
    Stays,
    /// It may go for a while.
    MayGo,
    /// It must go: nothing can be read.
    Goes,
}
