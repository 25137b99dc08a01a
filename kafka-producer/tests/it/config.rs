//! Wrong and right settings, without any broker: each problem is named, all at once, and no secret is ever shown.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use testbed::process::{Outcome, Program};

use crate::support::*;

/// Given wherever a secret could be, and never to be seen again.
const CANARY: &str = "c4n4ry-s3cr3t";

/// The program, with a password that nobody may print.
fn secretive() -> Program {
    producer().env("KAFKA_PASSWORD", CANARY)
}

/// Runs it, and fails when anything shows the secret.
fn run(program: Program) -> Outcome {
    let outcome = program.run(SOON).unwrap();
    assert!(!format!("{}{}", outcome.stdout, outcome.stderr).contains(CANARY), "a secret is shown:\n{outcome}");
    outcome
}

/// Runs it, and expects that it refuses its settings with these words, on stderr only.
fn refused(program: Program, says: &[&str]) -> Outcome {
    let outcome = run(program).expect_code(2).unwrap();
    assert_says(&outcome.stderr, says);
    assert_eq!(outcome.stdout, "", "{outcome}");
    assert!(!outcome.stderr.contains("panicked"), "{outcome}");
    outcome
}

/// How many problems were listed.
fn problems(outcome: &Outcome) -> usize {
    outcome.events().iter().filter(|event| event["event"] == "configuration_problem").count()
}

/// A folder with env files.
fn env_files(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

/// What `config` shows: the setting and where it came from.
fn shown(outcome: &Outcome, name: &str) -> (String, String) {
    let line = outcome.stdout.lines().find(|line| line.starts_with(&format!("{name}=")));
    let line = line.unwrap_or_else(|| panic!("{name} is not shown\n{outcome}"));
    let (setting, origin) = line.split_once("  # ").unwrap();
    (setting[name.len() + 1..].trim().to_owned(), origin.to_owned())
}

#[test]
fn wrong_flags_are_named_with_their_variable() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["--nonsense"], &["--nonsense"]),
        (&["--mesages", "5"], &["--mesages", "--messages"]),
        (&["--password", CANARY], &["--password"]),
        (&["--password=c4n4ry-s3cr3t"], &["--password"]),
        (&[CANARY], &["not a flag"]),
        (&["-n", "5", CANARY], &["not a flag"]),
        (&["--no-key=c4n4ry-s3cr3t"], &["--no-key (PRODUCER_NO_KEY)", "takes no value"]),
        (&["--messages"], &["--messages (PRODUCER_MESSAGES)", "a value is missing"]),
        (&["-n", "0"], &["--messages (PRODUCER_MESSAGES)", "nothing to publish"]),
        (&["-n", "-5"], &["--messages (PRODUCER_MESSAGES)", "a whole number, 1 or more"]),
        (&["-n", "1.5"], &["--messages (PRODUCER_MESSAGES)", "a whole number"]),
        (&["-n", "1000000000000000001"], &["--messages (PRODUCER_MESSAGES)", "at most"]),
        (&["-n", "99999999999999999999999"], &["--messages (PRODUCER_MESSAGES)"]),
        (&["-p", "-1"], &["--partition (PRODUCER_PARTITION)", "0..="]),
        (&["-p", "c4n4ry-s3cr3t"], &["--partition (PRODUCER_PARTITION)"]),
        (&["-r", "fast"], &["--rate (PRODUCER_RATE)", "500/s"]),
        (&["-r", "-5/s"], &["--rate (PRODUCER_RATE)", "above 0"]),
        (&["-r", "1e-300"], &["--rate (PRODUCER_RATE)"]),
        (&["--timeout", "5"], &["--timeout (PRODUCER_TIMEOUT)", "2m30s"]),
        (&["--timeout", "0s"], &["--timeout (PRODUCER_TIMEOUT)", "more than zero"]),
        (&["--timeout", "500000000000y"], &["--timeout (PRODUCER_TIMEOUT)", "10 years"]),
        (&["--drain-timeout", "soon"], &["--drain-timeout (PRODUCER_DRAIN_TIMEOUT)"]),
        (&["--linger=-1ms"], &["--linger (PRODUCER_LINGER)"]),
        (&["--linger", "-1ms"], &["--flag=-1"]),
        (&["--size", "many"], &["--size (PRODUCER_SIZE)", "15KiB"]),
        (&["--size", "2G"], &["2000000000 bytes", "ask for a smaller size"]),
        (&["-z", "rar"], &["--compression (PRODUCER_COMPRESSION)", "none, gzip, snappy, lz4, zstd"]),
        (&["--sasl-mechanism", "GSSAPI"], &["--sasl-mechanism (KAFKA_SASL_MECHANISM)", "SCRAM-SHA-256"]),
        (&["--security-protocol", "TLS"], &["--security-protocol (KAFKA_SECURITY_PROTOCOL)", "SASL_SSL"]),
        (&["--listen", "8080"], &["--listen (ADMIN_LISTEN)", "0.0.0.0:8080"]),
        (&["--create-topic", "0"], &["--create-topic (PRODUCER_CREATE_TOPIC)", "6:3"]),
        (&["--shards", "0"], &["--shards (PRODUCER_SHARDS)"]),
        (&["--size", "1", "--value", "v"], &["--size", "--value"]),
        (&["--no-key", "--key", "k"], &["--no-key", "--key"]),
        (&["--gzip"], &["--gzip needs --file"]),
        (&["-t", "no topic"], &["--topic", "is not a topic name"]),
        (&["-t", ".."], &["--topic", "is not a topic name"]),
        (&["--run-id", "a\nb"], &["--run-id (PRODUCER_RUN_ID)", "control characters"]),
        (&["--run-id", "a;b"], &["--run-id (PRODUCER_RUN_ID)", "semicolons"]),
        (&["--value", "{{sequ}}"], &["the value template", "column 1", "{{sequ}}", "{{seq}}"]),
        (&["-k", "{{seq"], &["the key template", "without `}}`"]),
        (&["-H", CANARY], &["header number 1", "name=template"]),
        (&["-H", "a=1", "-H", "=c4n4ry-s3cr3t"], &["header number 2"]),
        (&["-b", "broker:0"], &["--bootstrap-servers", "1 to 65535"]),
        (&["-b", "a:9092,,b:9092"], &["--bootstrap-servers"]),
        (&["--shard", "0"], &["JOB_COMPLETION_INDEX (--shard)", "PRODUCER_SHARDS"]),
        (&["--shards", "3"], &["PRODUCER_SHARDS (--shards) is 3", "completionMode: Indexed"]),
        (&["--shards", "3", "--shard", "3"], &["is 3", "0 to 2"]),
        (&["--shards", "3", "--shard", "0", "-i", "-"], &["--input -", "divided"]),
        (&["--shards", "3", "--shard", "0", "-f", "-"], &["--file -", "divided"]),
        (&["--value-file", "-"], &["--value-file -", "standard input"]),
        (&["--transactional-id", "t", "--timeout", "16m"], &["--transactional-id", "15 minutes"]),
        (&["--transactional-id", "t", "-r", "1/m", "-n", "100"], &["--transactional-id", "6000 s"]),
    ];
    for (args, says) in cases {
        refused(secretive().args(*args), says);
    }
}

