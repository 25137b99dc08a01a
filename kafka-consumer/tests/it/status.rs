//! The status page: complete without JavaScript, the same as the metrics, within its limits, and safe to look at.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use testbed::http::Response;
use testbed::otlp::Receiver;
use testbed::process::{Program, Signal, read_slowly};
use testbed::records::NewRecord;

use crate::support::{Cluster, SOON, Served, TOPIC, numbered, stop, wait_for_records};

/// The page without the rows of its tables.
const LIMIT: usize = 32 * 1024;

fn status(served: &Served) -> Value {
    let answer = served.get("/status.json");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    serde_json::from_str(&answer.body).unwrap()
}

/// Waits until the facts are as wanted.
fn wait_for_status(served: &Served, wanted: impl Fn(&Value) -> bool) -> Value {
    let fits = |answer: &Response| serde_json::from_str(&answer.body).is_ok_and(|facts| wanted(&facts));
    let answer = testbed::http::wait_for(served.address, "/status.json", SOON, fits).unwrap();
    serde_json::from_str(&answer.body).unwrap()
}

/// The text of the element with this id.
fn text<'a>(page: &'a str, id: &str) -> &'a str {
    let (_, after) = page.split_once(&format!(" id=\"{id}\"")).unwrap_or_else(|| panic!("no {id}\n{page}"));
    let (_, content) = after.split_once('>').unwrap();
    content.split_once('<').unwrap().0
}

/// The cells of a table's body, without their markup.
fn table(page: &str, id: &str) -> Vec<Vec<String>> {
    let (_, after) = page.split_once(&format!("<tbody id=\"{id}\">")).unwrap_or_else(|| panic!("no {id}\n{page}"));
    let (body, _) = after.split_once("</tbody>").unwrap();
    let cells = |row: &str| row.split("<td").skip(1).map(plain).collect();
    body.split("<tr>").skip(1).map(cells).collect()
}

/// The text between the tags of what follows `<td`.
fn plain(cell: &str) -> String {
    let (_, mut rest) = cell.split_once('>').unwrap();
    let mut text = String::new();
    while let Some((before, tag)) = rest.split_once('<') {
        text += before;
        rest = tag.split_once('>').unwrap().1;
    }
    text + rest
}

