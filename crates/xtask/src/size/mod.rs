//! `cargo xtask size`: what a rate of messages needs, by the costs that were measured. `docs/scaling.md` explains it.

mod costs;
mod model;

use anyhow::{Result, ensure};
use common::config::units::{self, Rate};

use model::{Need, Wanted};

/// The flags of the calculator.
#[derive(clap::Args)]
pub struct Args {
    /// Messages in a time, such as 5M/s
    #[arg(long, default_value = "100k/s")]
    rate: Rate,

    /// Bytes of a value
    #[arg(long, default_value = "100", value_parser = units::bytes)]
    bytes: usize,

    /// Replicas of each message
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10))]
    replication: u32,

    /// Bytes a second that one broker writes: what its disks, or its network, allow
    #[arg(long, default_value = "200MB", value_parser = units::bytes)]
    broker_writes: usize,

    /// Bytes a second that one partition takes
    #[arg(long, default_value = "10MB", value_parser = units::bytes)]
    partition_writes: usize,

    /// Consumers log no values (--no-values)
    #[arg(long)]
    no_values: bool,
}

/// Prints the table.
pub fn run(args: &Args) -> Result<bool> {
    ensure!(
        args.broker_writes > 0 && args.partition_writes > 0,
        "a broker or partition that writes nothing is no help"
    );
    let wanted = Wanted {
        rate: args.rate.per_second(),
        bytes: args.bytes as f64,
        replication: f64::from(args.replication),
        broker_writes: args.broker_writes as f64,
        partition_writes: args.partition_writes as f64,
        values: !args.no_values,
    };
    print!("{}", table(&wanted, &model::need(&wanted)));
    Ok(true)
}

/// As printed, and as quoted in the page.
fn table(wanted: &Wanted, need: &Need) -> String {
    let per_second = |bytes: f64| format!("{}/s", amount(bytes));
    let lines = [
        ("messages", format!("{} a second, {} a day", count(wanted.rate), count(wanted.rate * 86_400.0))),
        ("producer pods", format!("{:.0}, {:.1} cores in all", need.producers, need.producer_cores)),
        ("consumer pods", format!("{:.0}, {:.1} cores in all", need.consumers, need.consumer_cores)),
        ("memory of the pods", amount(need.memory)),
        ("partitions", format!("{:.0}", need.partitions)),
        ("written by producers", per_second(need.produced)),
        ("written by all brokers", per_second(need.stored)),
        ("brokers", format!("{:.0}", need.brokers)),
        ("network, all links", per_second(need.network)),
        ("record log", format!("{}, {} a day", per_second(need.logged), amount(need.logged * 86_400.0))),
    ];
    lines.iter().map(|(name, value)| format!("{name:<24}{value}\n")).collect()
}

fn amount(bytes: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let power = (0..units.len() - 1).find(|power| bytes < 1000_f64.powi(*power as i32 + 1)).unwrap_or(units.len() - 1);
    format!("{:.3} {}", Digits(bytes / 1000_f64.powi(power as i32)), units[power])
}

fn count(number: f64) -> String {
    let units = ["", "k", "M", "G", "T"];
    let power = (0..units.len() - 1).find(|power| number < 1000_f64.powi(*power as i32 + 1)).unwrap_or(units.len() - 1);
    format!("{:.3}{}", Digits(number / 1000_f64.powi(power as i32)), units[power])
}

/// A number with so many digits that matter.
struct Digits(f64);

impl std::fmt::Display for Digits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let before = if self.0 >= 100.0 {
            3
        } else if self.0 >= 10.0 {
            2
        } else {
            1
        };
        let decimals = f.precision().unwrap_or(3_usize).saturating_sub(before);
        let text = format!("{:.decimals$}", self.0);
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_the_calculator_says() {
        let page = include_str!("../../../../docs/scaling.md");
        for (rate, bytes) in [(5e6, 500.0), (100e6, 100.0)] {
            let wanted =
                Wanted { rate, bytes, replication: 3.0, broker_writes: 200e6, partition_writes: 10e6, values: true };
            let table = table(&wanted, &model::need(&wanted));
            assert!(page.contains(&table), "docs/scaling.md lacks\n{table}");
        }
    }

    #[test]
    fn amounts_are_short() {
        assert_eq!(amount(1_234_000.0), "1.23 MB");
        assert_eq!(amount(950.0), "950 B");
        assert_eq!(count(5e6), "5M");
        assert_eq!(count(86_400.0 * 5e6), "432G");
    }
}
