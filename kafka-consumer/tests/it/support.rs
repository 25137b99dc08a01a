//! What the tests share: starting the program, brokers with a topic, and reading what the program said.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use testbed::http::{self, Response};
use testbed::mock::Mock;
use testbed::process::{Outcome, Process, Program, Signal};
use testbed::records::{self, NewRecord, Trickle};

/// For what should happen at once; as long as it is because machines that test are busy.
pub const SOON: Duration = Duration::from_secs(30);
/// The topic of all tests, the program's own default.
pub const TOPIC: &str = "test";
/// An address that a program without a broker may be given: nobody can listen there.
pub const NOWHERE: &str = "127.0.0.1:1";

/// The program with nothing configured but that it takes no port.
pub fn consumer() -> Program {
    Program::new(env!("CARGO_BIN_EXE_kafka-consumer")).env("ADMIN_LISTEN", "off")
}

/// A mock cluster with [`TOPIC`].
pub struct Cluster {
    pub mock: Mock,
}

impl Cluster {
    /// One broker.
    pub fn new(partitions: i32) -> Self {
        let mock = Mock::with_topic(TOPIC, partitions).unwrap();
        mock.group_start_delay(Duration::from_millis(500)).unwrap();
        Self { mock }
    }

    /// The program with this cluster's address.
    pub fn consumer(&self) -> Program {
        consumer().arg("-b").arg(self.mock.bootstrap_servers())
    }

    /// [`Cluster::consumer`] in a group of the brokers' protocol, which is quicker on the mock than a classic one.
    pub fn member(&self, group: &str) -> Program {
        self.consumer().args(["--group-protocol", "consumer", "--group", group])
    }

    /// The program run to its end with these arguments.
    pub fn run(&self, args: &[&str]) -> Outcome {
        self.consumer().args(args).run(SOON).unwrap()
    }

    /// Puts records into [`TOPIC`].
    pub fn produce(&self, records: &[NewRecord]) {
        records::produce(&records::client_config(&self.mock.bootstrap_servers()), TOPIC, records).unwrap();
    }

    /// Writes to [`TOPIC`] until it is dropped: a record every `pause`, over these partitions in turn.
    pub fn trickle(&self, partitions: &[i32], pause: Duration) -> Trickle {
        Trickle::start(&records::client_config(&self.mock.bootstrap_servers()), TOPIC, partitions, pause).unwrap()
    }

    /// Puts values into a topic.
    pub fn produce_values(&self, topic: &str, values: &[&str]) {
        records::produce_values(&records::client_config(&self.mock.bootstrap_servers()), topic, values).unwrap();
    }
}

/// Records with these numbers as values, over the partitions in turn.
pub fn numbered(numbers: std::ops::Range<i32>, partitions: i32) -> Vec<NewRecord> {
    numbers.map(|number| NewRecord::value(number.to_string()).partition(number % partitions)).collect()
}

/// Records that together are more than a pipe (64 KiB) and a batch hold.
pub fn more_than_a_pipe() -> Vec<NewRecord> {
    let value = |number: i32| format!("{number} {}", "x".repeat(4000));
    (0..100).map(|number| NewRecord::value(value(number)).partition(0)).collect()
}

/// The values of record lines, in order.
pub fn values(stdout: &str) -> Vec<String> {
    lines(stdout)
        .iter()
        .map(|line| line["value"].as_str().unwrap_or_else(|| panic!("no text: {line}")).to_owned())
        .collect()
}

/// The numbers that [`numbered`] gave to the records behind these lines, sorted.
pub fn numbers(stdout: &str) -> Vec<i32> {
    let mut numbers: Vec<i32> = values(stdout).iter().map(|value| value.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

/// Record lines as JSON.
pub fn lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Waits until so many records are logged.
pub fn wait_for_records(process: &Process, count: usize) {
    let mut seen = 0;
    let counted = process.wait_for_stdout(SOON, |_| {
        seen += 1;
        seen == count
    });
    counted.unwrap();
}

/// Sends a signal and waits for the end.
pub fn stop(process: Process, signal: Signal, code: i32) -> Outcome {
    process.stop(signal, SOON).unwrap().expect_code(code).unwrap()
}

/// The report of a one-shot run: the last line of stderr that is one.
pub fn report(outcome: &Outcome) -> Value {
    let report = outcome.events().into_iter().rfind(|event| event["event"] == "report");
    report.unwrap_or_else(|| panic!("no report\n{outcome}"))
}

/// Why a one-shot run ended, by its report.
pub fn message(outcome: &Outcome) -> String {
    report(outcome)["message"].as_str().unwrap_or_default().to_owned()
}

/// A running program with its admin server.
pub struct Served {
    pub process: Process,
    pub address: SocketAddr,
}

impl Served {
    /// Starts the program on a free port.
    pub fn start(program: Program) -> Self {
        let process = program.env("ADMIN_LISTEN", "127.0.0.1:0").spawn().unwrap();
        let event = process.wait_for_stderr_event("admin_listening", SOON).unwrap();
        let address = event["address"].as_str().unwrap().parse().unwrap();
        Self { process, address }
    }

    /// Asks it.
    pub fn get(&self, path: &str) -> Response {
        http::get(self.address, path).unwrap()
    }

    /// Asks until the answer has this status and says this.
    pub fn wait_for(&self, path: &str, status: u16, text: &str) -> Response {
        http::wait_for(self.address, path, SOON, |answer| answer.status == status && answer.body.contains(text))
            .unwrap_or_else(|error| panic!("{error:#}\n--- stderr\n{}", self.process.stderr()))
    }

    /// Waits until it has its partitions.
    pub fn ready(self) -> Self {
        self.wait_for("/readyz", 200, "");
        self
    }

    /// The value of a series, as `kafka_consumer_lag_records{partition="0",topic="test"}`.
    pub fn metric(&self, series: &str) -> Option<f64> {
        sample(&self.get("/metrics").body, series)
    }

    /// Waits until a series has this value; absent is `None`.
    pub fn wait_for_metric(&self, series: &str, value: Option<f64>) {
        self.wait_for_value(series, |found| found == value);
    }

    /// Waits until a series has grown to this value.
    pub fn wait_for_at_least(&self, series: &str, value: f64) {
        self.wait_for_value(series, |found| found >= Some(value));
    }

    fn wait_for_value(&self, series: &str, wanted: impl Fn(Option<f64>) -> bool) {
        http::wait_for(self.address, "/metrics", SOON, |answer| wanted(sample(&answer.body, series)))
            .unwrap_or_else(|error| panic!("{series}: {error:#}"));
    }
}

/// The value of a series in Prometheus' text format.
pub fn sample(metrics: &str, series: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}
