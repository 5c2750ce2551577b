// The page. Everything that comes from others is put in as text, never as markup.
import { connect } from "./hubkit/hubkit.js";
import { Log } from "./log.js";
import { People } from "./people.js";

const HISTORY = 50; // messages shown to a newcomer
const DROP = 3000; // how long the button keeps the connection away, in milliseconds

const $ = (id) => document.getElementById(id);
const log = new Log($("log"), $("latest"));
const people = new People($("people"), $("count"));

let hub = null;
let room = null;
let name = "";
let recovered = null; // messages since a resume, until the server has answered what was asked behind it
let countdown;

function enter() {
  const title = $("room").value.trim();
  name = $("name").value.trim();
  remember({ name, room: title });
  history.replaceState(null, "", "#" + encodeURIComponent(title));
  $("title").textContent = title;
  document.title = `${title} – hubkit chat`;
  $("door").hidden = true;
  $("chat").hidden = false;
  $("text").focus();
  log.name = name;

  const url = new URL("ws", location.href);
  url.search = new URLSearchParams({ name });
  hub = connect(url, { onState: showState });
  room = hub.subscribe("chat:" + title, {
    history: HISTORY,
    onJoin: ({ resumed }) => joined(resumed),
    onMessage: ({ data }) => {
      if (recovered !== null && data?.name !== name) recovered++;
      log.add(readMessage(data));
    },
    onPresence: (event) => {
      if (event.type !== "changed") people.change(event.member, event.type === "join");
      else setTimeout(askPeople, Math.random() * event.spreadMs, room);
    },
    onGap: () => log.note("Some messages are missing here: the server no longer has them."),
    onError: (error) => log.note(`The server does not let you in: ${error.message}`),
    onLeft: (error) => log.note(`You are no longer in the room: ${error.message}`),
  });
}

// joined says how many messages came because the room was resumed. The server answers in order, so that the answer about the people comes
// behind them.
function joined(resumed) {
  log.settle();
  recovered = resumed ? 0 : null;
  if (resumed) showStatus("recovering");
  askPeople(room).then(() => {
    const n = recovered ?? 0;
    recovered = null;
    if (hub?.state.status !== "open") return;
    showStatus("live");
    if (n > 0) $("status").textContent += `, ${n} ${n === 1 ? "message" : "messages"} recovered`;
  });
}

// askPeople resolves when there is an answer, or never if the connection is lost before: then it is asked again.
function askPeople(of) {
  return new Promise((resolve) => {
    if (of !== room || of.status !== "joined") return;
    const answer = of.presence();
    people.ask(answer);
    answer.then(resolve, () => {});
  });
}

function leave() {
  hub.close();
  hub = room = null;
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
  room.publish(message, { key: message.id }).catch((e) => log.fail(message.id, e.message));
  $("text").value = "";
}

// randomID also works on pages without TLS, where crypto.randomUUID does not exist.
function randomID() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");
}

const STATUS = {
  connecting: "Connecting…",
  waiting: "Reconnecting…",
  recovering: "Recovering…",
  live: "Live",
  stale: "Delayed: the server does not hear the other servers",
  closed: "Disconnected",
};

function showStatus(status) {
  $("state").dataset.status = status;
  $("status").textContent = STATUS[status];
}

function showState({ status, until, error }) {
  clearInterval(countdown);
  $("countdown").textContent = "";
  if (status === "open") {
    // The room says when it is there, unless it has been there all along.
    if (room?.status !== "joined") return;
    askPeople(room);
    return showStatus("live");
  }
  showStatus(status);
  if (status === "closed" && error) $("status").textContent += ` (${error.message})`;
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
$("drop").addEventListener("click", () => hub.reconnect(DROP));
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
