//! What a round trip asks of its settings, and how the topic is read back.

use auditor::Plan;
use common::config::Problems;
use ledger::MOST_MESSAGES;

use crate::args::RunArgs;
use crate::config::Config;

/// Checks that the run can be read back. What the loop is told; problems go to `problems`.
pub fn reading(args: &RunArgs, config: &Config, problems: &mut Problems) -> consume::Settings {
    if args.no_headers {
        problems.add("round-trip with --no-headers: messages without a stamp cannot be told from others");
    }
    if args.dry_run {
        problems.add("round-trip with --dry-run: nothing is sent, so nothing comes back");
    }
    if config.share.count > 1 {
        problems
            .add("round-trip with --shards: each process would miss what the others send; use kafka-consumer audit");
    }
    if config.messages.is_some_and(|messages| messages > MOST_MESSAGES) {
        problems.add(format!("round-trip: an audit takes at most {MOST_MESSAGES} messages"));
    }
    let mut properties = config.connection_properties.clone();
    auditor::properties(&mut properties, args.timeout, problems);
    Plan::settings(&config.topic, &config.connection.bootstrap_servers, properties, None)
}
