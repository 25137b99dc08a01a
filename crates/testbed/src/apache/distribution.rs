//! Apache Kafka's jars: fetched once into the target folder, and run as Java programs.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::process::Program;
use crate::spawn::on_path;

/// Names the versions; the only place that does.
const POM: &str = include_str!("../../kafka/pom.xml");

const OLDEST_JAVA: u32 = 17;

/// A Kafka that is ready to run: its jars and a Java that can run them.
#[derive(Clone, Debug)]
pub struct Distribution {
    jars: PathBuf,
    java: PathBuf,
}

impl Distribution {
    /// Finds Java and the jars, and fetches the jars where they are missing.
    pub fn get() -> Result<Self> {
        let java = java()?;
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
        fs::create_dir_all(&target)?;
        let jars = target.canonicalize()?.join(format!("kafka-{}", Self::version()?));
        if !jars.is_dir() {
            fetch(&jars)?;
        }
        Ok(Self { jars, java })
    }

    /// The version of Kafka.
    pub fn version() -> Result<&'static str> {
        let (_, after) = POM.split_once("<kafka.version>").context("the pom.xml names no kafka.version")?;
        Ok(after.split('<').next().unwrap_or_default())
    }

    /// The folder of Kafka's jars.
    pub fn jars(&self) -> &Path {
        &self.jars
    }

    /// One of Kafka's command-line tools by the name of its class, as `org.apache.kafka.tools.ProducerPerformance`. Give it
    /// arguments and run it.
    pub fn tool(&self, class: &str) -> Program {
        self.tool_with(class, &[])
    }

    /// As [`Distribution::tool`], with options of its Java over what is set here.
    pub fn tool_with(&self, class: &str, jvm_options: &[&str]) -> Program {
        self.run(Program::new(&self.java), &[&["-Xmx256m"], jvm_options].concat(), "warn", class)
    }

    /// A broker: what it runs as is decided by who starts it.
    pub(super) fn server(&self, program: fn(PathBuf) -> Program, jvm_options: &[&str]) -> Program {
        self.run(program(self.java.clone()), jvm_options, "info", "kafka.Kafka")
    }

    fn run(&self, program: Program, jvm_options: &[&str], log_level: &str, class: &str) -> Program {
        // A Java program of some seconds is over before more than the first compiler pays off.
        program
            .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-XX:-UsePerfData"])
            .arg(format!("-Dorg.slf4j.simpleLogger.defaultLogLevel={log_level}"))
            .args([
                "-Dorg.slf4j.simpleLogger.showDateTime=true",
                "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
            ])
            .args(jvm_options)
            .arg("-cp")
            .arg(self.jars.join("*"))
            .arg(class)
    }
}

fn java() -> Result<PathBuf> {
    let of_home = env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java")).filter(|java| java.is_file());
    let java = of_home.or_else(|| on_path("java")).context("`java` is missing: Apache Kafka needs Java 17 or newer")?;
    let output =
        Command::new(&java).arg("-version").output().with_context(|| format!("can't run {}", java.display()))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // openjdk version "17.0.15" 2025-04-15
    let version = said.split('"').nth(1).and_then(|version| version.split(['.', '-', '+']).next()?.parse::<u32>().ok());
    match version {
        Some(version) if version >= OLDEST_JAVA => Ok(java),
        Some(version) => bail!("{} is Java {version}: Apache Kafka needs {OLDEST_JAVA} or newer", java.display()),
        None => bail!("{} -version says no version: {said}", java.display()),
    }
}

/// Copies the jars to a folder beside the wanted one and renames it when it is complete. A lock lets only one process do it,
/// and those who waited find the work done.
fn fetch(jars: &Path) -> Result<()> {
    let lock = File::create(jars.with_added_extension("lock"))?;
    lock.lock().context("can't lock the folder of Kafka's jars")?;
    if jars.is_dir() {
        return Ok(());
    }
    let mvn = on_path("mvn").context("`mvn` is missing: it fetches Apache Kafka for the first test that needs one")?;
    let partial = jars.with_added_extension("partial");
    let _ = fs::remove_dir_all(&partial);
    let fetched = Command::new(mvn)
        .args(["-q", "-B", "dependency:copy-dependencies", "-f"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka/pom.xml"))
        .arg(format!("-DoutputDirectory={}", partial.display()))
        .output()?;
    ensure!(
        fetched.status.success(),
        "mvn could not fetch Apache Kafka:\n{}{}",
        String::from_utf8_lossy(&fetched.stdout),
        String::from_utf8_lossy(&fetched.stderr)
    );
    fs::rename(&partial, jars).context("can't put Kafka's jars in their place")
}
