// The page: what people see of the client in hubkit.js. Everything that comes from others is put in as text,
// never as markup.
import { Client, randomID } from "./hubkit.js";
import { Log } from "./log.js";
import { People } from "./people.js";

const HISTORY = 50; // messages shown to a newcomer

const $ = (id) => document.getElementById(id);
const log = new Log($("log"), $("latest"));
const people = new People($("people"), $("count"));

let client = null;
let name = "";
let room = "";
let countdown;

function enter() {
  const title = $("room").value.trim();
  name = $("name").value.trim();
  room = "chat:" + title;
  remember({ name, room: title });
  history.replaceState(null, "", "#" + encodeURIComponent(title));
  $("title").textContent = title;
  document.title = `${title} – hubkit chat`;
  $("door").hidden = true;
  $("chat").hidden = false;
  $("text").focus();

  const url = new URL("ws", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.search = new URLSearchParams({ name });
  url.hash = "";
  client = new Client(url, {
    state: showState,
    joined: () => {
      log.settle();
      people.ask(client.presence(room));
    },
    message: (_, data) => log.add(readMessage(data)),
    member: (_, member, here) => people.change(member, here),
    gap: () => log.note("Some messages are missing here: the server no longer has them."),
    refused: (_, error) => log.note(`The server does not let you in: ${error.message}`),
  });
  log.name = name;
  client.join(room, HISTORY);
  client.connect();
}

function leave() {
  client.close();
  client = null;
  clearInterval(countdown);
  remember({});
  log.clear();
  people.clear();
  document.title = "hubkit chat";
  $("chat").hidden = true;
  $("door").hidden = false;
  $("name").focus();
}

// readMessage makes the best of what may be any JSON value: other clients write what they like.
function readMessage(data) {
  if (typeof data !== "object" || data === null) return { text: String(data) };
  const { name, text, id } = data;
  const at = new Date(typeof data.at === "number" ? data.at : NaN);
  return {
    name: typeof name === "string" ? name.trim().slice(0, 24) : "",
    text: typeof text === "string" ? text : JSON.stringify(data),
    at: Number.isNaN(at.getTime()) ? undefined : at,
    id,
  };
}

function say() {
  const text = $("text").value.trim();
  if (!text) return;
  const message = { name, text, at: Date.now(), id: randomID() };
  log.add(readMessage(message), "pending");
  // The room brings it back: that is when it counts as said.
  client.publish(room, message, message.id).catch((e) => log.fail(message.id, e.message));
  $("text").value = "";
}

const STATES = {
  connecting: "Connecting…",
  waiting: "Reconnecting…",
  live: "Live",
  stale: "Delayed: the server does not hear the other servers",
  closed: "Disconnected",
};

function showState({ status, until, code, reason }) {
  clearInterval(countdown);
  if (status === "live" && $("state").dataset.status === "stale") people.ask(client.presence(room));
  $("state").dataset.status = status;
  $("status").textContent = STATES[status] + (status === "closed" ? ` (${reason || code})` : "");
  $("countdown").textContent = "";
  if (status === "waiting") {
    people.stale();
    const tick = () => {
      $("countdown").textContent = `in ${Math.max(0, Math.ceil((until - Date.now()) / 1000))} s`;
    };
    countdown = setInterval(tick, 250);
    tick();
  }
}

// A tab that is loaded again goes back to its room.
function remember(what) {
  try {
    sessionStorage.setItem("hubkit-chat", JSON.stringify(what));
  } catch {
    // Some browsers do not let a page keep anything.
  }
}

function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem("hubkit-chat")) ?? {};
  } catch {
    return {};
  }
}

$("enter").addEventListener("submit", (e) => {
  e.preventDefault();
  enter();
});
$("leave").addEventListener("click", leave);
$("say").addEventListener("submit", (e) => {
  e.preventDefault();
  say();
  $("text").focus();
});
$("text").addEventListener("keydown", (e) => {
  if (e.key !== "Enter" || e.shiftKey || e.isComposing) return;
  e.preventDefault();
  say();
});

// The room is in the address, to be passed on.
function roomInAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

const before = remembered();
$("room").value = roomInAddress() || before.room || $("room").value;
$("name").value = before.name ?? "";
if (before.name && $("enter").checkValidity()) enter();
