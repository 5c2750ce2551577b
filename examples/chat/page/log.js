// The list of messages. It follows the newest one unless its reader has scrolled back.

const MOST = 500; // messages kept in the page

export class Log {
  name = ""; // the reader's own
  #list;
  #latest;
  #pending = new Map(); // id -> item, of messages that were typed here and have not come back

  constructor(list, latest) {
    this.#list = list;
    this.#latest = latest;
    latest.addEventListener("click", () => this.#follow());
    list.addEventListener("scroll", () => {
      if (this.#atEnd()) latest.hidden = true;
    });
    list.setAttribute("aria-busy", "true"); // until the history is there
  }

  // add shows a message; one with state "pending" gives way to itself when it comes from the room.
  add({ name = "", text, at, id }, state = "") {
    if (id && !state) {
      this.#pending.get(id)?.remove();
      this.#pending.delete(id);
    }
    const item = document.createElement("li");
    item.className = "message " + state;
    item.classList.toggle("own", name === this.name);
    item.style.setProperty("--hue", hue(name));
    const by = span("by", name || "someone");
    const body = span("body", text);
    item.append(by, " ", body);
    if (at) item.append(" ", time(at));
    if (state) {
      item.append(" ", span("fate", "sending…"));
      this.#pending.set(id, item);
    }
    this.#put(item, Boolean(state));
  }

  fail(id, why) {
    const item = this.#pending.get(id);
    if (!item) return;
    this.#pending.delete(id);
    item.className = "message own failed";
    item.querySelector(".fate").textContent = `not sent: ${why}`;
  }

  note(text) {
    const item = document.createElement("li");
    item.className = "note";
    item.textContent = text;
    this.#put(item, false);
  }

  // settle says that what comes from now on is new, and worth reading out.
  settle() {
    setTimeout(() => this.#list.removeAttribute("aria-busy"), 500);
  }

  clear() {
    this.#list.replaceChildren();
    this.#list.setAttribute("aria-busy", "true");
    this.#pending.clear();
    this.#latest.hidden = true;
  }

  #put(item, own) {
    const follow = own || this.#atEnd();
    // What is still to be sent comes after all that was.
    const first = own ? null : this.#pending.values().next().value;
    this.#list.insertBefore(item, first ?? null);
    this.#group(item);
    this.#group(item.nextElementSibling);
    while (this.#list.children.length > MOST) this.#list.firstElementChild.remove();
    if (follow) this.#follow();
    else this.#latest.hidden = false;
  }

  // #group hides the name where the message before is by the same person.
  #group(item) {
    const by = (li) => li?.querySelector(".by")?.textContent;
    item?.classList.toggle("again", by(item) !== undefined && by(item) === by(item.previousElementSibling));
  }

  #atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight < 60;
  }

  #follow() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#latest.hidden = true;
  }
}

function span(className, text) {
  const s = document.createElement("span");
  s.className = className;
  s.textContent = text;
  return s;
}

function time(at) {
  const t = document.createElement("time");
  t.dateTime = at.toISOString();
  t.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return t;
}

// hue gives each name a color of its own.
export function hue(name) {
  let h = 7;
  for (const c of name) h = (h * 31 + c.codePointAt(0)) % 360;
  return h;
}
