//! Settings that cannot work: each refused before any broker is asked, all at once, by name, and without a secret.

use std::fs;
use std::net::TcpListener;

use testbed::process::{Outcome, Program};

use crate::support::{Cluster, NOWHERE, SOON, Served, consumer, more_than_a_pipe};

/// Must never be seen.
const CANARY: &str = "hunter2";

fn refused(program: Program) -> Outcome {
    let outcome = program.run(SOON).unwrap().expect_code(2).unwrap();
    assert_eq!(outcome.stdout, "", "stdout belongs to the records");
    outcome
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["--tpoic", "x"], &["--tpoic", "--topic"]),
        (&["stray"], &["not a flag"]),
        (&["-n", "0"], &["--max-records", "1.."]),
        (&["-n=-1"], &["--max-records"]),
        (&["-n", "99999999999999999999"], &["--max-records"]),
        (&["-n", "many"], &["--max-records (CONSUMER_MAX_RECORDS)", "invalid digit"]),
        (&["-p", "5-3"], &["--partitions", "0,3-5"]),
        (&["-p", "0,,1"], &["--partitions"]),
        (&["-p", "0", "-t", "a,b"], &["--partitions", "exactly one topic"]),
        (&["-p", "0", "-t", "^a.*"], &["--partitions", "exactly one topic"]),
        (&["--from", "middle"], &["--from", "offset:N"]),
        (&["--from", "committed"], &["--from committed", "without a group", "--group"]),
        (&["-p", "0", "-g", "g", "--from", "committed"], &["--from committed", "without --partitions"]),
        (&["-t", "^a.*"], &["--topic ^a.*", "needs a group", "--group (KAFKA_CONSUMER_GROUP)"]),
        (&["--to", "earliest"], &["--to", "offset:N"]),
        (&["--tail", "0"], &["--tail"]),
        (&["--match-header", "tenant"], &["--match-header", "tenant=acme"]),
        (&["--match-key", ""], &["--match-key"]),
        (&["--match-key", "a(", "--regex"], &["--match-key a(", "unclosed group"]),
        (&["--regex"], &["--regex needs --match-key"]),
        (&["--tail", "5", "--from", "earliest"], &["--tail and --from"]),
        (&["--tail", "5", "-g", "g"], &["--tail reads without a group"]),
        (&["--to", "latest", "-g", "g"], &["--to reads without a group"]),
        (&["-g", ""], &["--group (KAFKA_CONSUMER_GROUP) is empty"]),
        (&["-X", "group.id= "], &["--group (KAFKA_CONSUMER_GROUP) is empty"]),
        (&["--from", "time:yesterday"], &["--from", "time:-1h"]),
        (&["--timeout", "5s"], &["--timeout", "--max-records", "--exit-at-end"]),
        (&["--timeout", "5", "-n", "1"], &["--timeout", "500ms"]),
        (&["--timeout", "0s", "-n", "1"], &["--timeout", "more than zero"]),
        (&["-t", "no/topic"], &["--topic", "no/topic", "1 to 249"]),
        (&["-g", "g", "-t", "^["], &["--topic", "^["]),
        (&["-t", ","], &["--topic", "empty"]),
        (&["-t", "^a,^b"], &["--topic ^a,^b", "a --topic of its own"]),
        (&["-X", "plugin.library.paths=x"], &["plugin.library.paths", "run code"]),
        (&["-X", "offset.store.method=file"], &["offset.store.method", "belongs to the program"]),
        (&["-X", "statistics.interval.ms=0"], &["statistics.interval.ms", "readiness"]),
        (&["-b", "SASL_SSL://a:9092"], &["--security-protocol SASL_SSL"]),
        (&["-b", "user:hunter2@a:9092"], &["--username"]),
        (&["--redact", "a..b"], &["--redact", "a..b"]),
        (&["--max-line", "100"], &["--max-line", "1536"]),
        (&["--max-line", "long"], &["--max-line", "15KiB"]),
        (&["--format", "xml"], &["--format", "json", "raw"]),
        (&["--group", "a", "-X", "group.id=b"], &["--group", "-X", "group.id"]),
        (&["--isolation", "read-committed", "-X", "isolation.level=read_uncommitted"], &["--isolation", "-X"]),
        (&["-X", "enable.auto.commit=true"], &["enable.auto.commit", "-X", "relies on"]),
        (&["-X", "enable.auto.offset.store=true"], &["enable.auto.offset.store", "relies on"]),
        (&["-X", "fetch.min.bites=1"], &["fetch.min.bites", "No such configuration property"]),
        (&["-X", "fetch.min.bytes=-5"], &["fetch.min.bytes", "outside allowed range"]),
        (&["-X", "linger"], &["-X", "key=value"]),
        (&["-X", "max.poll.interval.ms=1000"], &["max.poll.interval.ms", "session.timeout.ms"]),
        (&["-b", "host:port"], &["--bootstrap-servers"]),
        (&["--listen", "8080"], &["--listen", "0.0.0.0:8080"]),
        (&["--properties-file", "nowhere.properties"], &["--properties-file", "nowhere.properties", "No such file"]),
        (&["--security-protocol", "SASL_SSL"], &["--sasl-mechanism"]),
        (&["--ssl-ca-location", "nowhere.pem"], &["--ssl-ca-location", "nowhere.pem"]),
    ];
    let mut missing = Vec::new();
    for (flags, named) in cases {
        let outcome = refused(consumer().args(*flags));
        missing.extend(
            named
                .iter()
                .filter(|text| !outcome.stderr.contains(**text))
                .map(|text| format!("{flags:?} should name {text}, says {}", outcome.stderr)),
        );
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn all_problems_are_told_at_once() {
    let flags = ["-t", "no/topic", "--timeout", "5s", "--max-line", "1", "-X", "nonsense=1", "-X", "fetch.min.bytes=x"];
    let outcome = refused(consumer().args(flags));
    let problems = outcome.events().into_iter().filter(|event| event["event"] == "configuration_problem");
    assert_eq!(problems.count(), 5, "{outcome}");
    assert!(outcome.stderr.contains("5 problems"), "{outcome}");
}

#[test]
fn variables_and_files_are_checked_like_flags() {
    let refused_with = |name: &str, value: &str, named: &str| {
        let outcome = refused(consumer().env(name, value));
        assert!(outcome.stderr.contains(named), "{name}={value} should name {named}\n{outcome}");
    };
    refused_with("CONSUMER_MAX_RECORDS", "0", "--max-records");
    refused_with("CONSUMER_FROM", "middle", "--from");
    refused_with("KAFKA_PASSWORD_FILE", "/nowhere/password", "KAFKA_PASSWORD_FILE");
    refused_with("RUST_LOG", "a=b=c", "RUST_LOG");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("client.properties");
    let in_file = |bytes: &[u8], named: &str| {
        fs::write(&file, bytes).unwrap();
        let outcome = refused(consumer().arg("--properties-file").arg(&file));
        assert!(outcome.stderr.contains(named), "{named}\n{outcome}");
    };
    in_file(b"# fine\nfetch.min.bytes\n", "line 2 is not key=value");
    in_file(&[0xff, 0xfe], "is not UTF-8");
    in_file(b"enable.auto.commit=true\n", "line 1: enable.auto.commit");
}

#[test]
fn the_effective_settings_are_shown_with_where_they_came_from() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".env.shared"), "KAFKA_TOPIC=from-file\nKAFKA_CONSUMER_GROUP=from-file\n").unwrap();
    fs::write(folder.path().join(".env.secret"), format!("KAFKA_PASSWORD={CANARY}\n")).unwrap();
    let program = consumer()
        .current_dir(folder.path())
        .env("KAFKA_CONSUMER_GROUP", "from-environment")
        .env("KAFKA_PROPERTIES", "fetch.min.bytes=7")
        .args(["config", "--rack", "from-flag", "--security-protocol", "SASL_PLAINTEXT", "--sasl-mechanism", "PLAIN"])
        .args(["--username", "me"]);
    let outcome = program.run(SOON).unwrap().expect_code(0).unwrap();
    let origin = |setting: &str| {
        let line = outcome.stdout.lines().find(|line| line.split("  ").next() == Some(setting));
        let line = line.unwrap_or_else(|| panic!("{setting} is missing\n{outcome}"));
        line.split_once('#').unwrap().1.trim().to_owned()
    };
    assert_eq!(origin("KAFKA_TOPIC=from-file"), ".env.shared");
    assert_eq!(origin("KAFKA_CONSUMER_GROUP=from-environment"), "environment");
    assert_eq!(origin("CONSUMER_RACK=from-flag"), "flag --rack");
    assert_eq!(origin("CONSUMER_COMMIT_INTERVAL=1s"), "default");
    assert_eq!(origin("KAFKA_PASSWORD=[redacted]"), "KAFKA_PASSWORD, .env.secret");
    assert_eq!(origin("fetch.min.bytes=7"), "-X");
    assert_eq!(origin("sasl.password=[redacted]"), "KAFKA_PASSWORD");
    assert_eq!(origin("enable.auto.commit=false"), "the program itself");
    assert!(!outcome.stdout.contains(CANARY) && !outcome.stderr.contains(CANARY), "{outcome}");
}

