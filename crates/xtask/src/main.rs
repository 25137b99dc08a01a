//! What a person or CI runs by hand: `cargo demo` and `cargo xtask ...`. One file a task.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a task that a person watches")]

mod bench;
mod broker;
mod consumer;
mod debian;
mod demo;
mod docs;
mod e2e;
mod guard;
mod images;
mod licences;
mod manifests;
mod monitoring;
mod policies;
mod programs;
mod published;
mod received;
mod release;
mod servers;
mod size;
mod supply_chain;
mod terminal;
mod upkeep;
mod workflows;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The tasks of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Publish and log messages by the real programs, and check that each one was received exactly once
    Demo(demo::Args),
    /// What the programs cost, against librdkafka alone and against other tools; writes docs/benchmarks.md
    Bench(bench::Args),
    /// A real Apache Kafka on localhost:9092, to play with
    #[command(subcommand)]
    Broker(broker::Command),
    /// Generate the documents that are made from the code
    Docs(docs::Args),
    /// Count the instructions of the hot functions, against serde_json; needs valgrind
    Guard,
    /// Check the files of infra/ against the code, each other and the schemas of those who read them
    Manifests(manifests::Args),
    /// Generate and check infra/monitoring: rules and their tests, routes, runbooks, dashboards; needs Node
    Monitoring(monitoring::Args),
    /// Runtime rules and benchmarks of infra/policies: checked here, and run where there is a Docker or a cluster
    #[command(subcommand)]
    Policies(policies::Command),
    /// The licence texts of what the programs contain, for the images
    Licences(licences::Args),
    /// The steps of a release
    #[command(subcommand)]
    Release(release::Command),
    /// What gets worse although nobody changes anything: advisories, old bases, support that ends
    #[command(subcommand)]
    Upkeep(upkeep::Command),
    /// Check the workflows of .github, and what the documents say of them
    Workflows(workflows::Args),
    /// What a rate of messages needs: cores, pods, partitions, network, log volume
    Size(size::Args),
    /// Build the images of both programs
    Images(images::Args),
    /// What the images contain, who signed it, and what is refused, all on this machine; needs Go and Python
    SupplyChain(supply_chain::Args),
    /// The suite on real Apache Kafka; needs Java 17 and Maven
    E2e(e2e::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Demo(args) => demo::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Broker(command) => broker::run(&command),
        Task::Docs(args) => docs::run(&args),
        Task::Guard => guard::run(),
        Task::Manifests(args) => manifests::run(&args),
        Task::Monitoring(args) => monitoring::run(&args),
        Task::Policies(command) => policies::run(&command),
        Task::Licences(args) => licences::run(&args),
        Task::Release(command) => release::run(&command),
        Task::Upkeep(command) => upkeep::run(&command),
        Task::Workflows(args) => workflows::run(&args),
        Task::Size(args) => size::run(&args),
        Task::Images(args) => images::run(&args),
        Task::SupplyChain(args) => supply_chain::run(&args),
        Task::E2e(args) => e2e::run(&args),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        // The task has said why.
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