#[test]
fn wrong_variables_are_named() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("PRODUCER_MESSAGES", "many", &["PRODUCER_MESSAGES"]),
        ("PRODUCER_MESSAGES", "0", &["PRODUCER_MESSAGES"]),
        ("PRODUCER_RATE", "0/s", &["PRODUCER_RATE"]),
        ("PRODUCER_DRY_RUN", "perhaps", &["PRODUCER_DRY_RUN"]),
        ("DEBUG", "*", &["DEBUG"]),
        ("LOG_FORMAT", "xml", &["LOG_FORMAT", "json"]),
        ("RUST_LOG", "kafka=loud", &["RUST_LOG"]),
        ("KAFKA_SASL_MECHANISM", "KERBEROS", &["KAFKA_SASL_MECHANISM"]),
        ("KAFKA_TOPIC", "a/b", &["--topic", "a/b"]),
        ("JOB_COMPLETION_INDEX", "0", &["PRODUCER_SHARDS"]),
        ("KAFKA_PROPERTIES", "linger.ms=1;c4n4ry-s3cr3t", &["-X", "key=value"]),
        ("ENV_DIR", "/nowhere", &["ENV_DIR=/nowhere", ".env.shared"]),
        ("KAFKA_USERNAME", "app ", &["KAFKA_USERNAME (environment)", "white space"]),
        ("PRODUCER_HEADERS", "a=1;c4n4ry-s3cr3t", &["header number 2"]),
    ];
    for (name, value, says) in cases {
        refused(secretive().env(name, value), says);
    }
    let not_text = std::ffi::OsStr::from_bytes(b"\xff");
    refused(secretive().env("KAFKA_USERNAME", not_text), &["KAFKA_USERNAME", "UTF-8"]);
}

