// Builds the tests and runs them with Node's test runner: node scripts/test.mjs [file...]
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const files = process.argv.slice(2);
const tests = files.length ? files : readdirSync("test").flatMap((name) => (name.endsWith(".test.ts") ? ["test/" + name] : []));
const out = "node_modules/.tests/";
rmSync(out, { recursive: true, force: true });

// React's packages call each other by name, and require what Node has built in. A MessagePort that they open and do not close would keep
// the process from ending.
const banner = `
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
globalThis.MessageChannel = class {
  port1 = {};
  port2 = { postMessage: () => setImmediate(() => this.port1.onmessage()) };
};`;

async function bundle(test, outfile, react) {
  await build({
    entryPoints: [test],
    outfile: out + outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    sourcemap: "inline",
    ...(react ? { alias: react, banner: { js: banner } } : { packages: "external" }),
  });
  return out + outfile;
}

const built = [];
for (const test of tests) {
  const name = basename(test, ".ts");
  if (name !== "react.test") {
    built.push(await bundle(test, name + ".mjs"));
    continue;
  }
  built.push(await bundle(test, "react19.test.mjs", {}));
  built.push(await bundle(test, "react18.test.mjs", { react: "react18", "react-test-renderer": "react-test-renderer18" }));
}
const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...built], { stdio: "inherit" });
process.exit(status ?? 1);
