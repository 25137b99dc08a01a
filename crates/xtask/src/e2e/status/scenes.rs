//! What must hold of the page in a browser.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::stage::{SIZE, Stage};
use crate::e2e::suite::Scenario;

pub(super) const SCENARIOS: [Scenario<Stage>; 6] = [
    Scenario {
        name: "status-moves",
        claim: "the numbers move while records arrive, without a reload, and end at what was published",
        run: moves,
    },
    Scenario { name: "status-same", claim: "the script writes every number and row as the server does", run: same },
    Scenario {
        name: "status-closed",
        claim: "the page violates its policy nowhere and asks no other host; what breaks the policy is blocked and noticed",
        run: closed,
    },
    Scenario {
        name: "status-without-script",
        claim: "the page is complete where scripts are off",
        run: without_script,
    },
    Scenario { name: "status-picture", claim: "the page is shown under load, light and dark", run: picture },
    Scenario { name: "status-gone", claim: "the page says so when the process has ended", run: gone },
];

/// How long something may take to be on the page: its script asks every two seconds.
const SHOWN: Duration = Duration::from_secs(30);
/// At most so large, as it lies in the repository.
const PICTURE_BYTES: usize = 150 * 1000;

/// The number in the element with this id.
fn number(id: &str) -> String {
    format!("Number(document.getElementById('{id}').textContent.replaceAll(',', ''))")
}

fn total(stage: &mut Stage) -> Result<u64> {
    stage.browser.evaluate(&number("total"))?.as_u64().context("no total")
}

fn moves(stage: &mut Stage) -> Result<String> {
    const MESSAGES: u64 = 3000;
    stage.open()?;
    let first = total(stage)?;
    stage.browser.evaluate("window.stays = true")?;
    let producer = stage.start_to_publish(MESSAGES, 300)?;
    let (mut seen, mut rates) = (vec![first], 0);
    while seen.last().is_some_and(|last| *last < first + MESSAGES) {
        let last = seen.last().copied().unwrap_or(first);
        let is_more = |value: &Value| value.as_u64().is_some_and(|value| value > last);
        let next = stage.browser.wait_for(&number("total"), SHOWN, is_more)?;
        seen.extend(next.as_u64());
        rates += u32::from(stage.browser.evaluate(&number("rate"))?.as_f64() > Some(0.0));
    }
    producer.wait(SHOWN)?.expect_code(0)?;
    ensure!(seen.last() == Some(&(first + MESSAGES)), "{seen:?}");
    ensure!(seen.len() > 3 && rates > 1, "it hardly moved: {seen:?}, {rates} rates");
    ensure!(stage.browser.evaluate("window.stays")? == true, "the page was loaded again");
    Ok(format!("{} steps to {} records", seen.len() - 1, first + MESSAGES))
}

/// What of the page does not change with the time, as the script has written it and as the server does now.
const BOTH: &str = "(async () => {
    const text = await (await fetch('/')).text();
    const served = new DOMParser().parseFromString(text, 'text/html');
    const ids = ['live', 'ready', 'reason', 'rate', 'lag', 'total', 'assigned', 'more', 'p50', 'p99', 'partitions', 'brokers', 'errors', 'spans'];
    const of = (page, id) => { const one = page.getElementById(id); return id + ' ' + one.className + ' ' + one.innerHTML; };
    const kinds = page => 'kinds ' + [...page.querySelectorAll('#rebalances .tag')].map(tag => tag.textContent);
    return [document, served].map(page => ids.map(id => of(page, id)).concat(kinds(page)));
})()";

fn same(stage: &mut Stage) -> Result<String> {
    stage.publish(1000, 1000)?;
    stage.open()?;
    stage.browser.evaluate("document.getElementById('partitions').replaceChildren()")?;
    let is_same = |both: &Value| both[0] == both[1] && both[0].as_array().is_some_and(|list| !list.is_empty());
    // Round trips change with each statistics: it may take a few looks.
    let both = stage.browser.wait_for(BOTH, SHOWN * 2, is_same)?;
    let partitions = both[0].to_string().matches("<tr>").count();
    ensure!(partitions > 8, "the script has written no rows: {both}");
    Ok(format!("{} places and {partitions} rows", both[0].as_array().map_or(0, Vec::len)))
}

