// What the nodes' counters say of a span of time.

const sums = ["messages_in", "bytes_in", "bytes_out", "published", "delivered", "dropped", "conflated", "refused"];

// WINDOW is how far quantiles look back, in milliseconds. Every place that shows one says so.
const WINDOW = 30_000;
export const span = `${WINDOW / 1000} s`;

// Figures keeps the answers of each node for WINDOW, to make rates of counters and quantiles of histograms.
export class Figures {
  past = new Map(); // by node: [{time, since, stats}], oldest first

  // add takes an answer of api/nodes. It returns the nodes with their figures, and what all are together.
  add(page) {
    const all = { conns: 0, rooms: 0, users: 0, backlog: 0, slow: 0, rates: {}, latency: new Counts() };
    const next = new Map();
    const nodes = page.nodes.map((n) => {
      const past = (this.past.get(n.node) ?? []).filter((p) => p.since === n.since && page.time_ms - p.time <= WINDOW);
      next.set(n.node, past);
      const rates = {}, latency = new Counts(), trips = new Counts();
      all.conns += n.conns;
      all.rooms += n.rooms;
      all.users += n.users;
      if (!n.stats) return { ...n, rates, latency, trips };
      all.backlog += n.stats.backlog_bytes;
      all.slow += n.stats.slow_conns;
      const was = past.at(-1);
      if (was && page.time_ms > was.time) {
        const passed = (page.time_ms - was.time) / 1000;
        for (const key of sums) {
          rates[key] = Math.max(0, n.stats[key] - was.stats[key]) / passed;
          all.rates[key] = (all.rates[key] ?? 0) + rates[key];
        }
        latency.add(n.stats.latency, past[0].stats.latency);
        trips.add(n.stats.round_trips, past[0].stats.round_trips);
        all.latency.add(n.stats.latency, past[0].stats.latency);
      }
      past.push({ time: page.time_ms, since: n.since, stats: n.stats });
      return { ...n, rates, latency, trips };
    });
    this.past = next;
    return { nodes, all };
  }
}

// Counts are what came into the buckets of a histogram in a span of time.
class Counts {
  bounds = [];
  counts = [];

  add(now, was) {
    this.bounds = now.bounds;
    now.counts.forEach((c, i) => (this.counts[i] = (this.counts[i] ?? 0) + c - (was.counts[i] ?? 0)));
  }

  // quantile is the bound of the bucket that a quantile is in; undefined without values.
  quantile(q) {
    const total = this.counts.reduce((sum, c) => sum + c, 0);
    if (total === 0) return undefined;
    let rest = q * total;
    for (let i = 0; i < this.counts.length; i++) {
      rest -= this.counts[i];
      if (rest <= 0 && this.counts[i] > 0) return this.bounds[Math.min(i, this.bounds.length - 1)];
    }
    return this.bounds.at(-1);
  }
}
