//! The `kafka-producer` program.

fn main() -> std::process::ExitCode {
    kafka_producer::main()
}