#[test]
fn all_problems_come_at_once() {
    let folder = env_files(&[(".env.shared", "KAFKA_TOPIK=a\nno setting\n")]);
    let outcome = refused(
        secretive().current_dir(folder.path()).args([
            "-n",
            "0",
            "-t",
            "no topic",
            "--shard",
            "1",
            "--gzip",
            "-k",
            "{{nothing}}",
            "-X",
            "nonsense=1",
            "-X",
            "batch.size=huge",
            "-X",
            "sasl.password=c4n4ry-s3cr3t",
            "--properties-file",
            "missing",
            "--value-file",
            "absent",
            "--ssl-ca-location",
            "nowhere.pem",
        ]),
        &[
            "KAFKA_TOPIK is not a setting of either program; was KAFKA_TOPIC meant?",
            "line 2 is not NAME=value",
            "--messages",
            "--topic",
            "PRODUCER_SHARDS",
            "--gzip",
            "{{nothing}}",
            "nonsense",
            "batch.size",
            "-X sasl.password: secrets are not taken from arguments",
            "--properties-file missing",
            "--value-file absent",
            "--ssl-ca-location nowhere.pem",
            "kafka-producer: 13 problems with the configuration",
        ],
    );
    assert_eq!(problems(&outcome), 13, "{outcome}");
}

#[test]
fn librdkafka_checks_its_properties_before_any_broker_is_asked() {
    let cases: &[(&str, &[&str])] = &[
        ("lingre.ms=5", &["-X (lingre.ms)", "No such configuration property"]),
        ("batch.size=-1", &["-X (batch.size)"]),
        ("acks=five", &["-X (acks)"]),
        ("compression.level=a", &["-X (compression.level)"]),
        ("linger.ms", &["-X", "key=value"]),
        // Each alone is right, together they are not: librdkafka says so when the client is made.
        ("delivery.report.only.error=true", &["-X", "delivery.report.only.error is set by the program itself"]),
    ];
    for (property, says) in cases {
        refused(secretive().args(["-X", property]), says);
    }
    let together = run(secretive().args(["-b", NOWHERE, "-X", "acks=1"])).expect_code(2).unwrap();
    assert_says(&together.stderr, &["librdkafka refuses the configuration", "acks", "enable.idempotence"]);
}