#[test]
fn secrets_are_in_no_output() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("client.properties");
    fs::write(&file, format!("sasl.password={CANARY}\nssl.key.password={CANARY}\n")).unwrap();
    let login = ["--security-protocol", "SASL_PLAINTEXT", "--sasl-mechanism", "PLAIN", "--username", "me"];
    let run = || consumer().args(login).args(["-b", NOWHERE, "-n", "1", "--timeout", "300ms"]).env("RUST_LOG", "trace");
    let cases = [
        (run().env("KAFKA_PASSWORD", CANARY).args(["-X", "debug=all"]), 3),
        (run().arg("--properties-file").arg(&file).args(["-X", "debug=all"]), 3),
        (run().env("KAFKA_PASSWORD", CANARY).arg("--properties-file").arg(&file), 2),
        (run().env("KAFKA_PASSWORD", CANARY).env("KAFKA_PASSWORD_FILE", CANARY), 2),
        (run().args(["-X", &format!("sasl.password={CANARY}")]), 2),
        (run().env("KAFKA_PROPERTIES", format!("sasl.password={CANARY}")), 2),
        (run().env("KAFKA_PROPERTIES", format!("sasl.pasword.={CANARY}")), 2),
        (run().arg(format!("--password={CANARY}")), 2),
        (run().args(["--password", CANARY]), 2),
        (run().arg(CANARY), 2),
        (consumer().env("KAFKA_PASSWORD", CANARY).arg("--help"), 0),
    ];
    for (index, (program, code)) in cases.into_iter().enumerate() {
        let outcome = program.run(SOON).unwrap().expect_code(code).unwrap();
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!said.is_empty() && !said.contains(CANARY), "case {index}: {outcome}");
    }
}

