//! The `kafka-consumer` program.

fn main() -> std::process::ExitCode {
    kafka_consumer::main()
}
