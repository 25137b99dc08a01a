//! Outputs of a member that nobody reads, that are closed, or for which there is no room.

use std::fs::File;
use std::io::pipe;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::disk::Disk;
use super::member::Member;
use super::row::Output;
use super::scene::Scene;

/// Room for some seconds of records.
const ROOM: u64 = 2 << 20;
/// How long until it is used up.
const USED_UP: Duration = Duration::from_secs(60);
/// How long a member without a reader is watched.
const WATCHED: Duration = Duration::from_secs(10);

/// Nobody reads an output for a while.
pub fn stall(scene: &mut Scene<'_>, output: Output, time: Duration) -> Result<()> {
    match output {
        Output::Stdout => {
            let member = scene.load.members.last().context("there is no member")?;
            member.stall(true);
            thread::sleep(time);
            member.stall(false);
        }
        Output::Stderr => {
            let (reader, writer) = pipe()?;
            let program = scene.load.program(scene.bench).args(["--debug"]).env("RUST_LOG", "trace").stderr(writer);
            let member = Member::start(program, &scene.load.logged)?;
            member.wait_until_ready()?;
            // It has much to say, and the pipe is full soon.
            thread::sleep(time);
            drop(reader);
            scene.load.members.push(member);
        }
    }
    Ok(())
}

/// The reader of an output goes away.
pub fn close(scene: &mut Scene<'_>, output: Output) -> Result<()> {
    match output {
        Output::Stdout => {
            let mut member = scene.load.members.pop().context("there is no member")?;
            member.close()?;
            let ended = member.wait()?;
            scene.load.ended.push(ended.expect_code(0)?);
        }
        Output::Stderr => {
            let (reader, writer) = pipe()?;
            drop(reader);
            watch(scene, writer)?;
        }
    }
    Ok(())
}

/// There is no room for an output.
pub fn full(scene: &mut Scene<'_>, output: Output) -> Result<()> {
    match output {
        Output::Stdout => {
            let disk = Disk::in_memory(ROOM)?;
            let member =
                Member::to_file(scene.load.program(scene.bench), &disk.path().join("records"), &scene.load.logged)?;
            let began = std::time::Instant::now();
            while member.process().is_running() {
                ensure!(began.elapsed() < USED_UP, "{ROOM} bytes were not used up within {USED_UP:?}");
                thread::sleep(Duration::from_millis(50));
            }
            let ended = member.wait()?;
            scene.load.ended.push(ended.expect_code(1)?);
        }
        Output::Stderr => watch(scene, File::options().write(true).open("/dev/full")?)?,
    }
    Ok(())
}

/// A member with such a stderr joins and works.
fn watch(scene: &mut Scene<'_>, stderr: impl Into<std::process::Stdio>) -> Result<()> {
    let member = Member::start(scene.load.program(scene.bench).stderr(stderr), &scene.load.logged)?;
    member.wait_until_ready()?;
    thread::sleep(WATCHED);
    ensure!(member.process().is_running(), "a member whose log cannot be written has ended");
    scene.load.members.push(member);
    Ok(())
}