#[test]
fn a_mistyped_variable_is_warned_of_and_others_are_not() {
    let program = consumer().args(["-b", NOWHERE, "-n", "1", "--timeout", "300ms"]);
    let outcome = program.env("KAFKA_TOPC", "x").env("KAFKA_PORT", "tcp://10.0.0.1:9092").run(SOON).unwrap();
    let warned: Vec<_> = outcome.events().into_iter().filter(|event| event["event"] == "unknown_variable").collect();
    assert_eq!(warned.len(), 1, "{outcome}");
    assert!(warned[0]["message"].as_str().unwrap().contains("KAFKA_TOPIC"), "{outcome}");
}

#[test]
fn a_port_that_is_taken_is_a_failed_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let outcome = refused(consumer().args(["--listen", &address]));
    assert!(outcome.stderr.contains(&format!("--listen {address}: cannot be bound")), "{outcome}");
}

#[test]
fn healthcheck_tells_a_live_process_from_a_dead_one() {
    let healthcheck = |address: &str| consumer().args(["healthcheck", "--listen", address]).run(SOON).unwrap();
    let cluster = Cluster::new(1);
    cluster.produce(&more_than_a_pipe());
    let (_reader, writer) = std::io::pipe().unwrap();
    let limits = ["-X", "session.timeout.ms=1000", "-X", "max.poll.interval.ms=1000"];
    let stalled = Served::start(cluster.consumer().args(["-p", "0"]).args(limits).stdout(writer));
    let address = stalled.address.to_string();
    let live = healthcheck(&address).expect_code(0).unwrap();
    assert_eq!((live.stdout.as_str(), live.stderr.as_str()), ("", ""));
    stalled.wait_for("/livez", 503, "has not moved");
    let dead = healthcheck(&address).expect_code(1).unwrap();
    assert!(dead.stderr.contains("503") && dead.stderr.contains("has not moved"), "{dead}");
    drop(stalled);
    let gone = healthcheck(&address).expect_code(1).unwrap();
    assert!(gone.stderr.contains(&address), "{gone}");
    let off = healthcheck("off").expect_code(1).unwrap();
    assert!(off.stderr.contains("--listen is off"), "{off}");
}

