// Rooms and connections, in pages.
import { $, ago, bytes, count, el, table } from "./dom.js";
import { get } from "./api.js";

export const roomLink = (name) => el("a", { href: `#/room/${encodeURIComponent(name)}` }, name);
export const connLink = (id) => el("a", { href: `#/conn/${encodeURIComponent(id)}` }, id);

export const connColumns = [
  ["Connection", (c) => connLink(c.id), "name"],
  ["User", (c) => c.user ?? "–", "name"],
  ["Node", (c) => c.node, "name"],
  ["Address", (c) => c.addr ?? "–"],
  ["State", (c) => c.state],
  ["Open", (c) => ago(c.since), "n"],
  ["Silent", (c) => ago(c.last_message), "n"],
  ["Rooms", (c) => count(c.room_count), "n"],
  ["Delivered", (c) => count(c.delivered), "n"],
  ["Dropped", (c) => count(c.dropped), "n"],
  ["Backlog", (c) => bytes(c.backlog_bytes), "n"],
];

const roomColumns = [
  ["Room", (r) => roomLink(r.name), "name"],
  ["Node", (r) => r.node, "name"],
  ["Members", (r) => count(r.members), "n"],
  ["Rule", (r) => r.rule ?? "–"],
  ["History", (r) => (r.history ? "yes" : "–")],
  ["Presence", (r) => (r.presence ? "yes" : "–")],
];

// List is one of the two: what it asks for, and where it shows it.
class List {
  constructor(name, items, columns, query, none) {
    Object.assign(this, { name, items, columns, query, none, after: "", asked: 0 });
    $(`${name}-search`).addEventListener("submit", (e) => {
      e.preventDefault();
      this.first();
    });
    for (const id of [`${name}-node`, `${name}-order`]) $(id).addEventListener("change", () => this.first());
    $(`${name}-next`).addEventListener("click", () => this.load(this.next));
  }

  first() { return this.load(""); }

  // again loads what is shown anew, unless somebody reads further pages.
  again() { return this.after === "" ? this.first() : undefined; }

  async load(after) {
    const asked = ++this.asked;
    const note = $(`${this.name}-note`);
    try {
      const page = await get(`${this.name}s`, { ...this.query(), node: $(`${this.name}-node`).value, limit: 50, after });
      if (asked !== this.asked) return;
      this.after = after;
      this.next = page.next ?? "";
      table($(`${this.name}-table`), this.columns, page[this.items], this.next ? "none on this page" : this.none);
      $(`${this.name}-next`).hidden = this.next === "";
      note.textContent = [`${count(page[this.items].length)} shown`, page.silent?.length > 0 && `silent: ${page.silent.join(", ")}`, page.error?.message].filter(Boolean).join(" · ");
    } catch (error) {
      if (asked === this.asked) note.textContent = error.message;
    }
  }
}

export const rooms = new List("room", "rooms", roomColumns, () => ({
  contains: $("room-contains").value, largest: $("room-order").value === "largest" ? 1 : "",
}), "no room with members matches");

export const conns = new List("conn", "conns", connColumns, () => ({
  [$("conn-by").value]: $("conn-value").value, slowest: $("conn-order").value === "slowest" && $("conn-value").value === "" ? 1 : "",
}), "no connection matches; with “slowest first”, none has a backlog");

// setNodes fills the choice of nodes.
let known = "";
export function setNodes(names) {
  if (names.join("\n") === known) return;
  known = names.join("\n");
  for (const id of ["room-node", "conn-node"]) {
    const was = $(id).value;
    $(id).replaceChildren(el("option", { value: "" }, "all"), ...names.map((n) => el("option", { value: n }, n)));
    $(id).value = names.includes(was) ? was : "";
  }
}
