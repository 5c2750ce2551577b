// The shortest page that reads a room: no SDK, and no reconnect. examples/chat shows that.
const $ = (id) => document.getElementById(id);
let ws;

function listen(user) {
  if (ws) {
    ws.onclose = null;
    ws.close();
  }
  $("orders").replaceChildren();
  ws = new WebSocket(`${location.origin.replace("http", "ws")}/ws`);
  ws.onopen = () => ws.send(JSON.stringify({ op: "join", id: 1, room: `orders:${user}`, history: 20 }));
  ws.onmessage = (e) => {
    const frame = JSON.parse(e.data);
    if (frame.op === "ok" && frame.id === 1) $("status").textContent = `Orders of ${user}, as they come:`;
    if (frame.op === "error") $("status").textContent = frame.message;
    if (frame.op === "message") {
      const item = document.createElement("li");
      item.textContent = `${new Date(frame.data.at).toLocaleTimeString()} ${frame.data.item}`;
      $("orders").append(item);
    }
  };
  ws.onclose = (e) => ($("status").textContent = `Disconnected: ${e.reason || e.code}`);
}

$("login").onsubmit = async (e) => {
  e.preventDefault();
  const user = $("user").value;
  const res = await fetch("login", { method: "POST", body: new URLSearchParams({ user }) });
  if (res.ok) listen(user);
};

$("order").onsubmit = async (e) => {
  e.preventDefault();
  const res = await fetch("orders", { method: "POST", body: JSON.stringify({ item: $("item").value }) });
  if (!res.ok) $("status").textContent = await res.text();
};

$("logout").onclick = () => fetch("logout", { method: "POST" });
