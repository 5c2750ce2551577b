// Who is in the room: the server's answer to "presence", and the joins and leaves since it was asked.
import { hue } from "./log.js";

export class People {
  #list;
  #count;
  #members = new Map(); // connection -> name
  #since = null; // changes since the question, while its answer is under way
  #asked = 0;

  constructor(list, count) {
    this.#list = list;
    this.#count = count;
  }

  // ask takes the promise of what room.presence() answers.
  ask(answer) {
    const asked = ++this.#asked;
    this.#since = [];
    answer.then(
      ({ members }) => {
        if (asked !== this.#asked) return;
        const since = this.#since;
        this.#since = null;
        this.#members = new Map(members.map((m) => [m.conn, nameOf(m)]));
        for (const [member, here] of since) this.#apply(member, here);
        this.#show();
      },
      () => {}, // Asked again after the next reconnect.
    );
  }

  change(member, here) {
    this.#since?.push([member, here]);
    this.#apply(member, here);
    this.#show();
  }

  // stale says that changes do not arrive for now.
  stale() {
    this.#list.classList.add("stale");
  }

  clear() {
    this.#asked++;
    this.#since = null;
    this.#members.clear();
    this.#show();
  }

  #apply(member, here) {
    if (here) this.#members.set(member.conn, nameOf(member));
    else this.#members.delete(member.conn);
  }

  // One entry per name, with how often it is here.
  #show() {
    const times = new Map();
    for (const name of this.#members.values()) times.set(name, (times.get(name) ?? 0) + 1);
    const names = [...times.keys()].sort((a, b) => a.localeCompare(b));
    this.#list.classList.remove("stale");
    this.#list.replaceChildren(
      ...names.map((name) => {
        const item = document.createElement("li");
        item.style.setProperty("--hue", hue(name));
        item.textContent = times.get(name) > 1 ? `${name} ×${times.get(name)}` : name;
        return item;
      }),
    );
    this.#count.textContent = names.length || "";
  }
}

function nameOf({ conn, user, info }) {
  return (typeof info?.name === "string" && info.name) || user || conn;
}