#[test]
fn secrets_are_refused_in_arguments() {
    let keys =
        ["sasl.password", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password", "sasl.oauthbearer.client.secret"];
    for key in keys {
        let property = format!("{key}={CANARY}");
        refused(secretive().args(["-X", &property]), &[key, "secrets are not taken from arguments"]);
        refused(secretive().env("KAFKA_PROPERTIES", &property), &[key]);
        // Shows everything else, and not this.
        let outcome = run(secretive().args(["config", "-X", &property])).expect_code(2).unwrap();
        assert_eq!(shown(&outcome, "KAFKA_PROPERTIES").0, format!("{key}=[redacted]"));
    }
}

/// Each way to set a raw property, with these arguments before it; the folder holds the file of the third.
fn each_way(args: &[&str], property: &str) -> Vec<(Program, tempfile::TempDir)> {
    let (folder, path) = file("client.properties", format!("{property}\n"));
    let program = || secretive().args(args);
    let nothing = || tempfile::tempdir().unwrap();
    vec![
        (program().args(["-X", property]), nothing()),
        (program().env("KAFKA_PROPERTIES", property.replace(';', r"\;")), nothing()),
        (program().args(["--properties-file", arg(&path)]), folder),
    ]
}

#[test]
fn settings_that_run_code_are_refused_before_they_do() {
    let folder = tempfile::tempdir().unwrap();
    let (source, library, trace) =
        (folder.path().join("library.c"), folder.path().join("library.so"), folder.path().join("was-here"));
    let code = format!(
        "#include <stdio.h>\n__attribute__((constructor)) static void loaded(void) {{ fclose(fopen(\"{}\", \"w\")); }}\n",
        trace.display()
    );
    fs::write(&source, code).unwrap();
    let compiler =
        std::process::Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    assert!(compiler.unwrap().success());
    let library = arg(&library);
    for (key, value) in [
        ("plugin.library.paths", library),
        ("ssl.engine.location", library),
        ("ssl.engine.id", library),
        ("ssl.providers", library),
        ("sasl.kerberos.kinit.cmd", "touch was-here"),
    ] {
        let property = format!("{key}={value}");
        for (program, _folder) in each_way(&["-b", NOWHERE, "--security-protocol", "SSL", "--timeout", "1s"], &property)
        {
            refused(program, &[key, "run code"]);
        }
        for (program, _folder) in each_way(&["config"], &property) {
            let outcome = run(program).expect_code(2).unwrap();
            assert_says(&outcome.stderr, &[key, "run code"]);
        }
    }
    assert!(!trace.exists(), "the library was loaded");
}

#[test]
fn settings_that_would_make_the_report_a_lie_are_refused() {
    let cases = [
        ("acks=0", "each message would count as delivered"),
        ("request.required.acks=0", "each message would count as delivered"),
        ("acks=0x0", "each message would count as delivered"),
        ("test.mock.num.brokers=3", "nothing would be delivered"),
        ("transactional.id=t", "--transactional-id"),
        ("statistics.interval.ms=0", "readiness"),
        ("log_level=0", "RUST_LOG"),
        ("enabled_events=0", "belongs to the program"),
        ("log.queue=false", "belongs to the program"),
        ("offset.store.method=file", "belongs to the program"),
        ("internal.termination.signal=9", "belongs to the program"),
    ];
    for (property, says) in cases {
        for (program, _folder) in each_way(&["-b", NOWHERE, "--timeout", "1s"], property) {
            refused(program, &[says]);
        }
    }
}

#[test]
fn what_weakens_the_verdict_is_warned_of_and_reported() {
    let weakened = |outcome: &Outcome| -> Vec<String> {
        let events = outcome.events().into_iter().filter(|event| event["event"] == "weakened");
        events.map(|event| event["property"].as_str().unwrap().to_owned()).collect()
    };
    let cluster = Cluster::new(1);
    let outcome = cluster.run(&["-n", "3"]);
    let plain = report(&outcome, 0);
    assert_eq!((plain.get("acks"), plain.get("idempotence"), weakened(&outcome).len()), (None, None, 0), "{outcome}");
    let outcome = cluster.run(&["-n", "3", "-X", "request.required.acks=1", "-X", "enable.idempotence=f"]);
    let weak = report(&outcome, 0);
    assert_eq!((&weak["acks"], &weak["idempotence"]), (&"1".into(), &false.into()), "{weak}");
    assert_eq!(weakened(&outcome), ["acks", "enable.idempotence"], "{outcome}");
    let checks = ["enable.ssl.certificate.verification=false", "ssl.endpoint.identification.algorithm=none"];
    let outcome = cluster.run(&["-n", "1", "-X", checks[0], "-X", checks[1]]);
    report(&outcome, 0);
    assert_eq!(weakened(&outcome).len(), 2, "{outcome}");
}

#[test]
fn a_login_in_an_address_is_refused_and_never_shown() {
    let addresses =
        ["user:c4n4ry-s3cr3t@127.0.0.1:1", "user%3Ac4n4ry-s3cr3t%40127.0.0.1:1", "http://u:c4n4ry-s3cr3t@a:1"];
    let urls = ["http://id:c4n4ry-s3cr3t@127.0.0.1:1/t", "https://id%3ac4n4ry-s3cr3t%40127.0.0.1:1/t"];
    let mut programs = Vec::new();
    for address in addresses {
        let folder = env_files(&[(".env.shared", &format!("KAFKA_BOOTSTRAP_SERVERS={address}\n"))]);
        programs.push((producer().current_dir(folder.path()), folder));
        programs.push((producer().args(["-b", address]), tempfile::tempdir().unwrap()));
        programs.extend(each_way(&[], &format!("bootstrap.servers={address}")));
        programs.extend(each_way(&[], &format!("metadata.broker.list={address}")));
    }
    for url in urls {
        let login =
            ["--security-protocol", "SASL_PLAINTEXT", "--sasl-mechanism", "OAUTHBEARER", "--oauth-client-id", "i"];
        let program = producer().args(login).env("KAFKA_OAUTH_CLIENT_SECRET", "x").args(["--oauth-token-url", url]);
        programs.push((program, tempfile::tempdir().unwrap()));
        // Nobody logs in by token here, but it would be printed.
        programs.push((producer().args(["--oauth-token-url", url]), tempfile::tempdir().unwrap()));
        programs.extend(each_way(&[], &format!("sasl.oauthbearer.token.endpoint.url={url}")));
    }
    let paths = ["--properties-file", "--value-file", "--ssl-ca-location", "-f"];
    programs.extend(paths.map(|flag| (producer().args([flag, urls[0]]), tempfile::tempdir().unwrap())));
    for (program, _folder) in programs {
        let outcome = run(program.args(["-n", "1", "--timeout", "1s"]));
        assert_eq!(outcome.code(), Some(2), "{outcome}");
    }
    for address in addresses {
        for args in [["config", "-b", address], ["config", "-X", &format!("bootstrap.servers={address}")]] {
            run(producer().args(args)).expect_code(2).unwrap();
        }
    }
    // Neither is a value whose name librdkafka does not know.
    run(producer().args(["config", "-X", "sasl.pasword=c4n4ry-s3cr3t"])).expect_code(2).unwrap();
}

#[test]
fn addresses_in_a_wrong_form_end_at_once_with_the_right_one() {
    let cases = [
        ("SASL_SSL://host:9092", "write host:9092, and --security-protocol SASL_SSL"),
        ("http://host:9092", "write host:9092"),
        ("::1:9092", "[::1]:9092"),
        ("host:9092/", "HOST:PORT"),
    ];
    for (address, says) in cases {
        refused(secretive().args(["-b", address]), &["--bootstrap-servers", says]);
        refused(secretive().env("KAFKA_BOOTSTRAP_SERVER", address), &["--bootstrap-servers", says]);
        refused(secretive().env("KAFKA_PROPERTIES", format!("bootstrap.servers={address}")), &["-X", says]);
    }
    refused(secretive().args(["-b", "kafka.svc.:9092", "--security-protocol", "SSL"]), &["write kafka.svc instead"]);
}

#[test]
fn a_flag_is_one_value_and_a_variable_a_list() {
    let cluster = Cluster::new(1);
    let shown = |program: Program| {
        let outcome = run(program.args(["-n", "1", "--dry-run", "--no-headers"])).expect_code(0).unwrap();
        serde_json::from_str::<serde_json::Value>(&outcome.stdout).unwrap()["headers"].clone()
    };
    let expected = serde_json::json!([["content-type", "a; charset=b"], ["x", "1"]]);
    assert_eq!(shown(cluster.producer().args(["-H", "content-type=a; charset=b", "-H", "x=1"])), expected);
    let variable = cluster.producer().env("PRODUCER_HEADERS", r"content-type=a\; charset=b; x=1");
    assert_eq!(shown(variable), expected);
    let outcome = run(producer().args(["config", "-X", "client.id=a;b"])).expect_code(0).unwrap();
    assert_eq!(shown_setting(&outcome, "client.id"), "a;b");
    assert_eq!(shown_setting(&outcome, "KAFKA_PROPERTIES"), r"client.id=a\;b");
}

#[test]
fn a_secret_made_by_echo_works() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("password"), format!("{CANARY}\n")).unwrap();
    let login = ["config", "--security-protocol", "SASL_PLAINTEXT", "--sasl-mechanism", "PLAIN"];
    let program = producer().args(login).env("KAFKA_USERNAME", "app\n").env("KAFKA_TOPIC", "orders\r\n");
    let outcome = run(program.env("KAFKA_PASSWORD_FILE", folder.path().join("password"))).expect_code(0).unwrap();
    assert_eq!(shown_setting(&outcome, "KAFKA_USERNAME"), "app");
    assert_eq!(shown_setting(&outcome, "KAFKA_TOPIC"), "orders");
}

