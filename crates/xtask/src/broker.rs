//! `cargo xtask broker`: a real Apache Kafka that stays, for playing by hand.

use std::net::TcpStream;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Subcommand;
use testbed::apache::{Cluster, Distribution, count_detached, stop_detached};

use crate::programs;
use crate::terminal::Step;

const PORT: u16 = 9092;
const TOPIC: &str = "test";
const PARTITIONS: i32 = 6;

/// What to do with the broker.
#[derive(Subcommand)]
pub enum Command {
    /// Start one Apache Kafka on localhost:9092 with the topic `test` of 6 partitions, and leave it running
    Up,
    /// Stop it; its data is lost
    Down,
}

/// Starts or stops it.
pub fn run(command: &Command) -> Result<bool> {
    let folder = folder()?;
    match command {
        Command::Up => up(folder)?,
        Command::Down => match stop_detached(&folder)? {
            0 => println!("no broker was running"),
            1 => println!("stopped the broker on localhost:{PORT}"),
            count => println!("stopped {count} brokers"),
        },
    }
    Ok(true)
}

fn up(folder: PathBuf) -> Result<()> {
    if count_detached(&folder)? > 0 {
        println!("the broker is already up on localhost:{PORT}; cargo xtask broker down stops it");
        return Ok(());
    }
    if TcpStream::connect(("localhost", PORT)).is_ok() {
        bail!("something else listens on localhost:{PORT}, and it is not a broker that this task has started");
    }
    let step = Step::begin(format!("starting Apache Kafka {} on localhost:{PORT}", Distribution::version()?));
    // It runs for hours: the better of Java's compilers pays off.
    let builder = Cluster::builder().port(PORT).jvm_option("-XX:TieredStopAtLevel=4").detached(&folder);
    let ready = builder.start().and_then(|cluster| cluster.create_topic(TOPIC, PARTITIONS, 1, &[]));
    if let Err(error) = ready {
        // A broker that is left behind half-made would be in the way of the next one.
        let _ = stop_detached(&folder);
        return Err(error);
    }
    step.end();
    println!(
        "Apache Kafka runs on localhost:{PORT}, with the topic {TOPIC} of {PARTITIONS} partitions. Next:\n  \
         cargo run --release --bin kafka-consumer\n  \
         cargo run --release --bin kafka-producer -- -n 1000\n  \
         cargo demo --bootstrap-servers localhost:{PORT}\n  \
         cargo xtask broker down"
    );
    Ok(())
}

/// Beside the programs' folder, so that `cargo clean` takes it away too.
fn folder() -> Result<PathBuf> {
    Ok(programs::target()?.join("broker"))
}
