// Builds the tests and runs them with Node's test runner: node scripts/test.mjs [file...]
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const files = process.argv.slice(2);
const tests = files.length
  ? files
  : readdirSync("test")
      .filter((name) => /\.test\.tsx?$/.test(name))
      .map((name) => "test/" + name);
const out = "node_modules/.tests";
rmSync(out, { recursive: true, force: true });
await build({
  entryPoints: tests,
  outdir: out,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node18",
  packages: "external",
  sourcemap: "inline",
});
const built = tests.map((name) => `${out}/${name.replace(/^test\//, "").replace(/\.tsx?$/, ".mjs")}`);
const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...built], { stdio: "inherit" });
process.exit(status ?? 1);
