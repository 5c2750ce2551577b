// The page: which view is shown, and the figures that come each second.
import { connect } from "./hubkit.js";
import { $ } from "./dom.js";
import { get } from "./api.js";
import * as overview from "./overview.js";
import { conns, rooms, setNodes } from "./lists.js";
import { close, showConn, showRoom } from "./detail.js";

let about;
let view = "";

// route shows what the fragment of the address names.
function route() {
  const [kind = "", name = ""] = location.hash.replace(/^#\/?/, "").split(/\/(.*)/s);
  let value = name;
  try {
    value = decodeURIComponent(name);
  } catch {
    // It is shown as it is.
  }
  view = ["rooms", "conns"].includes(kind) ? kind : ["room", "conn"].includes(kind) && value ? "detail" : "overview";
  for (const id of ["overview", "rooms", "conns", "detail"]) $(id).hidden = id !== view;
  for (const a of document.querySelectorAll("nav a")) {
    if (a.dataset.view === view || (view === "detail" && a.dataset.view === `${kind}s`)) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
  close();
  if (view === "overview") overview.redraw();
  if (view === "rooms") void rooms.first();
  if (view === "conns") void conns.first();
  if (view === "detail") (kind === "room" ? showRoom : showConn)(value, about);
  scrollTo(0, 0);
}

function tell(ok, text, trouble = "") {
  $("live").className = `live ${ok ? "ok" : "no"}`;
  $("live").textContent = text;
  $("trouble").textContent = trouble;
  $("trouble").hidden = trouble === "";
}

let last = 0; // the time of the figures that are shown
let heard = -Infinity; // when the feed had figures last

// show takes the figures of all nodes, from the feed or the API.
function show(page, how) {
  if (page.time_ms !== last) {
    last = page.time_ms;
    overview.show(page, about);
    setNodes(page.nodes.map((n) => n.node));
  }
  const trouble = [page.silent.length > 0 && `Nodes that do not answer: ${page.silent.join(", ")}`, page.error && page.error.code !== "no_answer" && page.error.message].filter(Boolean).join(". ");
  tell(true, `${how}, from ${about.node}${about.actions ? "" : ", read-only"}`, trouble);
}

// The feed is a room of the dashboard's own hub. Any token will do: the server asks anew who the page is by its cookies.
const feed = connect("live", { token: () => "again" });
feed.subscribe("nodes", {
  onMessage({ data }) {
    if (!about || document.hidden) return;
    heard = performance.now();
    show(data, "live");
  },
  onError() {}, // tick asks the API meanwhile
});

// A page that nobody sees is fed nothing.
document.addEventListener("visibilitychange", () => (document.hidden ? feed.close() : feed.open()));
if (document.hidden) feed.close();

// tick asks the API each second while the feed is silent: before it is joined, while it reconnects, and if WebSockets are blocked.
async function tick() {
  if (!document.hidden) {
    try {
      about ??= await get("about");
      if (view === "") route();
      if (performance.now() - heard > 3500) {
        const page = await get("nodes");
        if (performance.now() - heard > 3500) show(page, feed.state.status === "open" ? "live" : "reconnecting, asked each second");
        if (feed.state.status === "closed") feed.open(); // it was refused, and would not be now
      }
    } catch (error) {
      tell(false, "not live", `The dashboard cannot be read: ${error.message}.`);
    }
  }
  setTimeout(tick, 1000);
}

let listed = 0;
setInterval(() => {
  listed++;
  if (document.hidden || listed % 3 !== 0) return;
  if (view === "rooms" && !$("room-table").matches(":active, :has(:focus)")) void rooms.again();
  if (view === "conns" && !$("conn-table").matches(":active, :has(:focus)")) void conns.again();
}, 1000);

addEventListener("hashchange", () => about && route());
void tick();
