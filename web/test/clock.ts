// A clock that the tests move.

interface Timer {
  at: number;
  order: number;
  f: () => void;
}

const real = { setTimeout, clearTimeout, setImmediate, now: Date.now };

/** Lets everything run that waits for a promise. */
export const settle = (): Promise<void> => new Promise((resolve) => real.setImmediate(resolve));

export class Clock {
  now = 1_000_000;
  #timers = new Map<number, Timer>();
  #last = 0;

  install(): void {
    Date.now = () => this.now;
    globalThis.setTimeout = ((f: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
      const order = ++this.#last;
      this.#timers.set(order, { at: this.now + Math.max(0, ms), order, f: () => f(...args) });
      return order;
    }) as never;
    globalThis.clearTimeout = ((id: number) => void this.#timers.delete(id)) as never;
  }

  uninstall(): void {
    Object.assign(globalThis, { setTimeout: real.setTimeout, clearTimeout: real.clearTimeout });
    Date.now = real.now;
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets time pass. Timers run when they are due. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    await settle();
    for (let t = this.#next(end); t; t = this.#next(end)) {
      this.now = Math.max(this.now, t.at);
      await this.#run(t);
    }
    this.now = end;
    await settle();
  }

  /** Lets time pass during which nothing runs, as in a frozen page. What is due runs at its end, late. */
  async freeze(ms: number): Promise<void> {
    this.now += ms;
    await settle();
    const due = [...this.#timers.values()].filter((t) => t.at <= this.now).sort((a, b) => a.at - b.at);
    for (const t of due) if (this.#timers.has(t.order)) await this.#run(t);
  }

  #next(end: number): Timer | undefined {
    return [...this.#timers.values()].filter((t) => t.at <= end).sort((a, b) => a.at - b.at || a.order - b.order)[0];
  }

  async #run(t: Timer): Promise<void> {
    this.#timers.delete(t.order);
    t.f();
    await settle();
  }
}
