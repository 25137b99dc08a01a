//! Pressure on the admin server: half requests, as many as a machine can make, take nothing from the records, the probes or the
//! way to the brokers.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use testbed::http;
use testbed::process::{Program, Signal, memory};
use testbed::records::{Trickle, client_config};

use crate::support::{Cluster, SOON, Served, TOPIC, numbered, sample, stop, wait_for_records};

/// Half requests in all.
const HALF_REQUESTS: usize = 10_000;
/// Descriptors that this process needs beside them: other tests run in it.
const OTHERS: u64 = 600;
/// Records a second, in bursts.
const RATE: u64 = 2_000;
const BURST: u64 = 20;
const BETWEEN: Duration = Duration::from_millis(10);
/// How long the load runs before, so that memory has its size.
const BEFORE: u64 = 3 * RATE;
/// How many records go by for comparison.
const CALM: u64 = 3 * RATE;
/// What a probe of the manifest has.
const PROBE: Duration = Duration::from_secs(2);
/// Probes that fail one after the other until Kubernetes acts; here they follow each other in milliseconds.
const FAILURES: u32 = 3;
/// How often both probes are asked.
const LOOK: Duration = Duration::from_millis(50);
/// All are closed by then.
const CLOSED: Duration = Duration::from_secs(10);
/// What they may cost.
const MEMORY: u64 = 8 << 20;

/// A connection with the beginning of a request. `None` when there was no place for it: that is the client's own lack.
fn half_request(address: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, SOON).ok()?;
    // It may be closed by now.
    let _ = stream.write_all(b"GET /livez HTTP/1.1\r\nX: ");
    Some(stream)
}

/// Waits until the other side has closed a connection.
fn wait_until_closed(mut stream: TcpStream, deadline: Instant) {
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    stream.set_read_timeout(Some(left)).unwrap();
    match stream.read(&mut [0; 64]) {
        Ok(0) => {}
        Ok(_) => panic!("half a request was answered"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "still open after {CLOSED:?}"),
    }
}

/// How many connections this process can hold at a time: as many as it may raise its limit to.
fn room() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = HALF_REQUESTS as u64 + OTHERS;
    let current = limit.maximum.unwrap_or(u64::MAX).min(wanted).max(limit.current.unwrap_or(u64::MAX));
    setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limit.maximum }).unwrap();
    (current.saturating_sub(OTHERS) as usize).clamp(100, HALF_REQUESTS)
}

