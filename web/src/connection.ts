// One WebSocket after the other: connecting, hello and welcome, heartbeats, pacing, goaway, and coming back.

import { comesBack, createBackoff, parseHint, random } from "./backoff.js";
import { deadline } from "./deadline.js";
import { bytes, HubError } from "./errors.js";
import type { Frame, Limits } from "./frames.js";
import { createPace, helloLimits } from "./pace.js";
import type { Queue, Request } from "./queue.js";
import { HANDSHAKE, LAST_ANSWERS, ONLINE, PING, PONG, QUICK_PONG } from "./times.js";
import type { ConnectOptions, State, WebSocketLike } from "./types.js";

const PROTOCOL = "hubkit.v1";

type Timer = ReturnType<typeof setTimeout> | undefined;

/** What a connection asks of its owner, and tells it. */
export interface Hooks {
  state(state: State): void;
  /** Returns the rooms that the hello names: at most so many, of so many bytes together. */
  names(rooms: number, size: number): unknown[];
  welcome(frame: Frame): void;
  frame(frame: Frame): void;
  /** The connection is lost. */
  lost(): void;
}

export type Connection = ReturnType<typeof createConnection>;

/** Makes the connection to a hub, over all WebSockets. */
export function createConnection(url: URL, options: ConnectOptions, queue: Queue, hooks: Hooks) {
  const backoff = createBackoff();
  const self = {
    state: { status: "idle" } as State,
    /** The server has welcomed the present WebSocket. */
    live: false,
    limits: {} as Limits,
    ticket: undefined as string | undefined,
    session: undefined as unknown,
    /** Something came of this WebSocket that was not there before. */
    progress: false,
    open,
    close,
    reconnect,
    wake,
    network,
    pump,
    /** The server has refused something for the rate: its count is ahead of this one. */
    slowDown(): void {
      pace = createPace(self.limits, false);
    },
  };

  // Of the present attempt.
  let abort = new AbortController();
  let socket: WebSocketLike | undefined;
  let since = 0;
  let greeted = 0; // rooms in the hello
  let pace = createPace({});
  let pending: Request | undefined; // to be sent next
  let pumping: Timer;
  let stop: () => void = Boolean; // ends the deadline of the handshake or the heartbeat
  let interval = PING;
  let heard = 0;
  let alive = false;
  let away = 0; // when to reconnect, by goaway
  let leaving: Timer;

  // Of the next.
  let bare = false; // the next hello names no rooms, for one that did was too large
  let retrying: Timer;
  let due = 0;
  let hinted = false;

  const set = (state: State) => {
    self.state = state;
    hooks.state(state);
  };

  /** Connects, unless that is under way. */
  function open(): void {
    if (!socket && self.state.status !== "connecting") void dial();
  }

  /** Ends it for good. */
  function close(error?: HubError): void {
    forget(error ?? new HubError("closed"), 1000, true);
    set({ status: "closed", error });
  }

  /** Drops the connection, and connects after a time. Infinity waits for wake. */
  function reconnect(after = 0): void {
    if (/idle|closed/.test(self.state.status)) return;
    const error = new HubError("disconnected", "reconnect");
    forget(error, after < Infinity ? undefined : 1000);
    wait(after, error);
  }

  /** The page is back: what is due is done, and a connection that may be dead is asked. */
  function wake(): void {
    if (self.state.status !== "waiting") probe(QUICK_PONG);
    else if (due === Infinity || Date.now() >= due) void dial();
  }

  /** The network is back, or gone. */
  function network(online: boolean): void {
    if (self.state.status !== "waiting") probe(QUICK_PONG);
    else if (online && !hinted) {
      backoff.reset();
      schedule(Math.min(due - Date.now(), random(ONLINE)));
    }
  }

  async function dial(): Promise<void> {
    clearTimeout(retrying);
    const { signal } = (abort = new AbortController());
    stop = deadline(HANDSHAKE, () => lost("no welcome in time"));
    set({ status: "connecting" });
    try {
      // Without a function the WebSocket is there when open returns.
      const token = options.token && !signal.aborted ? await options.token({ signal }) : undefined;
      if (!signal.aborted) connect(token);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof HubError && /^(unauthorized|forbidden)$/.test(error.code)) close(error);
      else lost(String(error));
    }
  }

  function connect(token: string | undefined): void {
    const Class = options.WebSocket ?? WebSocket;
    if (self.ticket) url.searchParams.set("hubkit_resume", self.ticket);
    const ws = (socket = new Class(url.href, PROTOCOL));
    ws.onopen = () => {
      if (ws.protocol !== PROTOCOL) return lost("the server lacks " + PROTOCOL);
      const hello = { op: "hello", token: token || undefined, session: self.session };
      const [rooms, size] = helloLimits(self.limits);
      const resume = hooks.names(bare ? 0 : rooms, size - bytes(JSON.stringify({ ...hello, resume: [] })));
      greeted = resume.length;
      since = Date.now();
      ws.send(JSON.stringify({ ...hello, resume }));
    };
    ws.onmessage = ({ data }: MessageEvent<string>) => {
      heard = Date.now();
      alive = true;
      try {
        receive(JSON.parse(data) as Frame);
      } catch (error) {
        // Callbacks do not throw into here: the frame could not be read.
        lost("broken frame: " + String(error), "frame");
      }
    };
    ws.onclose = async ({ code, reason }: CloseEvent) => {
      // A browser does not show how a handshake was refused. The server answers a question about it, in the form of a close.
      if (!ws.protocol) {
        const question = url.href.replace(/ws(.*?)(\?|$)/, "http$1?hubkit_explain=1&");
        try {
          const answer = await (await fetch(question, { credentials: "include", signal: abort.signal })).text();
          const { close_code } = JSON.parse(answer) as { close_code?: number };
          if (close_code) [code, reason] = [close_code, answer];
        } catch {
          // It does not say.
        }
      }
      if (ws === socket) closed(code, reason);
    };
    ws.onerror = () => {}; // onclose follows
  }

  function receive(frame: Frame): void {
    const { op, retry_after_ms = 0, spread_ms = 0 } = frame;
    if (!self.live) {
      // A close frame follows an error, and says more.
      if (op === "welcome") welcome(frame);
    } else if (op === "stale" || op === "live") {
      set({ ...self.state, status: op === "live" ? "open" : op } as State);
    } else if (op === "goaway") {
      const wait = retry_after_ms + random(spread_ms);
      clearTimeout(leaving);
      away = Date.now() + wait;
      leaving = setTimeout(() => {
        queue.paused = true;
        leaving = setTimeout(goAway, LAST_ANSWERS);
        goIfAnswered();
      }, wait);
    } else {
      pace(0, 0, frame.id);
      hooks.frame(frame);
      goIfAnswered();
    }
  }

  const goAway = () => lost("goaway", "goaway");

  const goIfAnswered = () => {
    if (queue.paused && !queue.sent.size) goAway();
  };

  function welcome(frame: Frame): void {
    const {
      conn,
      node,
      data,
      limits = {},
      ping_ms,
      ticket,
    } = frame as unknown as {
      ticket?: string;
      conn: string;
      node: string;
      data?: unknown;
      limits?: Limits;
      ping_ms?: number;
    };
    self.live = true;
    self.session = frame.session;
    self.ticket = ticket;
    bare = false;
    self.limits = limits;
    queue.largest = limits.message || Infinity;
    pace = createPace(limits);
    if (limits.rate) pace(1 + greeted, 0, 0);
    // A client that lets itself be heard a little more often than the server pings is not pinged.
    interval = (ping_ms || PING) * 0.9;
    pulse();
    hooks.welcome(frame);
    set({ status: "open", conn, node, data });
    pump();
  }

  /** Sends what may be sent now. */
  function pump(): void {
    clearTimeout(pumping);
    while (self.live) {
      let wait = pace(1, pending?.weight ?? 0);
      if (!wait) {
        const next = pending ?? queue.next();
        if (typeof next === "number") wait = next;
        else {
          wait = pace(1, next.weight);
          pending = wait ? next : undefined;
          if (!wait) send(next.body, next.weight, next.op === "publish" ? next.id : 0);
        }
      }
      if (wait) {
        pumping = setTimeout(pump, wait);
        return;
      }
    }
  }

  function send(text: string, size: number, id = 0): void {
    pace(1, size, id);
    // A socket that is closing takes nothing, and the browser would complain: the end follows.
    if (!(socket!.readyState! > 1)) socket!.send(text);
  }

  // Scripts cannot see WebSocket pings: a silent server is asked whether it is there.
  function pulse(): void {
    stop();
    const wait = Math.min(interval, heard + interval - Date.now());
    const timer = setTimeout(() => (wait > 0 ? pulse() : probe(PONG)), wait);
    stop = () => clearTimeout(timer);
  }

  function probe(timeout: number): void {
    if (!self.live) return;
    stop();
    alive = false;
    send('{"op":"ping","id":1}', 20);
    stop = deadline(timeout, () => (alive ? pulse() : lost("no answer to a ping")));
  }

  function closed(code: number, text: string): void {
    const { after, spread, reason } = parseHint(text) ?? { after: 0, spread: 0, reason: text };
    const details = { closeCode: code, retryAfter: after };
    const message = reason || "close code " + code;
    let again = comesBack(code);
    if (code === 1009) {
      if (self.live) again = queue.dropLargest();
      else if (greeted) again = bare = true;
    }
    if (!again) close(new HubError("closed", message, details));
    // A hint of zero is none: all who were told the same would come at once.
    else lost(message, /100[56]/.test("" + code) ? "" : "" + code, after + spread ? after + random(spread) : undefined, details);
  }

  // `reason` names how the connection ended, in the same words each time; it is empty if the network took it.
  function lost(message: string, reason = "", hint?: number, details?: object): void {
    if (self.live) backoff.ended(reason, Date.now() - since, self.progress);
    if (away) hint ??= Math.max(0, away - Date.now());
    hinted = hint !== undefined;
    const error = new HubError("disconnected", message, details);
    forget(error);
    wait(backoff.next(hint), error);
  }

  function wait(after: number, error: HubError): void {
    schedule(after);
    set({ status: "waiting", until: due, error, loop: backoff.loops });
  }

  function schedule(after: number): void {
    clearTimeout(retrying);
    due = Date.now() + after;
    if (after < Infinity) retrying = setTimeout(dial, after);
  }

  // Leaves the attempt behind, whatever becomes of it.
  function forget(why: HubError, code?: number, all?: boolean): void {
    const ws = socket;
    abort.abort();
    stop();
    [pumping, leaving, retrying].forEach(clearTimeout);
    socket = pending = undefined;
    self.live = self.progress = false;
    away = greeted = 0;
    if (ws) {
      ws.onopen = ws.onmessage = ws.onclose = null;
      ws.close(code);
    }
    queue.cut(why, all);
    hooks.lost();
  }

  return self;
}