/// Asks by this method and returns the head and the body.
fn ask(address: SocketAddr, method: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(format!("{method} {path} HTTP/1.0\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// Three records in partition 0, two in partition 1, all logged and the lag known.
fn five_logged(cluster: &Cluster, group: &str) -> Served {
    five_logged_by(cluster, cluster.member(group))
}

fn five_logged_by(cluster: &Cluster, member: Program) -> Served {
    cluster.produce(&numbered(0..5, 2));
    let flags = ["--statistics-interval", "100ms", "--commit-interval", "100ms"];
    let served = Served::start(member.args(flags)).ready();
    wait_for_records(&served.process, 5);
    for partition in [0, 1] {
        let series = format!(r#"kafka_consumer_lag_records{{partition="{partition}",topic="test"}}"#);
        served.wait_for_metric(&series, Some(0.0));
    }
    served.wait_for_at_least(r#"kafka_consumer_commits_total{result="ok"}"#, 1.0);
    served
}

#[test]
fn the_page_says_without_its_script_what_the_metrics_say() {
    let cluster = Cluster::new(2);
    let served = five_logged(&cluster, "billing");
    let commits = served.metric(r#"kafka_consumer_commits_total{result="ok"}"#).unwrap();
    let page = served.get("/").body;
    let of = |partition: i32, name: &str| {
        let series = format!(r#"kafka_consumer_{name}{{partition="{partition}",topic="test"}}"#);
        served.metric(&series).unwrap().to_string()
    };
    let rows = table(&page, "partitions");
    assert_eq!(rows.len(), 2);
    for (partition, row) in (0..).zip(&rows) {
        // Topic, partition, next offset, rate, lag, bar, how long it lasts. What was logged from 0 on is the next offset.
        assert_eq!((&*row[0], row[1].clone()), (TOPIC, partition.to_string()), "{row:?}");
        assert_eq!(row[2], of(partition, "records_total"), "{row:?}");
        assert_eq!(row[4], of(partition, "lag_records"), "{row:?}");
        assert_eq!((of(partition, "lag_seconds").as_str(), &*row[6]), ("0", "0 s"), "{row:?}");
    }
    assert_eq!((text(&page, "total"), text(&page, "lag"), text(&page, "assigned")), ("5", "0", "2"));
    assert_eq!((text(&page, "live"), text(&page, "ready"), text(&page, "reason")), ("live", "ready", ""));
    let rebalances = table(&page, "rebalances");
    assert!(rebalances[0][0].ends_with(" s ago"), "{rebalances:?}");
    assert_eq!(rebalances[0][1..], ["assign", "2", "2"]);
    let brokers = table(&page, "brokers");
    assert_eq!((brokers.len(), &*brokers[0][0], &*brokers[0][1]), (1, "1", "up"), "{brokers:?}");
    assert!(brokers[0][2].ends_with("ms"), "{brokers:?}");
    let shown = table(&page, "commits");
    assert_eq!((&*shown[0][0], &*shown[1][0]), ("error", "ok"));
    assert!(shown[1][1].parse::<f64>().unwrap() >= commits, "{shown:?}");
    assert_eq!(table(&page, "errors"), [["none"]]);
    assert!(page.contains("group <b>billing</b> · client <b>kafka-consumer</b>"), "{page}");
    let rows: usize = page.match_indices("<tr>").map(|_| 1).sum();
    assert!(page.len() - rows * 100 <= LIMIT, "{} bytes", page.len());
    stop(served.process, Signal::TERM, 0);
}

#[test]
fn the_data_have_the_documented_form() {
    let (cluster, receiver) = (Cluster::new(2), Receiver::start().unwrap());
    let traced = [("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()), ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned())];
    let served = five_logged_by(&cluster, cluster.member("g").envs(traced));
    // For an error to be shown.
    cluster.mock.all_down().unwrap();
    wait_for_status(&served, |facts| facts["ready"]["ok"] == false && facts["errors"][0].is_object());
    cluster.mock.all_up().unwrap();
    let known = [
        "/records/history/0",
        "/partitions/0/records_per_second",
        "/partitions/0/lag_seconds",
        "/partitions/1/lag_seconds",
        "/brokers/0/p99_seconds",
    ];
    let facts = wait_for_status(&served, |facts| {
        let are_known = known.iter().all(|at| facts.pointer(at).is_some_and(Value::is_number));
        // A process span for each record; those of polls and commits come on top.
        are_known && facts["ready"]["ok"] == true && count(&facts["spans"], "exported") >= 5
    });
    let docs = include_str!("../../../docs/telemetry.md");
    let (_, example) = docs.split_once("<!-- status.json -->\n\n```json\n").expect("an example in the docs");
    let documented: Value = serde_json::from_str(example.split_once("```").unwrap().0).unwrap();
    assert_eq!(shape(&facts), shape(&documented), "{facts:#}");
    assert_eq!((&facts["v"], &facts["group"], &facts["client_id"]), (&1.into(), &"g".into(), &"kafka-consumer".into()));
    assert_eq!((&facts["records"]["total"], &facts["records"]["bytes"]), (&5.into(), &5.into()));
    assert_eq!(facts["partitions"][0]["next_offset"], 3);
    assert_eq!(facts["latency"]["p99"]["seconds"].as_f64().map(f64::is_sign_positive), Some(true));
    assert_eq!((count(&facts["spans"], "failed"), count(&facts["spans"], "dropped")), (0, 0), "{facts:#}");
    // Both only grow, and the metrics were read later.
    for (list, metric, label) in [("spans", "spans_total", "result"), ("errors", "client_errors_total", "error")] {
        for shown in facts[list].as_array().unwrap() {
            let series = format!(r#"kafka_consumer_{metric}{{{label}="{}"}}"#, shown["name"].as_str().unwrap());
            let (now, then) = (served.metric(&series), shown["count"].as_f64());
            assert!(then.is_some() && now >= then, "{series} is {now:?}, shown was {then:?}");
        }
    }
    // It must be no way to settings or to what the records hold.
    let all = facts.to_string() + &served.get("/").body;
    assert!(!all.contains(&cluster.mock.bootstrap_servers()), "{all}");
    stop(served.process, Signal::TERM, 0);
}

/// How often the one with this name happened, in a list of counts.
fn count(list: &Value, name: &str) -> u64 {
    let found = list.as_array().and_then(|counts| counts.iter().find(|count| count["name"] == name));
    found.map_or(0, |found| found["count"].as_u64().unwrap())
}

/// Names and types; of a list its first member.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
        Value::Array(list) => Value::Array(list.first().map(shape).into_iter().collect()),
        Value::String(_) => "string".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(_) => "bool".into(),
        Value::Null => Value::Null,
    }
}

#[test]
fn how_long_a_lag_lasts_is_shown() {
    let cluster = Cluster::new(1);
    let (value, hour_ago) = ("x".repeat(4000), SystemTime::now() - Duration::from_secs(3600));
    let sent = i64::try_from(hour_ago.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let record = || NewRecord::value(value.clone()).partition(0).timestamp(sent);
    cluster.produce(&std::iter::repeat_with(record).take(1000).collect::<Vec<_>>());
    // Read so slowly that a lag remains for a while, whose last record logged is an hour old.
    let (reader, writer) = std::io::pipe().unwrap();
    read_slowly(reader, Duration::from_millis(300));
    let served = Served::start(cluster.member("g").args(["--statistics-interval", "1s"]).stdout(writer)).ready();
    let facts = wait_for_status(&served, |facts| facts["partitions"][0]["lag_seconds"].as_f64() > Some(0.0));
    let seconds = facts["partitions"][0]["lag_seconds"].as_f64().unwrap();
    assert!((3600.0..3660.0).contains(&seconds), "{facts:#}");
    let row = &table(&served.get("/").body, "partitions")[0];
    assert_eq!(row[6], "1 h 0 min", "{row:?}");
    assert_ne!(row[4], "0", "{row:?}");
}

#[test]
fn the_headers_let_nothing_in_and_nothing_out() {
    let cluster = Cluster::new(1);
    let served = Served::start(cluster.consumer().args(["-p", "0"])).ready();
    let page = served.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").unwrap();
    let (start, end) = (
        "default-src 'none'; script-src 'sha256-",
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    assert!(policy.starts_with(start) && policy.ends_with(end) && !policy.contains("unsafe"), "{policy}");
    for answer in [&page, &served.get("/status.json")] {
        let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
        let headers = ["x-content-type-options", "cache-control", "referrer-policy"].map(header);
        assert_eq!(headers, ["nosniff", "no-store", "no-referrer"]);
    }
    // Attributes with a style or a handler are refused by the policy: there must be none.
    let markup = page.body.split("<style>").next().unwrap().to_owned() + page.body.split("</style>").nth(1).unwrap();
    let markup = markup.split("<script>").next().unwrap();
    assert!(!markup.contains(" style=") && !markup.contains(" onclick="), "{markup}");
    assert!(page.body.contains("given partitions, no group"));
    stop(served.process, Signal::TERM, 0);
}

#[test]
fn other_methods_and_paths_answer_as_everywhere_and_are_counted_by_route() {
    let cluster = Cluster::new(1);
    let served = Served::start(cluster.consumer().args(["-p", "0"])).ready();
    let count = |path: &str, code: u16| {
        served.metric(&format!(r#"kafka_consumer_http_requests_total{{path="{path}",status="{code}"}}"#))
    };
    assert_eq!((count("/", 200), count("/status.json", 200)), (Some(0.0), Some(0.0)), "known from the start");
    for path in ["/", "/status.json"] {
        let (head, body) = ask(served.address, "HEAD", path);
        assert!(head.starts_with("HTTP/1.0 200") && head.contains("nosniff") && body.is_empty(), "{head}\n{body}");
        assert!(ask(served.address, "POST", path).0.starts_with("HTTP/1.0 405"));
        assert_eq!((count(path, 200), count(path, 405)), (Some(1.0), Some(1.0)), "{path}");
    }
    for path in ["/index.html", "/status.json/", "/?x=1", "/favicon.ico"] {
        let status = served.get(path).status;
        assert_eq!(status, if path.starts_with("/?") { 200 } else { 404 }, "{path}");
    }
    assert_eq!((count("other", 404), count("/", 200)), (Some(3.0), Some(2.0)), "the path as typed is no label");
    stop(served.process, Signal::TERM, 0);
}

#[test]
fn names_that_look_like_markup_are_text() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..1, 1));
    let bad = r#"<img src=x onerror="a">&'"#;
    let program = cluster.member(bad).args(["--client-id", bad, "--statistics-interval", "100ms"]);
    let served = Served::start(program).ready();
    wait_for_records(&served.process, 1);
    let page = served.get("/").body;
    let escaped = "&lt;img src=x onerror=&quot;a&quot;&gt;&amp;&#39;";
    assert!(page.contains(&format!("group <b>{escaped}</b> · client <b>{escaped}</b>")), "{page}");
    assert!(!page.contains("<img"), "{page}");
    assert_eq!(status(&served)["group"], bad);
    // librdkafka does not escape the client id, so it costs the statistics: that is said, once.
    wait_for_status(&served, |facts| facts["errors"][0]["count"].as_u64() > Some(2));
    let outcome = served.process.stop(Signal::TERM, SOON).unwrap().expect_code(0).unwrap();
    let warnings = outcome.events().into_iter().filter(|event| event["event"] == "statistics_unreadable");
    assert_eq!(warnings.count(), 1, "{outcome}");
}

#[test]
fn a_consumer_that_is_not_ready_says_why_and_its_rate_falls_to_zero() {
    let cluster = Cluster::new(2);
    let served = five_logged(&cluster, "g");
    let moving = wait_for_status(&served, |facts| facts["records"]["history"].as_array().is_some_and(|h| h.len() > 1));
    assert!(moving["records"]["per_second_1m"].as_f64() > Some(0.0), "{moving:#}");
    wait_for_status(&served, |facts| facts["records"]["per_second"] == 0.0);
    cluster.mock.all_down().unwrap();
    let facts = wait_for_status(&served, |facts| {
        let is_down = facts["brokers"][0]["up"] == false;
        is_down && facts["ready"]["ok"] == false && facts["errors"][0]["count"].is_u64()
    });
    let reason = facts["ready"]["reason"].as_str().unwrap();
    let page = served.get("/").body;
    assert_eq!(text(&page, "ready"), "not ready");
    assert!(!text(&page, "reason").is_empty() && !reason.is_empty());
    assert!(page.contains("<span class=\"tag bad\">down</span>"), "{page}");
    stop(served.process, Signal::TERM, 0);
}

#[test]
fn of_a_thousand_partitions_the_two_hundred_with_the_most_lag_are_shown() {
    let cluster = Cluster::new(1000);
    let value = "x".repeat(4000);
    let records: Vec<NewRecord> = (0..400).map(|_| NewRecord::value(value.clone()).partition(999)).collect();
    cluster.produce(&records);
    // Read so slowly that a lag remains for a while.
    let (reader, writer) = std::io::pipe().unwrap();
    read_slowly(reader, Duration::from_millis(300));
    let served = Served::start(cluster.member("g").args(["--statistics-interval", "200ms"]).stdout(writer)).ready();
    let facts = wait_for_status(&served, |facts| facts["partitions"][0]["lag_records"].as_i64() > Some(0));
    let lags: Vec<Option<i64>> =
        facts["partitions"].as_array().unwrap().iter().map(|partition| partition["lag_records"].as_i64()).collect();
    assert_eq!(facts["partitions"][0]["partition"], 999);
    assert!(lags.is_sorted_by(|one, other| one >= other), "{lags:?}");
    assert_eq!((lags.len(), &facts["partitions_left_out"]), (200, &800.into()));
    assert_eq!(facts["assigned_partitions"], 1000);
    let page = served.get("/").body;
    assert_eq!(table(&page, "partitions").len(), 200);
    assert_eq!((text(&page, "assigned"), text(&page, "more")), ("1,000", "and 800 more, none of them with more lag"));
    assert!(page.len() <= LIMIT + 200 * 400, "{} bytes", page.len());
}
