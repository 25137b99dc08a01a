//! The process runner, shown on `/bin/sh`.

use std::io::{Read, pipe};
use std::time::Duration;

use anyhow::{Context, Result};
use testbed::process::{Program, Signal};

const SOON: Duration = Duration::from_secs(20);

fn sh(script: &str) -> Program {
    Program::new("/bin/sh").args(["-c", script])
}

#[test]
fn a_program_sees_only_the_environment_it_is_given() -> Result<()> {
    let outcome = sh("env; pwd >&2").env("GIVEN", "1").run(SOON)?.expect_code(0)?;
    assert!(outcome.stdout.contains("GIVEN=1\n"), "{outcome}");
    assert!(!outcome.stdout.contains("CARGO"), "{outcome}");
    Ok(())
}

#[test]
fn lines_events_and_signals_are_waited_for() -> Result<()> {
    let script = r#"trap 'echo got it; exit 143' TERM; echo '{"fields":{"message":"ready","port":1}}' >&2
        while :; do sleep 0.01; done"#;
    let process = sh(script).spawn()?;
    let event = process.wait_for_stderr_event("ready", SOON)?;
    assert_eq!(event["fields"]["port"], 1);
    process.signal(Signal::TERM)?;
    process.wait_for_stdout(SOON, |line| line == "got it")?;
    let outcome = process.wait(SOON)?.expect_code(143)?;
    assert_eq!(outcome.stdout, "got it\n");
    Ok(())
}

#[test]
fn a_missed_deadline_shows_what_was_seen() -> Result<()> {
    let process = sh("echo only this; exec sleep 60").spawn()?;
    process.wait_for_stdout(SOON, |line| line == "only this")?;
    let error = process.wait(Duration::from_millis(1)).err().context("it ended in no time")?.to_string();
    assert!(error.contains("did not end") && error.contains("only this"), "{error}");
    Ok(())
}

#[test]
fn standard_input_can_be_written_and_standard_output_sent_elsewhere() -> Result<()> {
    let (mut reader, writer) = pipe()?;
    let mut process = sh("cat").stdin_piped().stdout(writer).spawn()?;
    process.write_stdin("one\ntwo\n")?;
    process.close_stdin();
    let mut through = String::new();
    reader.read_to_string(&mut through)?;
    assert_eq!(through, "one\ntwo\n");
    process.wait(SOON)?.expect_code(0)?;
    Ok(())
}

#[test]
fn a_million_lines_are_captured() -> Result<()> {
    let outcome = sh("seq 1000000").run(SOON)?;
    assert_eq!(outcome.stdout.lines().count(), 1_000_000);
    Ok(())
}

#[test]
fn a_throttled_process_gets_its_share_and_goes_on_afterwards() -> Result<()> {
    let busy = sh("while :; do :; done").spawn()?;
    let throttle = busy.throttle(0.1);
    // The time itself is what is tried here.
    std::thread::sleep(Duration::from_secs(1));
    drop(throttle);
    let outcome = busy.stop(Signal::TERM, SOON)?;
    let cpu = outcome.cpu.context("known on Linux")?;
    assert!(cpu < Duration::from_millis(600), "{cpu:?} of a second");
    Ok(())
}

#[test]
fn a_slow_reader_gets_everything() -> Result<()> {
    let (reader, writer) = pipe()?;
    let process = sh("i=0; while [ $i -lt 3 ]; do echo line $i; i=$((i+1)); done").stdout(writer).spawn()?;
    let text = testbed::process::read_slowly(reader, Duration::from_millis(10));
    process.wait(SOON)?.expect_code(0)?;
    assert_eq!(text.join().expect("it does not panic"), "line 0\nline 1\nline 2\n");
    Ok(())
}
