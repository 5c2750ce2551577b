// Compiles the blocks of JavaScript and TypeScript of all documents, against the types in dist. TypeScript is checked strictly, JavaScript
// as far as it can be without types of its own. Nothing is written.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const web = fileURLToPath(new URL("..", import.meta.url));
const root = join(web, "..");
const at = join(web, "test", "snippets"); // where the blocks seem to be: nothing is there
const client = (name) => [join(web, "dist", name + ".d.ts")];

const shared = {
  noEmit: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ["lib.es2022.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
  types: ["node", "react"],
  typeRoots: [join(web, "node_modules", "@types")],
  jsx: ts.JsxEmit.ReactJSX,
  skipLibCheck: true,
  paths: {
    "@gohubkit/client": client("index"),
    "@gohubkit/client/*": [join(web, "dist", "*.d.ts")],
    "/hubkit/hubkit.js": client("index"),
  },
};
const languages = {
  ts: { ...shared, strict: true },
  js: { ...shared, allowJs: true, checkJs: true, strict: false },
};

function documents(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return /^(node_modules|\..*|testdata)$/.test(entry.name) ? [] : documents(path);
    return entry.name.endsWith(".md") ? [path] : [];
  });
}

/** Makes a module of a block. Lines keep their numbers. */
function complete(text, name) {
  const whole = text.replace(/^( *)…$/m, "$1return null;"); // what a component returns
  const parsed = ts.createSourceFile(name, whole, ts.ScriptTarget.ES2022);
  if (parsed.parseDiagnostics.length === 0) return `export {}; ${whole}`;
  return `export {}; hub.subscribe("room", { ${whole} });`; // options of a subscription
}

const files = new Map();
for (const path of documents(root)) {
  const text = readFileSync(path, "utf8");
  for (const { index, 1: language, 2: code } of text.matchAll(/^```(js|ts|tsx)\n(.*?)^```/gms)) {
    const document = relative(root, path);
    const line = text.slice(0, index).split("\n").length + 1;
    const name = join(at, `${document.replace(/\W/g, "_")}_${line}.${language}`);
    files.set(name, { document, line, code: complete(code, name) });
  }
}

const prelude = join(at, "prelude.d.ts");
const beside = new Map([
  // What blocks leave to the reader.
  [
    prelude,
    `
declare const connect: typeof import("@gohubkit/client").connect;
declare const HubError: typeof import("@gohubkit/client").HubError;
declare const hub: import("@gohubkit/client").Hub;
declare const room: import("@gohubkit/client").Room;

declare const token: string;
declare const bytes: Uint8Array;
declare const message: import("@gohubkit/client").Message;
declare function show(what: unknown): void;

// A page knows which elements it has.
interface Document {
  getElementById(id: string): any;
}

// Packages that the documents compare with, or that come from elsewhere.
declare module "socket.io" {
  export const Server: any;
}
declare const propagation: any;
declare const context: any;
declare const ROOT_CONTEXT: any;
`,
  ],
  // The module that the hub writes for a service.
  [join(at, "service.ts"), readFileSync(join(web, "test", "types", "service.ts"), "utf8")],
]);

/** Reports whether JavaScript takes something apart that only some types of a union have. It may. */
function takesApart({ code, file, start }) {
  if (code !== 2339 || !file.fileName.endsWith(".js")) return false;
  let found = false;
  const visit = (node) => {
    if (ts.isBindingElement(node) && node.getStart(file) === start) found = true;
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function check(language, names) {
  const options = languages[language];
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, directoryExists, readFile } = host;
  const made = (name) => files.get(name)?.code ?? beside.get(name);
  host.fileExists = (name) => made(name) !== undefined || fileExists(name);
  host.directoryExists = (name) => name === at || directoryExists(name);
  host.readFile = (name) => made(name) ?? readFile(name);
  host.getSourceFile = (name, ...rest) => {
    const code = made(name);
    return code === undefined ? getSourceFile(name, ...rest) : ts.createSourceFile(name, code, rest[0], true);
  };
  const program = ts.createProgram([prelude, ...names], options, host);
  return ts.getPreEmitDiagnostics(program).filter((d) => !d.file || !takesApart(d));
}

let faults = 0;
for (const [language, ending] of [
  ["ts", /\.tsx?$/],
  ["js", /\.js$/],
]) {
  for (const { file, start, messageText } of check(
    language,
    [...files.keys()].filter((name) => ending.test(name)),
  )) {
    const block = files.get(file?.fileName);
    const line = file ? file.getLineAndCharacterOfPosition(start).line : 0;
    console.error(
      `${block ? `${block.document}:${block.line + line}` : (file?.fileName ?? "")}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`,
    );
    faults++;
  }
}
if (files.size < 20) {
  console.error(`${files.size} blocks were found: are the documents still there?`);
  faults++;
}
process.exit(faults ? 1 : 0);