/// The value of a setting that `config` shows.
fn shown_setting(outcome: &Outcome, name: &str) -> String {
    shown(outcome, name).0
}

#[test]
fn a_typed_and_a_raw_setting_that_collide_are_both_named() {
    let (_folder, path) = file("properties", "compression.codec=gzip\n");
    let cases: [(&[&str], &[&str]); 3] = [
        (&["--linger", "5ms", "-X", "linger.ms=20"], &["--linger and -X both set linger.ms"]),
        (&["-b", "a:9092", "-X", "metadata.broker.list=b:9092"], &["--bootstrap-servers and -X", "bootstrap.servers"]),
        (&["-z", "lz4", "--properties-file", arg(&path)], &["--compression", "properties, line 1", "compression.type"]),
    ];
    for (args, says) in cases {
        refused(secretive().args(args), says);
    }
    // A default is no choice of anybody's.
    let outcome = run(secretive().args(["config", "-X", "linger.ms=20"])).expect_code(0).unwrap();
    assert_eq!(shown(&outcome, "linger.ms"), ("20".to_owned(), "-X".to_owned()));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (_bytes_folder, bytes) = file("bytes", b"\xff\xfe");
    let missing = folder.path().join("missing");
    let empty = folder.path().join("empty");
    fs::write(&empty, "\n").unwrap();
    let huge = folder.path().join("huge");
    fs::write(&huge, "x".repeat(100_000)).unwrap();
    // A folder is as unreadable as a file without rights, also for root.
    for path in [missing.as_path(), folder.path(), bytes.as_path()] {
        for flag in ["--properties-file", "--value-file"] {
            refused(secretive().args([flag, arg(path)]), &[flag, arg(path)]);
        }
    }
    for path in [missing.as_path(), folder.path(), bytes.as_path(), empty.as_path(), huge.as_path()] {
        for name in ["KAFKA_PASSWORD_FILE", "KAFKA_SSL_KEY_PASSWORD_FILE", "KAFKA_OAUTH_CLIENT_SECRET_FILE"] {
            refused(producer().env(name, path), &[name, arg(path)]);
        }
    }
    for flag in ["--ssl-ca-location", "--ssl-certificate-location", "--ssl-key-location"] {
        refused(secretive().args([flag, arg(&missing)]), &[flag, arg(&missing)]);
    }
    let (_folder, bad_line) = file("properties", format!("# login\n\nsasl.password={CANARY}\n{CANARY}\n"));
    refused(secretive().args(["--properties-file", arg(&bad_line)]), &["line 4 is not key=value"]);
    let (_folder, no_key) = file("properties", format!("security.protocol=ssl\nssl.key.pem={CANARY}\n"));
    let outcome = run(producer().args(["-b", NOWHERE, "--timeout", "1s", "--properties-file", arg(&no_key)]));
    outcome.expect_code(2).unwrap();
}

