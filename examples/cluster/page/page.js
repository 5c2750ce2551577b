// The page: one room with history over one WebSocket, made again when it is lost. It needs no SDK; examples/chat
// has the whole protocol.

const ROOM = "board";
const $ = (id) => document.getElementById(id);

let position = null; // of the last message: where to go on from
let received = 0;
let missed = 0;
let tries = 0;

function connect() {
  const ws = new WebSocket(new URL("ws", location.href).href.replace(/^http/, "ws"));
  let node = "";
  ws.onmessage = (e) => {
    const f = JSON.parse(e.data);
    switch (f.op) {
      case "welcome":
        node = f.node;
        tries = 0;
        $("node").textContent = node;
        note(`connected to node ${node}`);
        ws.send(JSON.stringify({ op: "join", id: 1, room: ROOM, ...position }));
        break;
      case "ok":
        position ??= { epoch: f.epoch, offset: f.offset ?? 0 };
        break;
      case "message":
        if (f.epoch === position.epoch) missed += f.offset - position.offset - 1;
        position = { epoch: f.epoch, offset: f.offset };
        received++;
        $("last").textContent = JSON.stringify(f.data);
        $("received").textContent = received;
        $("missed").textContent = missed;
        break;
      case "gap":
        position = { epoch: f.epoch, offset: f.offset };
        note("the history no longer had everything");
        break;
      case "error":
        ws.close(); // and come back
    }
  };
  ws.onclose = (e) => {
    const ms = wait(e.reason);
    $("node").textContent = "…";
    note(`${node ? `node ${node} is lost` : "no connection"} (${e.code}); trying again in ${(ms / 1000).toFixed(1)} s`);
    setTimeout(connect, ms);
  };
}

// wait is when the server wants the page back, or else the backoff of PROTOCOL.md, in milliseconds.
function wait(reason) {
  try {
    const { retry_after_ms: after = 0, spread_ms: spread = 0 } = JSON.parse(reason);
    if (after + spread > 0) return after + Math.random() * spread;
  } catch {
    // No hint.
  }
  return Math.random() * (tries === 0 ? ++tries * 2000 : Math.min(30_000, 500 * 2 ** tries++));
}

function note(text) {
  const line = document.createElement("li");
  line.textContent = `${new Date().toLocaleTimeString()} ${text}`;
  $("log").prepend(line);
  while ($("log").childElementCount > 100) $("log").lastChild.remove();
}

connect();