fn closed(stage: &mut Stage) -> Result<String> {
    let url = stage.url()?;
    stage.open()?;
    let updates = "performance.getEntriesByName(new URL('status.json', location.href).href).length";
    stage.browser.wait_for(updates, SHOWN, |count| count.as_u64() >= Some(3))?;
    let complaints = stage.browser.complaints()?;
    ensure!(complaints.is_empty(), "{}", complaints.join("\n"));
    let requests = stage.browser.requests()?;
    ensure!(requests.len() > 3 && requests.iter().all(|asked| asked.starts_with(&url)), "{requests:?}");
    // That each of these is seen shows that nothing of the kind was overlooked before.
    for (what, directive) in [
        ("document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:1/x.png' }))", "img-src"),
        ("document.body.setAttribute('style', 'color: red')", "style-src-attr"),
        (
            "document.body.append(Object.assign(document.createElement('script'), { text: 'window.ran = true' }))",
            "script-src-elem",
        ),
        ("fetch('http://127.0.0.1:1/').catch(() => 0)", "connect-src"),
    ] {
        stage.browser.evaluate(&format!("{{ {what}; 0 }}"))?;
        let noticed = format!("violations.some(one => one.startsWith('{directive} '))");
        stage.browser.wait_for(&noticed, SHOWN, |noticed| *noticed == true)?;
    }
    ensure!(stage.browser.evaluate("window.ran")?.is_null(), "a script that was put into the page ran");
    ensure!(!stage.browser.complaints()?.is_empty(), "what was blocked was not noted");
    Ok(format!("{} requests, all to the process; 4 violations made by hand were blocked", requests.len()))
}

fn without_script(stage: &mut Stage) -> Result<String> {
    stage.publish(500, 1000)?;
    let logged = stage.consumer()?;
    logged.wait_for_metric("kafka_consumer_assigned_partitions", SHOWN, |assigned| assigned == 8.0)?;
    stage.browser.scripts(false)?;
    let shown = stage.open().and_then(|()| stage.browser.html());
    stage.browser.scripts(true)?;
    let html = shown?;
    let rows = html.matches("<td>orders</td>").count();
    ensure!(rows == 8, "{rows} partitions are shown\n{html}");
    ensure!(html.contains("http-equiv=\"refresh\""), "it does not renew itself");
    let records = html.split_once("id=\"total\">").and_then(|(_, rest)| rest.split_once('<')).context("no total")?.0;
    ensure!(records != "0", "nothing is logged\n{html}");
    Ok(format!("{records} records and {rows} partitions"))
}

fn picture(stage: &mut Stage) -> Result<String> {
    stage.open()?;
    for (messages, rate) in [(4000, 800), (9000, 1500)] {
        stage.publish(messages, rate)?;
    }
    let producer = stage.start_to_publish(45_000, 2500)?;
    stage.visit()?;
    // The lines are read more slowly than they come: a backlog.
    stage.slow_down(Duration::from_millis(70));
    producer.wait(SHOWN * 2)?.expect_code(0)?;
    stage.browser.wait_for(&number("lag"), SHOWN, |lag| lag.as_u64() > Some(0))?;
    let height = stage.browser.evaluate("document.documentElement.scrollHeight")?;
    let height = height.as_u64().and_then(|height| height.try_into().ok()).context("the page has no height")?;
    stage.browser.size(SIZE.0, height)?;
    let mut taken = Vec::new();
    for scheme in ["dark", "light"] {
        stage.browser.color_scheme(scheme)?;
        let picture = stage.browser.picture()?;
        ensure!(picture.len() <= PICTURE_BYTES, "the picture has {} bytes", picture.len());
        taken.push(picture);
    }
    ensure!(taken[0] != taken[1], "light and dark look the same");
    let light = taken.pop().context("no picture")?;
    fs::write(&stage.picture, &light).with_context(|| stage.picture.display().to_string())?;
    stage.slow_down(Duration::ZERO);
    stage.browser.wait_for(&number("lag"), SHOWN, |lag| *lag == 0)?;
    Ok(format!("{} of {} by {} pixels, {} bytes", stage.picture.display(), SIZE.0, height, light.len()))
}

fn gone(stage: &mut Stage) -> Result<String> {
    stage.open()?;
    stage.end_consumer()?.expect_code(0)?;
    let note = "document.getElementById('stale').hidden ? '' : document.getElementById('stale').textContent";
    let said = stage.browser.wait_for(note, SHOWN, |said| said.as_str().is_some_and(|said| !said.is_empty()))?;
    Ok(said.as_str().unwrap_or_default().to_owned())
}
