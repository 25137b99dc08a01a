//! Properties of librdkafka that nobody may set, whatever the value: they run code, or what the programs promise does not survive
//! them. Refused by name, before librdkafka sees them, as it would load a library at once.

/// What speaks against each of them. Sorted by what it is.
const REFUSED: [(&str, &str); 14] = [
    ("plugin.library.paths", RUNS_CODE),
    ("interceptors", RUNS_CODE),
    ("ssl.engine.location", RUNS_CODE),
    ("ssl.engine.id", RUNS_CODE),
    // A path is as good as a name to OpenSSL.
    ("ssl.providers", RUNS_CODE),
    ("sasl.kerberos.kinit.cmd", RUNS_CODE),
    ("transactional.id", "needs more than a property: use --transactional-id"),
    ("log_level", "has no effect here: use RUST_LOG, and -X debug=... for librdkafka's own lines"),
    ("log.queue", OURS),
    ("enabled_events", OURS),
    ("internal.termination.signal", OURS),
    ("opaque", OURS),
    // Offsets would go to a file beside the group's, or nowhere.
    ("offset.store.method", OURS),
    ("offset.store.path", OURS),
];

/// What speaks against those that begin like this.
const REFUSED_PREFIXES: [(&str, &str); 2] =
    [("test.mock.", "would make the brokers up: nothing would be delivered"), ("ut_", OURS)];

const RUNS_CODE: &str = "would run code in this process, and settings must not";
const OURS: &str = "belongs to the program itself, which relies on it";

/// What speaks against a property, if anything does.
pub(super) fn reason(key: &str) -> Option<&'static str> {
    let by_name = REFUSED.iter().find(|(name, _)| *name == key);
    let by_prefix = || REFUSED_PREFIXES.iter().find(|(prefix, _)| key.starts_with(prefix));
    by_name.or_else(by_prefix).map(|(_, reason)| *reason)
}