#[test]
fn env_files_are_read_in_their_order_and_the_environment_wins() {
    let folder = env_files(&[
        (".env.shared", "KAFKA_TOPIC=shared\nKAFKA_USERNAME=shared\nKAFKA_CLIENT_ID=shared\nPRODUCER_MESSAGES=7\n"),
        (".env.secret", "KAFKA_TOPIC=secret\nKAFKA_USERNAME=secret\nKAFKA_PASSWORD=c4n4ry-s3cr3t$x\n"),
    ]);
    let program = || producer().current_dir(folder.path()).env("KAFKA_TOPIC", "environment");
    let outcome = run(program().args(["config", "-n", "9"])).expect_code(0).unwrap();
    let expected = [
        ("PRODUCER_MESSAGES", "9", "flag --messages"),
        ("KAFKA_TOPIC", "environment", "environment"),
        ("KAFKA_USERNAME", "secret", ".env.secret"),
        ("KAFKA_CLIENT_ID", "shared", ".env.shared"),
        ("PRODUCER_SIZE", "", "default"),
        ("client.id", "shared", "--client-id"),
        ("sasl.password", "[redacted]", "KAFKA_PASSWORD"),
    ];
    for (name, value, origin) in expected {
        assert_eq!(shown(&outcome, name), (value.to_owned(), origin.to_owned()), "{outcome}");
    }
    assert_eq!(shown(&outcome, "KAFKA_PASSWORD").0, "[redacted]");
    assert_says(&shown(&outcome, "KAFKA_PASSWORD").1, &[".env.secret"]);
    // From elsewhere, by name; and an empty variable is as none.
    let outcome = run(producer().env("ENV_DIR", folder.path()).env("KAFKA_TOPIC", "").arg("config"));
    let (topic, origin) = shown(&outcome.expect_code(0).unwrap(), "KAFKA_TOPIC");
    assert_eq!(topic, "secret");
    assert!(Path::new(&origin).ends_with(".env.secret"), "{origin}");
}

#[test]
fn a_setting_of_the_log_is_taken_from_an_env_file() {
    let folder = env_files(&[(".env.shared", "RUST_LOG=debug\nLOG_FORMAT=text\n")]);
    let program = producer().current_dir(folder.path()).args(["-b", NOWHERE, "--timeout", "1s", "-X", "debug=broker"]);
    let outcome = run(program).expect_code(3).unwrap();
    assert_says(&outcome.stderr, &["DEBUG", "BRKMAIN"]);
    assert!(outcome.events().is_empty(), "text was asked for: {outcome}");
}

