//! From exec to the first answer of `/livez`, and to the first record logged; and what an idle consumer takes.

use std::io::{Read, pipe};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testbed::ports;
use testbed::process::{Process, memory};

use super::super::invocation::Invocation;
use super::super::measure::{cpu_so_far, mib};
use super::super::results::{Bar, Section, Spread};
use super::super::setting::Setting;

const RECORDS: u64 = 1000;
const LIMIT: Duration = Duration::from_secs(60);
/// How long an idle process is watched.
const IDLE: Duration = Duration::from_secs(10);

pub fn measure(setting: &Setting) -> Result<Section> {
    let columns = [("ms to /livez", 1), ("ms to the first record", 1), ("idle RSS MiB", 1), ("idle CPU %", 2)];
    let mut section = Section::new("start", "Start, and idle", &columns).about(
        "Milliseconds from exec, with the records already in the topic and a group that nobody was in before; kcat joins a group \
         too (-G, unbuffered), and so does the floor, librdkafka alone. The group's first rebalance is not delayed by the broker here. Idle is ten seconds \
         without a record.",
    );
    let topic = setting.filled("start", 6, RECORDS, "--size 100")?;
    let servers = setting.cluster.bootstrap_servers();
    let (mut live, mut first, mut floor_first, mut kcat_first) = (vec![], vec![], vec![], vec![]);
    for round in 0..=setting.rounds.max(5) {
        let port = ports::free_port()?;
        let ours = consumer(setting, &topic, port);
        let to_live = until_live(setting, &ours, port)?;
        let to_record = until_record(setting, &consumer(setting, &topic, ports::free_port()?))?;
        let to_floor = until_record(setting, &setting.consumer_floor(&topic, RECORDS + 1, 500))?;
        let kcat = setting.rivals.kcat.as_ref().ok().map(|kcat| {
            let kcat = Invocation::new(kcat).args([
                "-b",
                &servers,
                "-J",
                "-q",
                "-u",
                "-X",
                "auto.offset.reset=earliest",
                "-G",
            ]);
            kcat.args([setting.name("group"), topic.clone()])
        });
        let to_kcat = kcat.as_ref().map(|kcat| until_record(setting, kcat)).transpose()?;
        if round == 0 {
            section.commands.extend([ours.shown(&setting.cluster)]);
            section.commands.extend(kcat.map(|kcat| kcat.shown(&setting.cluster)));
            continue;
        }
        live.push(to_live);
        first.push(to_record);
        floor_first.push(to_floor);
        kcat_first.extend(to_kcat);
    }
    let (rss, cpu) = idle(setting, &setting.consumer(&topic, RECORDS + 1))?;
    section.row("kafka-consumer", vec![Spread::of(live), Spread::of(first), Spread::of([rss]), Spread::of([cpu])]);
    section.row("floor", vec![None, Spread::of(floor_first), None, None]);
    section.row("kcat -G", vec![None, Spread::of(kcat_first), None, None]);
    for (what, column, limit) in [("ms from exec to /livez", 0, 30.0), ("MiB of an idle consumer", 2, 16.0)] {
        if let Some(value) = section.median("kafka-consumer", column) {
            section.bars.push(Bar::at_most(what, value, limit));
        }
    }
    if let (Some(ours), Some(kcat)) = (section.median("kafka-consumer", 1), section.median("kcat -G", 1)) {
        section.bars.push(Bar::at_most("ms from exec to the first record, against kcat -G", ours, kcat));
    }
    setting.drop_topic(&topic)?;
    Ok(section)
}

/// Our consumer with a port that we know, in a new group.
fn consumer(setting: &Setting, topic: &str, port: u16) -> Invocation {
    let ours = Invocation::new(&setting.programs.consumer);
    let ours = ours.args(["-b", &setting.cluster.bootstrap_servers(), "-t", topic, "--group", &setting.name("group")]);
    ours.args(["--format", "json", "--listen", &format!("127.0.0.1:{port}")])
}

fn until_live(setting: &Setting, command: &Invocation, port: u16) -> Result<f64> {
    let program = command.program(&setting.cluster).stdout(std::fs::File::create("/dev/null")?);
    let began = Instant::now();
    let _process = program.spawn()?;
    loop {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            let answer = testbed::http::get(format!("127.0.0.1:{port}").as_str(), "/livez")?;
            ensure!(answer.status == 200, "/livez says {}", answer.status);
            return Ok(began.elapsed().as_secs_f64() * 1e3);
        }
        ensure!(began.elapsed() < LIMIT, "no answer from /livez");
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn until_record(setting: &Setting, command: &Invocation) -> Result<f64> {
    let (mut reader, writer) = pipe()?;
    let program = command.program(&setting.cluster).stdout(writer);
    let began = Instant::now();
    let process = program.spawn()?;
    let read = reader.read(&mut [0; 1])?;
    let took = began.elapsed().as_secs_f64() * 1e3;
    ensure!(read == 1, "no record came: {}", process.stderr());
    Ok(took)
}

/// Memory and percent of a core.
pub fn idle(setting: &Setting, command: &Invocation) -> Result<(f64, f64)> {
    let program = command.program(&setting.cluster).stdout(std::fs::File::create("/dev/null")?);
    let process: Process = program.spawn()?;
    process.wait_for_stderr_event("ready", LIMIT)?;
    // The backlog, if there is one, is read by then.
    std::thread::sleep(Duration::from_secs(3));
    let (before, began) = (cpu_so_far(process.pid())?, Instant::now());
    std::thread::sleep(IDLE);
    let cpu = (cpu_so_far(process.pid())? - before) / began.elapsed().as_secs_f64();
    let rss = memory(process.pid(), "VmRSS").context("the process is gone")?;
    Ok((mib(rss), cpu * 100.0))
}
