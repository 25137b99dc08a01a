//! `docs/images/trace.png`: one message's trace, drawn from what Jaeger answers. Jaeger's own page is not part of its Go module, so
//! this is a drawing of its answer and not a picture of its page.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use testbed::process::Program;

use super::bench::Bench;
use super::traces::{messages, tag};
use crate::manifests::set::{list_at, text};
use crate::programs;

const PICTURE: &str = "docs/images/trace.png";
/// Of the picture, in pixels.
const WIDTH: f64 = 1160.0;
/// What is shown of each span.
const TAGS: [&str; 4] =
    ["span.kind", "messaging.destination.name", "messaging.destination.partition.id", "messaging.kafka.offset"];
const STYLE: &str = "body{margin:0;font:15px/1.5 sans-serif;color:#1f2430;background:#fff;width:1200px}main{padding:20px}\
    h1{font-size:18px;margin:0 0 2px}p{margin:0 0 14px;color:#5b6270}.axis{position:relative;height:22px;font-size:12px;\
    color:#5b6270;border-bottom:1px solid #ccd}.axis span{position:absolute}.row{position:relative;height:84px;\
    border-bottom:1px solid #eef}.bar{position:absolute;top:34px;height:16px;border-radius:3px;min-width:4px}\
    .name{position:absolute;left:0;top:6px;font-weight:600}.tags{position:absolute;left:0;top:54px;font:12px/1.5 monospace;\
    color:#444b59;width:1160px}.gap{position:absolute;top:33px;height:16px;border-top:1px dashed #889;border-bottom:0;\
    color:#5b6270;font-size:12px;text-align:center}";

/// Draws it and says where.
pub fn draw(bench: &mut Bench) -> Result<String> {
    let (lines, traces) = messages(bench, "orders")?;
    let line = lines.last().context("no record")?;
    let trace = traces.store.trace(text(line, "/trace_id"))?.context("the trace is gone")?;
    let folder = TempDir::new()?;
    let page = folder.path().join("trace.html");
    fs::write(&page, html(&trace)?)?;
    let path = programs::root().join(PICTURE);
    let flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1200,310"];
    let chromium = Program::new("chromium").args(flags).arg(format!("--screenshot={}", path.display()));
    let home = folder.path().join("profile");
    let chromium =
        chromium.arg(format!("--user-data-dir={}", home.display())).arg(format!("file://{}", page.display()));
    chromium.run(Duration::from_secs(60))?.expect_code(0)?;
    let bytes = fs::metadata(&path).with_context(|| format!("{PICTURE} was not written"))?.len();
    ensure!(bytes < 150_000, "{PICTURE} has {bytes} bytes");
    Ok(format!("wrote {PICTURE} ({bytes} bytes)"))
}

/// The spans over a common axis.
fn html(trace: &Value) -> Result<String> {
    let time = |span: &Value, field: &str| span[field].as_f64().unwrap_or_default();
    let mut spans: Vec<&Value> = list_at(trace, "/spans").collect();
    spans.sort_by(|one, other| time(one, "startTime").total_cmp(&time(other, "startTime")));
    let first = spans.first().context("no span")?;
    let start = time(first, "startTime");
    let end = spans.iter().map(|span| time(span, "startTime") + time(span, "duration")).fold(start, f64::max);
    let place = |at: f64| (at - start) / (end - start).max(1.0) * WIDTH;
    let ms =
        |micros: f64| if micros < 1000.0 { format!("{micros:.0} µs") } else { format!("{:.1} ms", micros / 1000.0) };
    let mut body = format!(
        "<h1>{}</h1><p>trace {} · {} spans · {}</p><div class=axis>",
        escaped(text(first, "/operationName")),
        escaped(text(trace, "/traceID")),
        spans.len(),
        ms(end - start)
    );
    for part in 0..5_u8 {
        let at = (end - start) * f64::from(part) / 5.0;
        write!(
            body,
            "<span style='left:{:.0}px'>{}</span>",
            place(start + at),
            if part == 0 { "0".to_owned() } else { ms(at) }
        )?;
    }
    body += "</div>";
    let mut before: Option<f64> = None;
    for (span, color) in spans.iter().zip(["#2f6fde", "#1f9d62"].into_iter().cycle()) {
        let (from, length) = (time(span, "startTime"), time(span, "duration"));
        let service =
            trace["processes"].get(text(span, "/processID")).map_or("", |process| text(process, "/serviceName"));
        write!(
            body,
            "<div class=row><div class=name>{} <span style='color:{color}'>{}</span> · {}</div>",
            escaped(service),
            escaped(text(span, "/operationName")),
            ms(length)
        )?;
        if let Some(before) = before.filter(|before| *before < from) {
            let (left, width) = (place(before), place(from) - place(before));
            write!(
                body,
                "<div class=gap style='left:{left:.0}px;width:{width:.0}px'>in the broker, and waiting for a poll: {}</div>",
                ms(from - before)
            )?;
        }
        write!(
            body,
            "<div class=bar style='left:{:.0}px;width:{:.0}px;background:{color}'></div><div class=tags>",
            place(from).min(WIDTH - 4.0),
            place(from + length) - place(from)
        )?;
        for key in TAGS {
            write!(body, "{key}={} ", escaped(&tag(span, key)))?;
        }
        body += "</div></div>";
        before = Some(from + length);
    }
    Ok(format!("<!doctype html><meta charset=utf-8><style>{STYLE}</style><main>{body}</main>"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
