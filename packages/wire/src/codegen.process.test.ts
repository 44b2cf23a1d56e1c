import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { build } from "esbuild";

const run = promisify(execFile);
const index = new URL("index.ts", import.meta.url).pathname;

// Ends the process at the first use of `eval` or `Function`, even one that is caught, and of any native addon.
const traps = `
  const forbidden = (what) => () => { process._rawDebug("used " + what); process.exit(3); };
  process.dlopen = forbidden("a native addon");
  globalThis.eval = forbidden("eval");
  globalThis.Function = new Proxy(Function, { apply: forbidden("Function"), construct: forbidden("Function") });
`;

const exercise = `
  const { duplexPair } = require("node:stream");
  async function exercise(wire) {
    const [near, far] = duplexPair();
    wire.serveStream(far, async (exchange) => {
      const chunks = [];
      for await (const chunk of exchange.body) chunks.push(chunk);
      await exchange.respond({ status: 200, headers: { "content-type": "text/plain" } });
      for (const chunk of chunks) await exchange.write(chunk);
      await exchange.end();
    });
    const pool = new wire.ExchangePool({ address: "pair", dial: () => Promise.resolve(near) }, { maxStreams: 1 });
    // Often enough for a decoder that compiles readers for repeated shapes to do it.
    for (let round = 0; round < 20; round += 1) {
      const exchange = await pool.open({ t: "request", method: "POST", path: "/mcp", headers: { accept: "a", host: "b" } });
      await exchange.write(Buffer.from("hello"));
      await exchange.end();
      const { status } = await exchange.head;
      let text = "";
      for await (const chunk of exchange.body) text += Buffer.from(chunk).toString();
      if (status !== 200 || text !== "hello") throw new Error("no echo");
    }
    await pool.close();
    const { sharedObjects } = process.report.getReport();
    if (sharedObjects.some((name) => name.endsWith(".node"))) throw new Error("a native addon is loaded");
    process.stdout.write("ok");
  }
`;

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "cmcp-wire-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test("from source: no native addon, no code from strings", async (t) => {
  const file = join(await folder(t), "source.cjs");
  await writeFile(file, `${traps}${exercise}import(${JSON.stringify(index)}).then(exercise);`);
  const { stdout } = await run(process.execPath, ["--disallow-code-generation-from-strings", file]);
  assert.equal(stdout, "ok");
});

test("bundled as CommonJS: no native addon, no code from strings, no entry of cbor-x but one", async (t) => {
  const at = await folder(t);
  const bundle = join(at, "bundle.cjs");
  const { metafile } = await build({
    entryPoints: [index],
    bundle: true,
    platform: "node",
    format: "cjs",
    outfile: bundle,
    metafile: true,
    logLevel: "silent",
  });
  const inputs = Object.keys(metafile.inputs).filter((path) => path.includes("cbor"));
  assert.deepEqual(
    inputs.map((path) => path.replace(/.*\/node_modules\//, "")),
    ["cbor-x/dist/index-no-eval.cjs"],
  );
  assert.ok(!(await readFile(bundle, "utf8")).includes("cbor-extract"));
  const file = join(at, "run.cjs");
  await writeFile(file, `${traps}${exercise}exercise(require("./bundle.cjs"));`);
  const { stdout } = await run(process.execPath, ["--disallow-code-generation-from-strings", file]);
  assert.equal(stdout, "ok");
});

test("the native addon is not installed at all", () => {
  assert.throws(() => import.meta.resolve("cbor-extract"), { code: "ERR_MODULE_NOT_FOUND" });
  const fromCborX = import.meta.resolve("cbor-x/index-no-eval");
  assert.throws(() => import.meta.resolve("cbor-extract", fromCborX), { code: "ERR_MODULE_NOT_FOUND" });
});