/// How many records were logged until now.
fn logged(served: &Served) -> u64 {
    let metrics = served.get("/metrics").body;
    let of = |partition| {
        sample(&metrics, &format!(r#"kafka_consumer_records_total{{partition="{partition}",topic="{TOPIC}"}}"#))
    };
    [0, 1].iter().filter_map(of).sum::<f64>() as u64
}

/// What became of the probes.
#[derive(Debug, Default)]
struct Probes {
    asked: u32,
    /// Without an answer: their own request came later than so many other connections that they lost their place.
    failed: u32,
    failed_in_a_row: u32,
    longest: Duration,
}

/// Asks both probes, again and again.
fn probe(address: SocketAddr, over: &AtomicBool) -> Probes {
    let (mut probes, mut row) = (Probes::default(), 0);
    while !over.load(Ordering::Relaxed) {
        for path in ["/livez", "/readyz"] {
            let began = Instant::now();
            let answer = http::get(address, path);
            probes.asked += 1;
            probes.longest = probes.longest.max(began.elapsed());
            row = if answer.is_ok() { 0 } else { row + 1 };
            probes.failed += u32::from(row > 0);
            probes.failed_in_a_row = probes.failed_in_a_row.max(row);
            if let Ok(answer) = answer {
                assert_eq!(answer.status, 200, "{path}: {}", answer.body);
            }
        }
        thread::sleep(LOOK);
    }
    probes
}

/// Ends the thread beside, also when this one fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What came out of the consumer, and what became of the probes, while something went on.
struct Seen {
    records_a_second: f64,
    probes: Probes,
}

/// Watches the consumer for as long as this takes.
fn watch(served: &Served, meanwhile: impl FnOnce()) -> Seen {
    let (began, before, over) = (Instant::now(), logged(served), AtomicBool::new(false));
    let address = served.address;
    let probes = thread::scope(|scope| {
        let prober = scope.spawn(|| probe(address, &over));
        let ending = Ending(&over);
        meanwhile();
        drop(ending);
        prober.join().unwrap()
    });
    let records_a_second = (logged(served) - before) as f64 / began.elapsed().as_secs_f64();
    Seen { records_a_second, probes }
}

#[test]
fn ten_thousand_half_requests_harm_neither_the_rate_nor_the_probes() {
    let cluster = Cluster::new(2);
    let config = client_config(&cluster.mock.bootstrap_servers());
    let served = Served::start(cluster.member("g")).ready();
    let load = Trickle::bursts(&config, TOPIC, &[0, 1], BURST, BETWEEN).unwrap();
    load.wait_for(BEFORE, SOON).unwrap();
    let rss = || memory(served.process.pid(), "VmRSS").unwrap();
    // A machine that tests more than this is slower than one that does not: it is compared with itself.
    let calm = watch(&served, || {
        let until = load.acknowledged() + CALM;
        load.wait_for(until, SOON).unwrap();
    });

    let (room, before, mut most) = (room(), rss(), 0);
    let pressed = watch(&served, || {
        let mut left = HALF_REQUESTS;
        while left > 0 {
            let wave: Vec<_> = (0..room.min(left)).filter_map(|_| half_request(served.address)).collect();
            assert!(!wave.is_empty(), "no connection could be opened");
            left -= wave.len();
            most = rss().max(most);
            let deadline = Instant::now() + CLOSED;
            wave.into_iter().for_each(|stream| wait_until_closed(stream, deadline));
            most = rss().max(most);
        }
    });

    let (grown, bearable) = (most.saturating_sub(before), PROBE.max(calm.probes.longest * 3));
    assert!(grown <= MEMORY, "{} KiB more", grown / 1024);
    let probes = &pressed.probes;
    assert!(probes.asked > 0 && probes.longest < bearable && probes.failed_in_a_row < FAILURES, "{probes:?}");
    let (now, once) = (pressed.records_a_second, calm.records_a_second);
    assert!(now > once * 0.9, "{now:.0} records a second, and {once:.0} before");
    let sent = load.finish().unwrap();
    wait_for_records(&served.process, sent as usize);
    stop(served.process, Signal::TERM, 0);
}

#[test]
fn half_requests_do_not_take_the_descriptors_that_the_brokers_need() {
    let cluster = Cluster::new(1);
    let binary = env!("CARGO_BIN_EXE_kafka-consumer");
    let program = Program::new("/bin/sh")
        .args(["-c", "ulimit -n 256; exec \"$0\" \"$@\"", binary, "-p", "0", "-b"])
        .arg(cluster.mock.bootstrap_servers());
    let served = Served::start(program).ready();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _ending = Ending(&over);
        // New ones for as long as the brokers are away and come back.
        scope.spawn(|| {
            let mut held = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let new: Vec<_> = (0..330).filter_map(|_| half_request(served.address)).collect();
                drop(std::mem::replace(&mut held, new));
                thread::sleep(LOOK);
            }
        });
        let said = served.process.wait_for_stderr_event("admin_failed", SOON).unwrap();
        assert!(said["message"].as_str().unwrap().contains("more than 64 connections"), "{said}");
        cluster.mock.all_down().unwrap();
        served.wait_for("/readyz", 503, "");
        cluster.mock.all_up().unwrap();
        cluster.produce(&numbered(0..3, 1));
        wait_for_records(&served.process, 3);
        served.wait_for("/livez", 200, "ok");
    });
    stop(served.process, Signal::TERM, 0);
}
