// What the other modules build the page with. Text goes in as text alone: names and reasons come from clients.

// el makes an element. Children that are not elements become text.
export function el(name, props = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === false) continue;
    if (key === "on") for (const [type, f] of Object.entries(value)) e.addEventListener(type, f);
    else if (key === "class") e.className = value;
    else if (key in e) e[key] = value;
    else e.setAttribute(key, value);
  }
  e.append(...children.flat().filter((c) => c !== undefined && c !== null && c !== false).map((c) => (c instanceof Node ? c : String(c))));
  return e;
}

export const $ = (id) => document.getElementById(id);

// table fills a table. A column is [title, cell, class]; cell makes what stands in it from a row.
export function table(at, columns, rows, none) {
  const head = el("thead", {}, el("tr", {}, columns.map(([title, , c]) => el("th", { class: c ?? "", scope: "col" }, title))));
  const body = el("tbody", {}, rows.map((row) => el("tr", {}, columns.map(([, cell, c]) => el("td", { class: c ?? "" }, cell(row))))));
  if (rows.length === 0) body.append(el("tr", {}, el("td", { class: "none", colSpan: columns.length }, none)));
  at.replaceChildren(head, body);
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat("en");

export const count = (n) => (n < 10000 ? whole.format(Math.round(n)) : compact.format(n));
export const rate = (n) => (n === undefined ? "–" : n > 0 && n < 10 ? n.toFixed(1) : count(n));

export function bytes(n) {
  if (n === undefined) return "–";
  let unit = 0;
  for (; n >= 1024 && unit < 4; unit++) n /= 1024;
  return `${unit > 0 && n < 10 ? n.toFixed(1) : Math.round(n)} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}

export function seconds(s) {
  if (s === undefined) return "–";
  if (s === 0) return "0";
  if (s < 0.001) return `${Math.round(s * 1e6)} µs`;
  if (s < 1) return `${s < 0.01 ? (s * 1000).toFixed(1) : Math.round(s * 1000)} ms`;
  if (s < 120) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}

export const ago = (time) => seconds(Math.max(0, (Date.now() - new Date(time).getTime()) / 1000));

let hiding;
export function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => ($("toast").hidden = true), 5000);
}
