// The first view: all nodes together, charts, and the nodes.
import { $, ago, bytes, count, el, rate, seconds, table } from "./dom.js";
import { Chart, binary } from "./chart.js";
import { Figures, span } from "./figures.js";
import { drain } from "./actions.js";

const figures = new Figures();

const charts = {
  messages: new Chart("Messages", "per second", ["from clients", "published", "delivered"], rate),
  latency: new Chart("Publish to socket", `last ${span}`, ["p50", "p99"], seconds),
  conns: new Chart("Connections", "all nodes", ["open"], count),
  bytes: new Chart("Traffic", "per second", ["in", "out"], bytes, binary),
  drops: new Chart("Lost to slow consumers", "per second", ["dropped", "conflated"], rate),
  backlog: new Chart("Backlog", "bytes waiting", ["backlog"], bytes, binary),
};

$("charts").append(...Object.values(charts).map((c) => c.element));
addEventListener("resize", () => Object.values(charts).forEach((c) => c.draw()));
(function frame() {
  if (!$("overview").hidden && !document.hidden) Object.values(charts).forEach((c) => c.move());
  requestAnimationFrame(frame);
})();

const tiles = new Map();
function tile(name, value, note = "") {
  let t = tiles.get(name);
  if (!t) {
    t = { value: el("strong"), note: el("small") };
    tiles.set(name, t);
    $("tiles").append(el("li", { class: "tile" }, el("span", {}, name), t.value, t.note));
  }
  t.value.textContent = value;
  t.note.textContent = note;
}

// redraw is for a view that was hidden.
export const redraw = () => Object.values(charts).forEach((c) => c.draw());

// show takes an answer of api/nodes.
export function show(page, about) {
  const { nodes, all } = figures.add(page);
  const p50 = all.latency.quantile(0.5), p99 = all.latency.quantile(0.99);
  const r = all.rates, max = nodes.reduce((m, n) => m + (n.stats?.conns.max ?? 0), 0);
  tile("Nodes", `${nodes.length}`, page.silent.length > 0 ? `${page.silent.length} silent` : "all answer");
  tile("Connections", count(all.conns), max > 0 ? `of ${count(max)} safe` : "no bound");
  tile("Users", count(all.users), `${count(all.rooms)} rooms on nodes`);
  tile("Delivered", `${rate(r.delivered)}/s`, `${rate(r.published)}/s published`);
  tile("Publish to socket", seconds(p99), `p99 of the last ${span}`);
  tile("Dropped", `${rate(r.dropped)}/s`, `${rate(r.conflated)}/s conflated`);
  tile("Backlog", bytes(all.backlog), `${count(all.slow)} slow consumers`);
  tile("Traffic out", `${bytes(r.bytes_out)}/s`, `${bytes(r.bytes_in)}/s in`);
  const t = page.time_ms;
  charts.messages.add(t, [r.messages_in, r.published, r.delivered]);
  charts.latency.add(t, [p50, p99]);
  charts.conns.add(t, [all.conns]);
  charts.bytes.add(t, [r.bytes_in, r.bytes_out]);
  charts.drops.add(t, [r.dropped, r.conflated]);
  charts.backlog.add(t, [all.backlog]);
  showNodes(nodes, page.silent, about);
}

function state(n) {
  if (n.silent) return el("span", { class: "tag bad" }, "silent");
  if (n.draining) return el("span", { class: "tag warn" }, "draining");
  if (n.stale) return el("span", { class: "tag bad" }, "broker lost");
  return n.ready ? el("span", { class: "tag good" }, "ready") : el("span", { class: "tag warn" }, "not ready");
}

// of shows how much of a maximum is used.
function of(value, max, format = count, full = false) {
  if (!(max > 0)) return format(value);
  return [el("meter", { max, low: max * 0.7, high: max * 0.9, optimum: 0, value, title: `${format(value)} of ${format(max)}` }), full ? `${format(value)} / ${format(max)}` : format(value)];
}

function broker(b) {
  const want = b.subscribing + b.publishing, up = b.subscribing_up + b.publishing_up;
  if (b.stale) return el("span", { class: "tag bad" }, "stale");
  return want === 0 ? "in memory" : el("span", { class: up === want ? "tag good" : "tag warn" }, `${up} of ${want} links`);
}

let opened = ""; // the node whose limits are shown

function showNodes(nodes, silent, about) {
  const s = (f) => (n) => (n.stats ? f(n.stats, n) : "–");
  const columns = [
    ["Node", (n) => (n.stats ? el("a", { href: "#/", on: { click: (e) => { e.preventDefault(); opened = opened === n.node ? "" : n.node; showLimits(nodes); } } }, n.node) : n.node), "name"],
    ["State", state],
    ["Up", (n) => (n.since ? ago(n.since) : "–"), "n"],
    ["Connections", s((x, n) => of(n.conns, x.conns.max, count, true)), "n"],
    ["Delivered/s", (n) => rate(n.rates?.delivered), "n"],
    [`p99, ${span}`, (n) => seconds(n.latency?.quantile(0.99)), "n"],
    [`Ping p50, ${span}`, (n) => seconds(n.trips?.quantile(0.5)), "n"],
    ["Dropped in all", s((x) => count(x.dropped)), "n"],
    ["Backlog", s((x) => bytes(x.backlog_bytes)), "n"],
    ["Broker", s((x) => broker(x.broker))],
    ["Pool", s((x) => (x.pool.workers > 0 ? `${x.pool.running}/${x.pool.workers}, ${x.pool.queued} queued` : "–"))],
    ["Descriptors", s((x) => of(x.descriptors.open, x.descriptors.limit)), "n"],
    ["Held memory", s((x) => of(x.memory.held, x.memory.budget, bytes)), "n"],
  ];
  if (about.actions) columns.push(["", (n) => n.drains && !n.draining && el("button", { class: "small danger", on: { click: () => drain(n.node) } }, "Drain…")]);
  // A button that is about to be pressed must not be replaced under the pointer.
  if (!$("nodes").matches(":active, :has(:focus)")) table($("nodes"), columns, [...nodes, ...silent.map((node) => ({ node, silent: true }))], "no node has answered");
  showLimits(nodes);
}

function showLimits(nodes) {
  const n = nodes.find((x) => x.node === opened);
  if (!n?.stats) return $("limits").replaceChildren();
  const l = n.stats.limits, at = el("table");
  const number = (v) => (v === -1 ? "no limit" : v === -2 ? "unknown" : count(v));
  table(at, [
    ["Limit", (x) => x.name, "name"], ["Value", (x) => x.value, "n"], ["Used", (x) => (x.used < 0 ? "–" : x.unit === "bytes" ? bytes(x.used) : count(x.used)), "n"],
    ["Allows connections", (x) => number(x.allows), "n"], ["", (x) => (x.name === l.binding ? el("span", { class: "tag warn" }, "binds") : "")],
  ], l.limits, "no limits are known");
  $("limits").replaceChildren(el("h2", {}, `Limits of ${n.node}: ${number(l.safe_conns)} more connections are safe`), el("div", { class: "scroll" }, at));
}
