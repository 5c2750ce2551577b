// A line chart of the last two minutes that moves with time: SVG, written by hand.
import { el } from "./dom.js";

const SPAN = 120_000; // ms
const HEIGHT = 130, BOTTOM = 16, TOP = 8;
const still = matchMedia("(prefers-reduced-motion: reduce)");

function svg(name, attributes = {}, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.append(...children);
  return e;
}

// Chart has a line for each name. format makes text of a value.
export class Chart {
  constructor(title, unit, names, format, round = nice) {
    this.round = round;
    this.names = names;
    this.format = format;
    this.points = []; // {t, v: one for each name, undefined for none}
    this.top = 1;
    this.values = names.map(() => el("b"));
    this.rules = [0, 0.5, 1].map(() => ({ line: svg("line", { class: "rule" }), text: svg("text") }));
    this.paths = names.map((_, i) => svg("path", { class: `s${i}` }));
    this.moving = svg("g", {}, ...this.paths);
    this.hair = svg("line", { class: "hair", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
    this.svg = svg("svg", { role: "img", "aria-label": title }, ...this.rules.map((r) => r.line), this.moving, this.hair, ...this.rules.map((r) => r.text));
    this.legend = el("ul", { class: "legend" }, names.map((n, i) => el("li", { class: `s${i}` }, `${n} `, this.values[i])));
    this.element = el("div", { class: "card chart" }, el("div", { class: "head" }, el("h3", {}, title, " ", el("span", { class: "unit" }, unit)), this.legend), this.svg);
    this.svg.addEventListener("pointermove", (e) => this.point(e));
    this.svg.addEventListener("pointerleave", () => this.point());
  }

  add(t, values) {
    this.points.push({ t, v: values });
    while (this.points.length > 2 && this.points[1].t < t - SPAN - 2000) this.points.shift();
    this.draw();
  }

  draw() {
    const width = this.svg.clientWidth;
    if (width === 0 || this.points.length === 0) return;
    this.width = width;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.top = this.round(Math.max(...this.points.flatMap((p) => p.v.filter((v) => v !== undefined)), 0));
    const y = (v) => TOP + (1 - v / this.top) * (HEIGHT - TOP - BOTTOM);
    this.at = this.points.at(-1).t;
    const x = (t) => width + ((t - this.at) / SPAN) * width;
    this.paths.forEach((path, i) => {
      let d = "", pen = false;
      for (const p of this.points) {
        const v = p.v[i];
        if (v !== undefined) d += `${pen ? "L" : "M"}${x(p.t).toFixed(1)} ${y(v).toFixed(1)}`;
        pen = v !== undefined;
      }
      path.setAttribute("d", d);
    });
    this.rules.forEach(({ line, text }, i) => {
      const v = (i / 2) * this.top, at = y(v);
      for (const [key, value] of Object.entries({ x1: 0, x2: width, y1: at, y2: at })) line.setAttribute(key, value);
      text.textContent = i === 0 ? "" : this.format(v);
      text.setAttribute("x", 2);
      text.setAttribute("y", at + 11);
    });
    this.drawn = performance.now();
    this.move();
    if (!this.pointing) this.show(this.points.at(-1));
  }

  // move goes on with time between two values.
  move() {
    if (this.width === undefined) return;
    const late = still.matches ? 1000 : Math.min(performance.now() - this.drawn, 3000);
    this.moving.setAttribute("transform", `translate(${((1000 - late) / SPAN) * this.width} 0)`);
  }

  show(p) {
    this.values.forEach((b, i) => (b.textContent = p.v[i] === undefined ? "–" : this.format(p.v[i])));
  }

  // point shows the values under the pointer.
  point(e) {
    this.pointing = e !== undefined && this.points.length > 0;
    this.hair.setAttribute("visibility", this.pointing ? "visible" : "hidden");
    if (!this.pointing) return this.points.length > 0 && this.show(this.points.at(-1));
    const left = e.clientX - this.svg.getBoundingClientRect().left;
    const t = this.at - (1 - left / this.width) * SPAN;
    this.hair.setAttribute("x1", left);
    this.hair.setAttribute("x2", left);
    this.show(this.points.reduce((best, p) => (Math.abs(p.t - t) < Math.abs(best.t - t) ? p : best)));
  }
}

// binary is a power of two that is not less: for bytes.
export const binary = (v) => 2 ** Math.ceil(Math.log2(Math.max(v, 1024)));

// nice is a round number that is not less.
function nice(v) {
  if (v <= 0) return 1;
  const ten = 10 ** Math.floor(Math.log10(v));
  return [1, 2, 2.5, 5, 10].find((f) => f * ten >= v * 0.999) * ten;
}
