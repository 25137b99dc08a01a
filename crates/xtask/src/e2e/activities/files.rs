//! Activities with files: large ones, and a mounted Secret that is renewed while a program runs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Result, ensure};

use super::stage::Stage;
use super::{Activity, Reading, Scene, deliver, produce, read};
use crate::e2e::bench::{PASSWORD, Report, expect_exactly_once};

pub(super) const ACTIVITIES: [Activity; 3] = [
    Activity { name: "large-values", short: false, run: large },
    Activity { name: "tls-files-renewed", short: false, run: renewed },
    Activity { name: "settings-files", short: false, run: settings },
];

/// A line of megabytes makes buffers grow by `realloc`, which moves them by `mremap`; a file is one message, packed by gzip.
fn large(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    const BYTES: usize = 8 << 20;
    let line: String = (0..BYTES).map(|_| char::from(fastrand::alphanumeric() as u8)).collect();
    let file = scene.file("line", format!("{line}\n"))?;
    let (run, topic) = scene.mock_run("127.0.0.1")?;
    let run = run.file(&file, "/tmp/line");
    // A partition of the mock cluster forgets the first when the second comes.
    let inputs = [["--input", "/tmp/line", "--max-line", "16MiB"].as_slice(), &["--file", "/tmp/line", "--gzip"]];
    for (partition, input) in ["0", "1"].into_iter().zip(inputs) {
        Report::of_all(produce(stage, run.clone().args(input).args(&["--partition", partition]))?, 1)?;
    }
    let run = run.env("KAFKA_CONSUMER_GROUP", &topic).env("CONSUMER_UNCUT", "true").env("CONSUMER_FORMAT", "json");
    let outcome = read(stage, run, 2)?;
    ensure!(outcome.stdout.contains(&line), "the long line was not logged as it is");
    Ok(format!("a line of {} MiB published and logged, and a file by gzip", BYTES >> 20))
}

/// As the kubelet renews a Secret: `..data` is a link to a folder, which is replaced in one step.
fn renewed(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    const MESSAGES: u64 = 100;
    let mut run = scene.login_run("renewed")?.env("PRODUCER_CREATE_TOPIC", "2:1");
    let authority = fs::read(scene.login()?.pki()?.ca_path())?;
    let secret = scene.folder.path().join("secret");
    // Of an earlier time that this was done in the same scene.
    if secret.exists() {
        fs::remove_dir_all(&secret)?;
    }
    run.files.retain(|(_, to)| to != "/etc/kafka-clients");
    for name in ["ca.crt", "password"] {
        scene.file(&format!("secret/..1/{name}"), if name == "password" { PASSWORD.as_bytes() } else { &authority })?;
        symlink(format!("..data/{name}"), secret.join(name))?;
    }
    point(&secret, "..1")?;
    let run = run.file(&secret, "/etc/kafka-clients");
    deliver(stage, &run, "first", MESSAGES)?;
    let reading = Reading::start(stage, &run, "renewed")?;
    scene.file("secret/..2/ca.crt", &authority)?;
    scene.file("secret/..2/password", PASSWORD)?;
    point(&secret, "..2")?;
    fs::remove_dir_all(secret.join("..1"))?;
    deliver(stage, &run, "renewed", MESSAGES)?;
    expect_exactly_once(&reading.received, MESSAGES)?;
    reading.stop()?;
    Ok("renewed under a running consumer, and read by the next producer".to_owned())
}

fn point(secret: &Path, to: &str) -> Result<()> {
    fs::set_permissions(secret.join(to), fs::Permissions::from_mode(0o755))?;
    fs::set_permissions(secret, fs::Permissions::from_mode(0o755))?;
    let new = secret.join("..data_tmp");
    symlink(to, &new)?;
    Ok(fs::rename(new, secret.join("..data"))?)
}

/// An env file, a properties file, and `config`, which shows what came of them.
fn settings(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    scene.file("env/.env.shared", "PRODUCER_MESSAGES=3\n")?;
    scene.file("env/properties", "client.rack=here\n")?;
    let (run, _) = scene.mock_run("127.0.0.1")?;
    let run = run.file(scene.folder.path().join("env"), "/etc/settings").env("ENV_DIR", "/etc/settings");
    let run = run.env("KAFKA_PROPERTIES_FILE", "/etc/settings/properties");
    let shown = produce(stage, run.clone().args(&["config"]))?.expect_code(0)?;
    ensure!(shown.stdout.contains(".env.shared"), "the env file was not read\n{shown}");
    produce(stage, run.clone().args(&["--dry-run"]))?.expect_code(0)?;
    Report::of_all(produce(stage, run)?, 3)?;
    Ok("both files were read".to_owned())
}
