/**
 * Node's embedded code is used while the enclave loads: V8 takes it only under the flags it was made with, which
 * `cachedDataVersionTag` tells apart. And no script of the enclave makes code from strings meanwhile, or afterwards.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { cachedDataVersionTag } from "node:v8";
import { fileURLToPath } from "node:url";
import { ENGINE_FLAGS } from "../../host-proxy/src/engine-flags.ts";
import { nodeArguments } from "../../host-proxy/src/launcher/process/node-arguments.ts";

const path = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const FORBIDDEN = "--disallow-code-generation-from-strings";
const AS_MADE = cachedDataVersionTag();

function said(args: readonly string[]): unknown {
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", env: {}, timeout: 30_000 });
  return JSON.parse(stdout === "" ? JSON.stringify(stderr) : stdout);
}

/** Flags by which PID 1 starts the runtime, but for what it may read, which is not there. */
function imageFlags(): string[] {
  const [, list = ""] =
    /arguments\[\] = \{([^}]*)\}/.exec(readFileSync(path("enclave-image/native/init.c"), "utf8")) ?? [];
  return [...list.matchAll(/^ +"(--[^"]*)"/gm)]
    .map(([, flag = ""]) => flag)
    .filter((flag) => !flag.startsWith("--allow-fs") && flag !== "--permission");
}

const launched = nodeArguments({ entry: "/entry", readable: [], extraFlags: [], extraArguments: [] }, "/socket");
const processFlags = launched
  .slice(0, launched.indexOf("--eval"))
  .filter((flag) => !flag.startsWith("--allow-fs") && flag !== "--permission");

for (const [who, flags] of [
  ["the host gives the process", processFlags],
  ["PID 1 gives the runtime", imageFlags()],
] as const) {
  test(`of the flags that ${who}, one alone keeps V8 from Node's embedded code, and the script takes it back`, () => {
    const tag = (script: string): unknown =>
      said([
        ...flags,
        "--eval",
        `const v8 = require("node:v8"); ${script}; process.stdout.write(JSON.stringify(v8.cachedDataVersionTag()))`,
      ]);
    assert.ok(flags.length > 5 && flags.includes(FORBIDDEN));
    assert.equal(tag('v8.setFlagsFromString("--no-disallow-code-generation-from-strings")'), AS_MADE);
    assert.notEqual(tag(""), AS_MADE);
  });
}

test("flags that tune V8 are set once the enclave's script is loaded and the compile worker has begun, not before", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-flags-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const tag = 'require("node:v8").cachedDataVersionTag()';
  const entry = join(folder, "entry.cjs");
  writeFileSync(
    entry,
    `const before = ${tag}; queueMicrotask(() => { process.stdout.write(JSON.stringify([before, ${tag}])); process.exit(); });`,
  );
  const under = (flags: readonly string[]): unknown =>
    said([...flags, "--eval", `process.stdout.write(JSON.stringify(${tag}))`]);
  const tuned = [...ENGINE_FLAGS, "--heap-growing-percent=100"];
  assert.deepEqual(
    said(nodeArguments({ entry, readable: [], extraFlags: [], extraArguments: [] }, join(folder, "socket"))),
    [under([FORBIDDEN]), under([FORBIDDEN, ...tuned])],
  );
  const inWorker = `new (require("node:worker_threads").Worker)('require(process.argv[2]); process.stdout.write(String(${tag}))', { eval: true, argv: [process.argv[1]], stdout: false }).once("online", () => setTimeout(() => process.exit(), 5000).unref());`;
  assert.equal(
    said(["--eval", inWorker, "--", path("packages/cli/dist/enclave/policy-worker.cjs")]),
    under(["--wasm-tiering-budget=500000000"]),
  );
});

/**
 * Says at each part of Node that is loaded whether its embedded code is taken, and whether V8 itself lets strings make code. No
 * worker is started: it sets flags when it runs, which may be at any time.
 */
const WATCH = `
  const Module = require("node:module"), v8 = require("node:v8"), load = Module._load, loadPart = process.getBuiltinModule, said = [];
  require("node:worker_threads").Worker = class extends require("node:events") { constructor() { super(); said.push(["Worker", v8.cachedDataVersionTag(), makes()]); } };
  const functionOfV8 = Function;
  const makes = () => { try { return functionOfV8("return true")(); } catch { return false; } };
  Module._load = (name, ...rest) => { said.push([name, v8.cachedDataVersionTag(), makes()]); return load(name, ...rest); };
  process.getBuiltinModule = (name) => { said.push(["part " + name, v8.cachedDataVersionTag(), makes()]); return loadPart(name); };
  process.once("exit", () => require("node:fs").writeSync(1, JSON.stringify(said)));
  process.once("unhandledRejection", () => process.exit());
  Module._load(process.argv[1]);
`;

test("the enclave loads Node's embedded code, and at no time makes code from strings", () => {
  const asked = said([FORBIDDEN, "--eval", WATCH, "--", path("packages/cli/dist/enclave/enclave.cjs")]) as [
    string,
    number,
    boolean,
  ][];
  const taken = asked.slice(asked.findIndex(([name]) => name === "node:v8") + 1);
  assert.deepEqual(
    taken.filter(([, tag]) => tag !== AS_MADE),
    [],
  );
  const names = taken.map(([name]) => name);
  const worker = names.indexOf("Worker");
  assert.ok(worker >= 0 && worker < 5, "the worker starts before everything else");
  const parts = new Set([
    "node:process",
    "node:v8",
    ...names.flatMap((name) => (name.startsWith("part ") ? [name.slice("part ".length)] : [])),
  ]);
  const rest = names.slice(names.findLastIndex((name) => name.startsWith("part ")) + 1);
  assert.ok(parts.size > 20 && rest.length > 50);
  assert.deepEqual(
    rest.filter((name) => !parts.has(name)),
    [],
    "no part of Node is left for when the worker runs",
  );
  assert.deepEqual(
    asked.filter(([, , makes]) => makes),
    [],
  );
});

test("once the first compile worker runs, threads are made without code from strings again", () => {
  const after = `
    const v8 = require("node:v8"); process.on("unhandledRejection", () => undefined); require(process.argv[1]);
    const { Worker } = require("node:worker_threads");
    const tried = 'let made = true; try { eval("1"); } catch { made = false; } require("node:worker_threads").parentPort.postMessage(made)';
    const makes = () => new Promise((resolve) => new Worker(tried, { eval: true }).once("message", resolve));
    (async () => {
      const since = Date.now();
      while (await makes() && Date.now() - since < 20000);
      process.stdout.write(JSON.stringify(await makes()));
      process.exit();
    })();
  `;
  assert.equal(said([FORBIDDEN, "--eval", after, "--", path("packages/cli/dist/enclave/enclave.cjs")]), false);
});

test("the compile worker makes no code from strings, whatever flags it was started under", () => {
  const inWorker = `
    const { Worker } = require("node:worker_threads");
    const script = 'require(process.argv[2]); const made = []; for (const make of [() => (0, eval)("1"), () => Function("1"), () => (async () => 1).constructor("1")]) try { make(); made.push(String(make)); } catch (error) { made.push(error.name); } require("node:worker_threads").parentPort.postMessage(made)';
    new Worker(script, { eval: true, argv: [process.argv[1]] }).once("message", (made) => { process.stdout.write(JSON.stringify(made)); process.exit(); });
  `;
  assert.deepEqual(said(["--eval", inWorker, "--", path("packages/cli/dist/enclave/policy-worker.cjs")]), [
    "EvalError",
    "EvalError",
    "EvalError",
  ]);
});
