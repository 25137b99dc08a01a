(() => {
"use strict";
// Writes as text.rs and html.rs do: change both.
const $ = id => document.getElementById(id);
const unknown = "\u2013";
const known = write => value => value === null ? unknown : write(value);
const whole = known(n => Math.max(0, n).toLocaleString("en-US"));
const rate = known(n => n >= 100 ? Math.round(n).toLocaleString("en-US") : n.toFixed(1));
const span = known(s => {
  s = Math.round(s);
  const d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
  return d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : m ? `${m} min ${s % 60} s` : `${s} s`;
});
const short = known(s => s < 0.01 ? Math.round(s * 10000) / 10 + " ms"
  : s < 1 ? Math.round(s * 1000) + " ms" : Math.round(s * 10) / 10 + " s");
const quantile = known(q => ({ below: "< ", about: "", above: "> " })[q.bound] + short(q.seconds));
const set = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; };
const note = (id, text) => { set(id, text); $(id).hidden = !text; };
const make = (name, classes, text) => {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  made.textContent = text;
  return made;
};
const bar = share => {
  const space = "http://www.w3.org/2000/svg", svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 100 1");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const rect = document.createElementNS(space, "rect");
  rect.setAttribute("width", share);
  rect.setAttribute("height", 1);
  svg.append(rect);
  const td = make("td", "bar", "");
  td.append(svg);
  return td;
};
const left = text => make("td", "", text), right = text => make("td", "n", text);
const tag = (good, text) => {
  const td = make("td", "", "");
  td.append(make("span", "tag " + (good ? "good" : "bad"), text));
  return td;
};
const rows = (id, list, cells, empty) => $(id).replaceChildren(...(list.length ? list.map(cells) : [[make("td", "sub", empty)]])
  .map(cells => { const tr = document.createElement("tr"); tr.append(...cells); return tr; }));
const counts = (id, list) => rows(id, list, c => [left(c.name), right(whole(c.count))], "none");
const pill = (id, told, word) => {
  set(id, told.ok ? word : "not " + word);
  $(id).className = "pill " + (told.ok ? "good" : "bad");
};
const curve = (history, step) => {
  const peak = Math.max(1, ...history);
  const last = history.length - 1;
  const points = history.map((v, i) => `${(i * 300 / last).toFixed(1)},${(78 - v / peak * 74).toFixed(1)}`);
  const line = last > 0 ? "M" + points.join(" ") : "";
  $("line").setAttribute("d", line);
  $("area").setAttribute("d", line && `${line} V80 H0Z`);
  set("from", span(Math.max(0, last) * step) + " ago");
  set("peak", rate(Math.max(0, ...history)));
};
const show = f => {
  pill("live", f.live, "live");
  pill("ready", f.ready, "ready");
  note("reason", f.live.reason ?? f.ready.reason ?? "");
  set("rate", rate(f.records.per_second));
  set("rate_1m", rate(f.records.per_second_1m));
  set("rate_5m", rate(f.records.per_second_5m));
  curve(f.records.history, f.records.history_step_seconds);
  set("p50", quantile(f.latency.p50));
  set("p99", quantile(f.latency.p99));
  set("lag", whole(f.lag_records));
  set("total", whole(f.records.total));
  set("uptime", span(f.uptime_seconds));
  set("assigned", whole(f.assigned_partitions));
  const most = Math.max(1, ...f.partitions.map(p => p.lag_records ?? 0));
  rows("partitions", f.partitions, p => [left(p.topic), right(String(p.partition)), right(whole(p.next_offset)), right(rate(p.records_per_second)),
    right(whole(p.lag_records)), bar(Math.round((p.lag_records ?? 0) / most * 100)), right(span(p.lag_seconds))], "none assigned");
  set("more", f.partitions_left_out ? `and ${whole(f.partitions_left_out)} more, none of them with more lag` : "");
  rows("rebalances", f.rebalances, r => {
    const when = make("time", "", span(r.seconds_ago) + " ago"), td = left("");
    when.dateTime = when.title = r.time;
    td.append(when);
    return [td, tag(r.kind !== "lost", r.kind), right(whole(r.partitions)), right(whole(r.assigned))];
  }, "none");
  rows("brokers", f.brokers, b => [left(b.id), tag(b.up, b.up ? "up" : "down"), right(short(b.p50_seconds)), right(short(b.p99_seconds))], "none known yet");
  counts("commits", f.commits);
  counts("errors", f.errors);
  counts("spans", f.spans);
  $("traces").hidden = !f.spans.length;
};
let since = null;
const update = async () => {
  if (!document.hidden) try {
    const answer = await fetch("status.json", { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.json());
    since = null;
    note("stale", "");
  } catch {
    since ??= new Date().toLocaleTimeString();
    note("stale", `No answer since ${since}: the process has ended or cannot be reached. The numbers are the last that came.`);
  }
  setTimeout(update, 2000);
};
setTimeout(update, 2000);
})();
