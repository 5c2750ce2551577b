// Builds dist, or the folder that is named: one minified module for each entry point, and the types.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const outdir = process.argv[2] ?? "dist";
rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: { hubkit: "src/index.ts", react: "src/react.ts" },
  outdir,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  external: ["react"],
  // Names that only the client's own parts use of each other. None of them is of the API, of the protocol or of the browser.
  mangleProps:
    /^(again|all|asked|body|connection|crowded|cut|done|dropLargest|emit|ended|expires|first|frame|handlers|inside|largest|live|loops|lost|names|network|next|paused|postpone|progress|pump|renew|reset|sent|served|settle|slowDown|spread|stop|tell|wait|wake|weight|welcome)$/,
});
// The other entry points use the client beside them.
const beside = {
  name: "beside",
  setup: ({ onResolve }) => onResolve({ filter: /^\.\/(index|errors)\.js$/ }, () => ({ path: "./hubkit.js", external: true })),
};
await build({
  entryPoints: { shared: "src/shared.ts", "shared-worker": "src/shared-worker.ts", cbor: "src/cbor.ts", sse: "src/sse.ts" },
  outdir,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  plugins: [beside],
});
execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.build.json", "--outDir", outdir], { stdio: "inherit" });