#[test]
fn mistakes_in_env_files_are_named_without_their_values() {
    let cases: &[(&[u8], &[&str])] = &[
        (b"KAFKA_PASWORD=c4n4ry-s3cr3t\n", &[".env.secret", "KAFKA_PASWORD", "was KAFKA_PASSWORD meant?"]),
        (b"MY_TOKEN=c4n4ry-s3cr3t\n", &["MY_TOKEN is not a setting of either program"]),
        (b"\nc4n4ry-s3cr3t\n", &["line 2 is not NAME=value"]),
        (b"\nKAFKA_PASSWORD='c4n4ry-s3cr3t'\n", &[".env.secret: line 2", "KAFKA_PASSWORD is in quotes"]),
        (b"KAFKA_PASSWORD=c4n4ry-s3cr3t\0x\n", &[".env.secret: line 1", "KAFKA_PASSWORD contains a NUL character"]),
        (b"KAFKA_PASSWORD=c4n4ry-s3cr3t \n", &[".env.secret: line 1", "white space"]),
        (b"export KAFKA_PASSWORD=c4n4ry-s3cr3t\n", &["line 1 is not NAME=value"]),
        (b"#\nKAFKA_PASSWORD=c4n4ry-s3cr3t\xff\n", &[".env.secret: line 2 is not UTF-8"]),
        (b"KAFKA_PASSWORD=c4n4ry-s3cr3t\nKAFKA_PASSWORD_FILE=/dev/null\n", &["KAFKA_PASSWORD and KAFKA_PASSWORD_FILE"]),
    ];
    for (content, says) in cases {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".env.secret"), content).unwrap();
        refused(producer().current_dir(folder.path()), says);
    }
    // A folder is as unreadable as a file without rights, also for root.
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(".env.shared")).unwrap();
    refused(secretive().current_dir(folder.path()), &[".env.shared", "cannot be read"]);
}

#[test]
fn a_setting_of_the_consumer_may_stand_in_a_common_env_file() {
    let folder = env_files(&[(".env.shared", "KAFKA_CONSUMER_GROUP=readers\nCONSUMER_MAX_RECORDS=5\n")]);
    run(producer().current_dir(folder.path()).arg("config")).expect_code(0).unwrap();
}

#[test]
fn two_names_of_one_setting_collide_in_one_layer_only() {
    let both =
        |program: Program| program.env("KAFKA_BOOTSTRAP_SERVER", "a:9092").env("KAFKA_BOOTSTRAP_SERVERS", "b:9092");
    refused(both(secretive()), &["KAFKA_BOOTSTRAP_SERVER and KAFKA_BOOTSTRAP_SERVERS are both set", "environment"]);
    refused(
        secretive().env("KAFKA_PASSWORD_FILE", "/dev/null"),
        &["KAFKA_PASSWORD and KAFKA_PASSWORD_FILE are both set"],
    );

    let folder = env_files(&[(".env.shared", "KAFKA_BOOTSTRAP_SERVERS=low:9092\nKAFKA_PASSWORD_FILE=/nowhere\n")]);
    let program = secretive().current_dir(folder.path()).env("KAFKA_BOOTSTRAP_SERVER", "high:9092");
    let outcome = run(program.arg("config")).expect_code(0).unwrap();
    assert_eq!(shown(&outcome, "bootstrap.servers"), ("high:9092".to_owned(), "--bootstrap-servers".to_owned()));
    assert_eq!(shown(&outcome, "KAFKA_BOOTSTRAP_SERVERS"), ("high:9092".to_owned(), "environment".to_owned()));
}

#[test]
fn a_login_needs_all_its_parts() {
    let sasl = || producer().args(["--security-protocol", "SASL_PLAINTEXT"]);
    refused(sasl(), &["needs --sasl-mechanism (KAFKA_SASL_MECHANISM)"]);
    refused(sasl().args(["--sasl-mechanism", "plain"]), &["--username (KAFKA_USERNAME)", "KAFKA_PASSWORD_FILE"]);
    refused(secretive().args(["--sasl-mechanism", "PLAIN"]), &["--security-protocol SASL_PLAINTEXT or SASL_SSL"]);
    refused(sasl().args(["-X", "sasl.mechanism=GSSAPI"]), &["Kerberos is not built in"]);
    let oauth = refused(
        sasl().args(["--sasl-mechanism", "OAUTHBEARER"]).env("KAFKA_OAUTH_SCOPE", "kafka"),
        &["KAFKA_OAUTH_TOKEN_URL", "KAFKA_OAUTH_CLIENT_ID", "KAFKA_OAUTH_CLIENT_SECRET"],
    );
    assert_eq!(problems(&oauth), 3, "{oauth}");
    // An empty mechanism is none, as env files of other clients have it.
    run(secretive().env("KAFKA_SASL_MECHANISM", "").arg("config")).expect_code(0).unwrap();
}

