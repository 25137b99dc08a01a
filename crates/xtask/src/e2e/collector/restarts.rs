//! An agent that is replaced goes on where the last one was, and a database that is away costs no line.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Scenario;
use super::bench::{ARRIVAL, Agent, Bench};
use super::node::{Container, Line};
use super::servers::VictoriaLogs;

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "agent-replaced",
        claim: "the next agent reads what was written meanwhile, rotated files too, and nothing a second time",
        run: replaced,
    },
    Scenario {
        name: "database-away",
        claim: "lines wait on the node while the database is away, over a restart of the agent too",
        run: away,
    },
];

/// Lines at a time.
const LINES: u64 = 500;
/// A database that comes back is tried again after this at the latest: the exporter's own limit, and some.
const RETRY: Duration = Duration::from_secs(90);

/// A container, and lines of it that are all different.
struct Writer {
    container: Container,
    written: u64,
}

impl Writer {
    fn new() -> Self {
        Self {
            container: Container::new("kafka-clients", "kafka-consumer-6d5f8c9b7d-x2x4v", "kafka-consumer"),
            written: 0,
        }
    }

    fn write(&mut self, agent: &Agent) -> Result<()> {
        let line = |number: u64| {
            let text =
                format!(r#"{{"v":1,"level":"INFO","event":"record","topic":"t","partition":0,"offset":{number}}}"#);
            Line::out(text)
        };
        let lines: Vec<_> = (self.written..self.written + LINES).map(line).collect();
        self.written += LINES;
        agent.node.write(&self.container, &lines)
    }

    /// All of them are there, each once.
    fn arrived(&self, store: &VictoriaLogs, agent: &Agent, timeout: Duration) -> Result<()> {
        store.wait_for("* | uniq by (_msg)", self.written, timeout).with_context(|| agent.log())?;
        let lines = store.count("*")?;
        ensure!(lines == self.written, "{} lines were read again", lines - self.written);
        Ok(())
    }
}

fn replaced(bench: &mut Bench) -> Result<String> {
    let mut agent = Agent::new()?;
    let store = agent.store(&bench.built)?;
    let mut writer = Writer::new();
    writer.write(&agent)?;
    agent.start(&bench.built)?;
    writer.arrived(&store, &agent, ARRIVAL)?;
    agent.stop()?;
    // Nobody reads: more is written, the file is put aside, and a new one begun.
    writer.write(&agent)?;
    agent.node.rotate(&writer.container)?;
    writer.write(&agent)?;
    agent.start(&bench.built)?;
    writer.arrived(&store, &agent, ARRIVAL)?;
    // While it reads, too.
    writer.write(&agent)?;
    writer.arrived(&store, &agent, ARRIVAL)?;
    agent.stop()?;
    Ok(format!("{} lines over two agents and a rotation, each once", writer.written))
}

fn away(bench: &mut Bench) -> Result<String> {
    let mut agent = Agent::new()?;
    let store = agent.store(&bench.built)?;
    let mut writer = Writer::new();
    writer.write(&agent)?;
    agent.start(&bench.built)?;
    writer.arrived(&store, &agent, ARRIVAL)?;
    store.stop()?;
    writer.write(&agent)?;
    agent.wait_until_refused(ARRIVAL)?;
    agent.stop()?;
    writer.write(&agent)?;
    agent.start(&bench.built)?;
    let store = agent.store(&bench.built)?;
    writer.arrived(&store, &agent, RETRY)?;
    Ok(format!("{} lines, {} of them while it was away, each once", writer.written, 2 * LINES))
}
