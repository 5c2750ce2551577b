// A page that publishes numbers and notes everything that comes, over reloads too.
// ?sse=1 takes event streams if WebSockets are blocked.
// ?shared=worker and ?shared=tab share one connection. ?ws= is the address of the hub, and ?token= that of the tokens.
const params = new URLSearchParams(location.search);
const shared = params.get("shared");
const tokens = params.get("token");
const { connect, persist } = await import(shared ? "/hubkit/shared.js" : "/hubkit/hubkit.js");

const sse = params.get("sse") && (await import("/hubkit/sse.js")).sse({ events: "/events", post: "/post" });

const list = document.querySelector("ul");
document.querySelector("button").onclick = ({ timeStamp }) => {
  // From when the browser took the click until the next frame is painted.
  requestAnimationFrame(() => setTimeout(() => page.clicks.push(performance.now() - timeStamp)));
};

const room = decodeURIComponent(location.hash.slice(1));
const kept = JSON.parse(sessionStorage.getItem("page") ?? "{}");
const page = {
  id: kept.id ?? Math.random().toString(36).slice(2),
  sent: kept.sent ?? 0, // numbers given out
  settled: kept.settled ?? 0, // of them, those whose outcome is known
  failed: kept.failed ?? [],
  got: kept.got ?? [], // [publisher, number] in their order
  gaps: kept.gaps ?? [],
  states: [],
  tokens: 0, // that were accepted by the page
  clicks: [], // how long each took to be answered, in milliseconds
};
addEventListener("pagehide", () => {
  const { id, sent, settled, failed, got, gaps } = page;
  sessionStorage.setItem("page", JSON.stringify({ id, sent, settled, failed, got, gaps }));
});

const hub = connect(params.get("ws") ?? "/ws", {
  ...(shared === "tab" && { worker: false }),
  ...(tokens && {
    async token({ signal }) {
      const answer = await fetch(tokens, { signal });
      if (!answer.ok) throw new Error("no token: " + answer.status);
      page.tokens++;
      return answer.text();
    },
  }),
  ...(sse && { WebSocket: sse }),
  store: persist(sessionStorage),
  onState: ({ status, error }) => page.states.push(status + (error ? ` (${error.message})` : "")),
});
hub.subscribe(room, {
  onMessage({ data }) {
    page.got.push(data);
    list.append(Object.assign(document.createElement("li"), { textContent: JSON.stringify(data) }));
    while (list.children.length > 100) list.firstChild.remove();
  },
  onGap: (gap) => page.gaps.push(gap),
});

// Beside a stream, publications go one after the other: at most so many wait for their answers.
const AHEAD = sse ? 20 : Infinity;

let timer;
page.hub = hub;
page.start = (ms) => {
  timer = setInterval(() => {
    if (page.sent - page.settled - page.failed.length >= AHEAD) return;
    const n = ++page.sent;
    hub.publish(room, [page.id, n]).then(
      () => page.settled++,
      (error) => page.failed.push(`${n}: ${error.code}`),
    );
  }, ms);
};
// Publishes what comes behind everything else.
page.mark = () => void hub.publish(room, ["mark", 0]);
if (shared === "tab") {
  // Whether this page holds the connection of all: locks say whose they are.
  let own;
  await new Promise((held) => navigator.locks.request(page.id, ({ name }) => (held(name), new Promise(() => {}))));
  page.leads = async () => {
    const { held } = await navigator.locks.query();
    own ??= held.find(({ name }) => name === page.id).clientId;
    return held.some(({ name, clientId }) => name.startsWith("hubkit/1 ") && clientId === own);
  };
}
page.stop = () => clearInterval(timer);
window.page = page;