#[test]
fn a_password_is_in_no_output_however_much_is_logged() {
    let (_folder, path) = file("password", format!("{CANARY}\n"));
    let login = |program: Program| {
        program
            .args(["-b", NOWHERE, "--timeout", "1s", "--security-protocol", "SASL_PLAINTEXT", "--username", "user"])
            .args(["--sasl-mechanism", "SCRAM-SHA-512", "-X", "debug=all"])
            .env("RUST_LOG", "trace")
    };
    for program in [secretive(), producer().env("KAFKA_PASSWORD_FILE", &path)] {
        let outcome = run(login(program)).expect_code(3).unwrap();
        assert_says(&outcome.stderr, &["TRACE", "SASL"]);
    }
    let outcome = run(secretive().arg("--help").env("KAFKA_PROPERTIES", format!("sasl.password={CANARY}")));
    outcome.expect_code(0).unwrap();
}

#[test]
fn variables_that_kubernetes_sets_are_no_mistakes_and_near_misses_are_a_warning() {
    let program = producer()
        .env("KAFKA_PORT", "tcp://10.0.0.1:9092")
        .env("KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1")
        .env("KAFKA_SERVICE_HOST", "10.0.0.1")
        .env("KAFKA_SERVICE_PORT", "9092")
        .env("KAFKA_TOPC", "x");
    let outcome = run(program.args(["--dry-run", "-n", "1"])).expect_code(0).unwrap();
    let warnings: Vec<_> = outcome.events().into_iter().filter(|event| event["event"] == "unknown_variable").collect();
    assert_eq!(warnings.len(), 1, "{outcome}");
    assert_says(warnings[0]["message"].as_str().unwrap(), &["KAFKA_TOPC", "KAFKA_TOPIC"]);
}

#[test]
fn each_share_has_a_transactional_id_of_its_own() {
    let args = ["config", "--transactional-id", "t", "--shards", "3", "--shard", "2", "--timeout", "1m"];
    let outcome = run(producer().args(args)).expect_code(0).unwrap();
    assert_eq!(shown(&outcome, "transactional.id").0, "t-2");
    assert_eq!(
        (shown(&outcome, "transaction.timeout.ms").0, shown(&outcome, "message.timeout.ms").0),
        ("60000".to_owned(), "60000".to_owned())
    );
}

#[test]
fn the_config_command_ends_well_when_its_reader_is_gone() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    run(producer().arg("config").stdout(writer)).expect_code(0).unwrap();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let outcome = run(producer().arg("config").stdout(full)).expect_code(1).unwrap();
    assert_says(&outcome.stderr, &["stdout cannot be written"]);
}

#[test]
fn the_version_names_what_is_inside() {
    let outcome = run(producer().arg("--version")).expect_code(0).unwrap();
    assert_says(
        &outcome.stdout,
        &["kafka-producer 1.", "librdkafka 2.", "ssl", "zstd", "sasl_oauthbearer", "OpenSSL 3."],
    );
    assert_eq!(outcome.stderr, "");
}

#[test]
fn the_help_is_complete() {
    let outcome = run(producer().arg("--help")).expect_code(0).unwrap();
    let groups = ["Messages:", "Delivery:", "Connection:", "Report and health:", "Logging (on stderr):"];
    assert_says(&outcome.stdout, &groups);
    assert_says(&outcome.stdout, &["[env: PRODUCER_MESSAGES]", "[default: 1ms]", "[default: localhost:9092]"]);
    assert_says(&outcome.stdout, &["Examples:", "kafka-producer -n 1000", "KAFKA_PASSWORD", "_FILE", ".env.secret"]);
    assert_says(&outcome.stdout, &["Exit codes:"]);
    for exit in common::exit::Exit::ALL {
        assert_says(&outcome.stdout, &[&format!("{:>3}  {}", exit.code(), exit.meaning())]);
    }
    // Who reads help asks about one program: every variable in it is one that env files may set.
    for line in outcome.stdout.lines() {
        let Some(name) = line.trim().strip_prefix("[env: ").and_then(|rest| rest.strip_suffix(']')) else { continue };
        assert!(common::config::layers::known_variables().any(|known| known == name), "{name} is not in variables.txt");
    }
}
