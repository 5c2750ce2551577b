// Checks the built site: every link to a page of it finds the page, and every fragment its heading. "npm run build" runs it.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const dist = join(dirname(fileURLToPath(import.meta.url)), ".vitepress", "dist");
const origin = "https://site.invalid";

const text = (s) => s.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

function pages(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? pages(path) : entry.name.endsWith(".html") ? [path] : [];
  });
}

/** The file that a server of the site answers a path with. */
function file(path) {
  const base = join(dist, decodeURIComponent(path));
  return [base, base + ".html", join(base, "index.html")].find((name) => existsSync(name) && statSync(name).isFile());
}

const ids = new Map();
function idsOf(page) {
  if (!ids.has(page)) ids.set(page, new Set([...readFileSync(page, "utf8").matchAll(/ id="([^"]*)"/g)].map((m) => text(m[1]))));
  return ids.get(page);
}

let fragments = 0;
let faults = 0;
const fault = (page, href, what) => {
  console.error(`${relative(dist, page)}: ${href}: ${what}`);
  faults++;
};
const all = pages(dist).filter((page) => relative(dist, page) !== "404.html");
for (const page of all) {
  const here = `${origin}/${relative(dist, page).replace(/(index)?\.html$/, "")}`;
  for (const [, raw] of readFileSync(page, "utf8").matchAll(/<a\b[^>]*? href="([^"]*)"/g)) {
    const href = text(raw);
    const to = new URL(href, here);
    if (to.origin !== origin) continue;
    const target = file(to.pathname);
    if (!target) {
      fault(page, href, "no such page");
    } else if (to.hash) {
      fragments++;
      if (!idsOf(target).has(decodeURIComponent(to.hash.slice(1)))) fault(page, href, "no such heading");
    }
  }
}
if (all.length < 30 || fragments < 100) {
  console.error(`${all.length} pages with ${fragments} links to headings: is the site still there?`);
  faults++;
}
process.exit(faults ? 1 : 0);
