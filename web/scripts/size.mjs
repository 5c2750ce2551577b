// Prints how many bytes a module has when it is bundled, minified and compressed: node scripts/size.mjs 'export * from "x"' [folder]
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const [contents, resolveDir = process.cwd()] = process.argv.slice(2);
const { outputFiles } = await build({
  stdin: { contents, resolveDir },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  write: false,
});
console.log(gzipSync(outputFiles[0].contents, { level: 9 }).length);
