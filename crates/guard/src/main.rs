//! `guard WHAT COUNT`: does one thing so many times, for `cargo xtask guard` to count the instructions of. Each hot function
//! has its reference beside it: mostly serde_json with a struct of the same content.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a task that a person watches")]

mod decision;
mod message;
mod record;
mod stamp;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (what, count) = (args.next().unwrap_or_default(), args.next().and_then(|count| count.parse::<u64>().ok()));
    let Some(count) = count else {
        eprintln!("expected what to do, and how often");
        return ExitCode::from(2);
    };
    match what.as_str() {
        "record" => record::ours(count),
        "record-reference" => record::reference(count),
        "message" => message::ours(count),
        "message-reference" => message::reference(count),
        "stamp" => stamp::ours(count),
        "stamp-reference" => stamp::reference(count),
        "decision" => decision::ours(count),
        "decision-reference" => decision::reference(count),
        _ => {
            eprintln!("expected record, message, stamp, decision or their -reference");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
