import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type MarkdownOptions } from "vitepress";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const repository = "https://github.com/gohubkit/hubkit";

const module = (name: string) => fileURLToPath(import.meta.resolve(name));

// Pages of the site, and what they are called there. All other files of the repository are linked to where it is kept.
const pages: Record<string, string> = {
  "README.md": "index.md",
  "docs/README.md": "docs/index.md",
  "docs/benchmarks/README.md": "docs/benchmarks/index.md",
  "web/README.md": "web/index.md",
  "PROTOCOL.md": "protocol.md",
  "DESIGN.md": "design.md",
  "SECURITY.md": "security.md",
  "CHANGELOG.md": "changelog.md",
  "CONTRIBUTING.md": "contributing.md",
};
const isPage = (file: string) => file in pages || (file.startsWith("docs/") && file.endsWith(".md"));

// VitePress would look for a page behind every link of the Markdown, which is written for the repository.
const links: NonNullable<MarkdownOptions["config"]> = (md) => {
  const open = md.renderer.rules.link_open ?? ((tokens, i, options, _, self) => self.renderToken(tokens, i, options));
  md.core.ruler.push("repository", (state) => {
    const from = dirname(join(root, (state.env as { relativePath: string }).relativePath));
    for (const inline of state.tokens) {
      for (const token of inline.children ?? []) {
        const href = token.type === "link_open" ? token.attrGet("href") : null;
        if (!href || /^([a-z]+:|#|\/)/.test(href)) continue;
        const [path, anchor] = href.split("#");
        const file = relative(root, resolve(from, decodeURI(path!)));
        if (isPage(file) || !existsSync(join(root, file))) continue; // a dead link is VitePress's to find
        const kind = statSync(join(root, file)).isDirectory() ? "tree" : "blob";
        token.attrSet("href", `${repository}/${kind}/main/${file}${anchor ? `#${anchor}` : ""}`);
      }
    }
  });
  // VitePress finds the page behind a link by its name in the repository, but leaves that name in the link.
  md.renderer.rules.link_open = (tokens, i, options, env, self) => {
    const html = open(tokens, i, options, env, self);
    const token = tokens[i]!;
    const href = token.attrGet("href");
    if (!href || /^([a-z]+:|#|\/)/.test(href)) return html;
    const from = dirname(join(root, (env as { relativePath: string }).relativePath));
    const [path, anchor] = href.split("#");
    const page = pages[relative(root, resolve(from, decodeURI(path!))) + ".md"];
    if (!page) return html;
    const to = relative(from, join(root, dirname(page), "x")).slice(0, -1) + basename(page, ".md").replace(/^index$/, "");
    token.attrSet("href", `./${to}${anchor ? `#${anchor}` : ""}`);
    return self.renderToken(tokens, i, options);
  };
};

// Anchors are those of GitHub, where the same Markdown is read. internal/docs has the same rule.
const slugify = (heading: string) =>
  [...heading.trim().toLowerCase()].map((c) => (c === " " ? "-" : /[\p{L}\p{Nd}_-]/u.test(c) ? c : "")).join("");

const section = (text: string, folder: string, names: string[]) => ({
  text,
  items: names.map((name) => {
    const [file, title] = name.split("|") as [string, string];
    return { text: title, link: file.startsWith("/") ? file : `${folder}/${file}` };
  }),
});

export default defineConfig({
  title: "hubkit",
  description: "Realtime connections for Go services: rooms, history, presence and calls",
  srcDir: "../..",
  srcExclude: ["**/node_modules/**", "examples/**", "bench/**", "metrics/**", "cmd/**", "deploy/**", "broker/**", "protocol/**"],
  rewrites: pages,
  cleanUrls: true,
  lastUpdated: false,
  markdown: { config: links, anchor: { slugify } },
  // The pages are outside this folder, and would look for Vue in theirs.
  vite: { resolve: { alias: { "vue/server-renderer": module("vue/server-renderer"), vue: module("vue") } } },
  themeConfig: {
    search: { provider: "local" },
    socialLinks: [{ icon: "github", link: repository }],
    outline: [2, 3],
    nav: [
      { text: "Tutorial", link: "/docs/tutorial" },
      { text: "Documentation", link: "/docs/" },
      { text: "Protocol", link: "/protocol" },
      { text: "Changelog", link: "/changelog" },
    ],
    sidebar: [
      section("Start", "/docs", ["|Documentation", "tutorial|An hour with hubkit"]),
      section("How-to", "/docs/how-to", [
        "authentication|Authentication",
        "authorization|Authorization and revocation",
        "event-bus|Event bus",
        "slow-consumers|Slow consumers",
        "heavy-work|Heavy work",
        "/docs/streams|Streams",
        "load-balancers|Load balancers and deploys",
        "kubernetes|Kubernetes",
        "tls|TLS",
        "scaling|Scaling",
        "testing|Testing",
        "migrating|Migrating",
      ]),
      section("Operate", "/docs", [
        "operations|Operations",
        "inspection|Inspection",
        "how-to/dashboard|Dashboard",
        "how-to/tracing|Tracing",
        "metrics|Metrics",
        "logs|Log messages",
        "redis|Redis in production",
        "kernel|Fast paths",
        "faults|Faults",
        "clients|Write a client",
      ]),
      section("Reference", "", [
        "/docs/reference/options|Options",
        "/docs/reference/limits|Limits",
        "/docs/reference/codes|Close codes and errors",
        "/docs/reference/environment|Environment",
        "/docs/reference/go-client|Go client",
        "/web/|Browser client",
        "/protocol|Protocol",
      ]),
      section("Explanation", "/docs/explanation", [
        "scaling|Seven ways to scale WebSockets",
        "guarantees|Delivery guarantees",
        "capacity|Capacity",
        "comparison|Comparison",
      ]),
      section("Project", "", ["/docs/benchmarks/|Benchmarks", "/design|Design", "/security|Security", "/contributing|Contributing"]),
    ],
  },
});