#[test]
fn help_and_version_are_for_stdout() {
    let help = consumer().arg("--help").run(SOON).unwrap().expect_code(0).unwrap();
    for text in ["KAFKA_TOPIC", "--exit-at-end", "Exit codes:", "143"] {
        assert!(help.stdout.contains(text), "{text}\n{help}");
    }
    let version = consumer().arg("--version").run(SOON).unwrap().expect_code(0).unwrap();
    assert!(
        version.stdout.contains(env!("CARGO_PKG_VERSION"))
            && version.stdout.contains("librdkafka 2.")
            && version.stdout.contains("OpenSSL 3."),
        "{version}"
    );
}

#[test]
fn what_weakens_the_promises_is_warned_of() {
    let weak =
        ["check.crcs=false", "enable.ssl.certificate.verification=0", "ssl.endpoint.identification.algorithm=none"];
    let flags: Vec<_> = weak.iter().flat_map(|property| ["-X", property]).collect();
    let run = |flags: &[&str]| {
        let program = consumer().args(["-b", NOWHERE, "-n", "1", "--timeout", "300ms"]).args(flags);
        let outcome = program.run(SOON).unwrap().expect_code(3).unwrap();
        outcome.events().into_iter().filter(|event| event["event"] == "weakened").collect::<Vec<_>>()
    };
    assert_eq!(run(&[]).len(), 0);
    let warned = run(&flags);
    assert_eq!(warned.len(), 3, "{warned:?}");
    assert!(warned.iter().all(|event| event["level"] == "WARN"), "{warned:?}");
}

#[test]
fn a_flag_is_one_value_and_a_variable_a_list() {
    let shown = |program: Program, setting: &str| {
        let outcome = program.run(SOON).unwrap().expect_code(0).unwrap();
        assert!(outcome.stdout.lines().any(|line| line.split("  ").next() == Some(setting)), "{setting}\n{outcome}");
    };
    let config = |flags: &[&str]| consumer().args(["config", "-g", "g"]).args(flags);
    shown(config(&["-t", "a,b", "-t", "^c{1,2}"]), r"KAFKA_TOPIC=a\,b,^c{1\,2}");
    shown(config(&[]).env("KAFKA_TOPIC", r"a, ^c{1\,2}"), r"KAFKA_TOPIC=a,^c{1\,2}");
    shown(config(&["--redact", "a,b", "--redact", "c"]), r"CONSUMER_REDACT=a\,b,c");
    shown(config(&[]), "CONSUMER_COMMIT_INTERVAL=1s");
    shown(config(&[]), "check.crcs=true");
}
