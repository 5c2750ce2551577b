// One room or one connection.
import { $, ago, bytes, count, el, table } from "./dom.js";
import { get, tailURL } from "./api.js";
import { connColumns, roomLink } from "./lists.js";
import { disconnect, publish, remove, send } from "./actions.js";

const KEPT = 200; // lines of a tail

let stop = () => {};

// close ends what a detail has begun.
export function close() {
  stop();
  stop = () => {};
}

const facts = (list) => el("dl", { class: "facts card" }, list.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
const button = (text, f) => el("button", { class: "danger", on: { click: f } }, text);

const removal = (c, room) => el("button", { class: "small danger", on: { click: () => remove(c, room) } }, "Remove…");

// every asks now and every two seconds, until the detail is closed.
function every(ask, note) {
  const gone = new AbortController();
  let timer;
  const again = async () => {
    try {
      if (!document.hidden) await ask(gone.signal);
    } catch (error) {
      if (!gone.signal.aborted) note.textContent = error.message;
    }
    if (!gone.signal.aborted) timer = setTimeout(again, 2000);
  };
  void again();
  return () => {
    gone.abort();
    clearTimeout(timer);
  };
}

export function showRoom(name, about) {
  close();
  const numbers = el("div"), members = el("table"), note = el("p", { class: "pager" });
  const tail = new Tail("room", name);
  const head = el("div", { class: "title" }, el("h2", {}, name), about.actions && el("p", { class: "buttons" },
    button("Publish…", () => publish(name)), button("Disconnect members…", () => disconnect({ room: name }, `every connection in the room ${name}`))));
  $("detail").replaceChildren(head, numbers, el("h2", {}, "Live tail ", tail.status), tail.lines, el("h2", {}, "Members"), el("div", { class: "scroll" }, members), note);
  const polled = every(async (signal) => {
    const [r, c] = await Promise.all([get("rooms", { room: name }, signal), get("conns", { room: name, limit: 50 }, signal)]);
    const first = r.rooms[0];
    numbers.replaceChildren(facts([
      ["Members", count(r.rooms.reduce((n, x) => n + x.members, 0))], ["On nodes", r.rooms.map((x) => `${x.node} (${count(x.members)})`).join(", ") || "–"],
      ["Rule", first?.rule ?? "–"], ["History", first?.history ? "yes" : "no"], ["Presence", first?.presence ? "yes" : "no"],
    ]));
    const columns = about.actions ? [...connColumns, ["", (x) => removal(x, name)]] : connColumns;
    if (!members.matches(":active, :has(:focus)")) table(members, columns, c.conns, "nobody is in the room");
    note.textContent = c.next ? "these are the first; search connections by room for all" : "";
  }, note);
  stop = () => {
    polled();
    tail.close();
  };
}

// Tail shows what api/tail sends of a room or a connection.
class Tail {
  constructor(by, name) {
    this.lines = el("ol", { class: "tail", tabIndex: 0, "aria-label": by === "room" ? "Live messages" : "Live frames" });
    this.status = el("span", { class: "tag" }, "connecting");
    this.source = new EventSource(tailURL(by, name));
    this.source.onopen = () => this.say("live", "good");
    this.source.onerror = () => this.say(this.source.readyState === EventSource.CLOSED ? "refused" : "reconnecting", "bad");
    this.source.onmessage = (e) => line(this.lines, JSON.parse(e.data));
    this.source.addEventListener("end", (e) => {
      this.close();
      this.say(by === "conn" && JSON.parse(e.data).code === "not_found" ? "ended" : JSON.parse(e.data).message);
    });
  }

  say(text, kind = "") {
    this.status.textContent = text;
    this.status.className = `tag ${kind}`;
  }

  close() { this.source.close(); }
}

// line adds a message of a tail. The list stays where somebody has scrolled to.
function line(lines, m) {
  const low = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 30;
  const text = m.data !== undefined ? (m.binary ? `base64 ${m.data}` : typeof m.data === "string" ? m.data : JSON.stringify(m.data)) : m.cut ? "too large to show" : m.secret ? "has a token: hidden" : m.bytes === 0 ? "" : "payload hidden";
  if (m.missed) lines.append(el("li", {}, el("i", {}, `${count(m.missed)} not shown`)));
  lines.append(el("li", {}, el("time", {}, new Date(m.time).toLocaleTimeString([], { hour12: false })), m.kind && el("b", { class: m.in ? "in" : "out" }, m.in ? "in" : "out"), m.kind && el("i", {}, m.kind), m.offset && el("i", {}, `#${m.offset}`), el("i", {}, bytes(m.bytes)), text));
  while (lines.children.length > KEPT) lines.firstChild.remove();
  if (low) lines.scrollTop = lines.scrollHeight;
}

export function showConn(id, about) {
  close();
  const numbers = el("div"), list = el("p", { class: "rooms" }), note = el("p", { class: "pager" });
  const known = el("span", { class: "buttons" }); // buttons that need to know the connection
  const frames = el("div");
  let tail;
  $("detail").replaceChildren(el("div", { class: "title" }, el("h2", {}, id), about.actions && el("p", { class: "buttons" }, known,
    button("Disconnect…", () => disconnect({ conn: id }, `the connection ${id}`)))), numbers, el("h2", {}, "Rooms"), list, frames, note);
  const polled = every(async (signal) => {
    const c = (await get("conns", { conn: id }, signal)).conns[0];
    if (!c) return (note.textContent = "The connection is gone, or its node does not answer.");
    note.textContent = "";
    if (!frames.hasChildNodes()) showFrames(c);
    if (about.actions && !known.hasChildNodes()) {
      known.append(button("Send…", () => send(c)));
      if (c.user) known.append(button("Disconnect user…", () => disconnect({ user: c.user }, `every connection of ${c.user}`)));
    }
    numbers.replaceChildren(facts([
      ["User", c.user ?? "anonymous"], ["Session", c.session || "–"], ["Node", c.node], ["State", c.state], ["Address", c.addr ?? "–"],
      ["Transport", [c.transport, c.protocol, c.codec, c.compressed && "compressed"].filter(Boolean).join(", ")],
      ["Open for", ago(c.since)], ["Last message", `${ago(c.last_message)} ago`], ["Identity ends", c.identity_expires ? new Date(c.identity_expires).toLocaleString() : "never"],
      ["Received", `${count(c.received_messages)} messages, ${bytes(c.received_bytes)}`], ["Sent", `${count(c.sent_messages)} messages, ${bytes(c.sent_bytes)}`],
      ["Delivered", count(c.delivered)], ["Dropped", count(c.dropped)], ["Conflated", count(c.conflated)],
      ["Backlog", `${count(c.backlog_messages)} messages, ${bytes(c.backlog_bytes)}`], ["Rooms read from history", count(c.replaying)],
    ]));
    const more = c.room_count === 0 ? "none" : c.room_count > c.rooms.length ? `and ${count(c.room_count - c.rooms.length)} more` : "";
    if (!list.matches(":active, :has(:focus)")) list.replaceChildren(...c.rooms.map((r) => el("span", { class: "in" }, roomLink(r), about.actions && removal(c, r))), more);
  }, note);
  // Only the connection's own node sees its frames.
  const showFrames = (c) => {
    frames.append(el("h2", {}, "Live frames "));
    if (c.node !== about.node) return frames.append(el("p", { class: "pager" }, `Open the dashboard of ${c.node} to see them: this is that of ${about.node}.`));
    tail = new Tail("conn", id);
    frames.firstChild.append(tail.status);
    frames.append(tail.lines);
  };
  stop = () => {
    polled();
    tail?.close();
  };
}
