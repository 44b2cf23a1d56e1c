/** The enclave's bundle encodes plain names of properties without the schema library; what it makes of any name must be what the library makes of it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import * as fc from "fast-check";
import { plainPointers } from "../../scripts/plain-pointers.ts";
import { ROOT } from "../gateway/deployment.ts";

type Encode = (name: string) => string;

const library = createRequire(join(ROOT, "packages/inspection/package.json"))
  .resolve("@cfworker/json-schema")
  .replace(/dist[/\\].*$/, "dist/esm/pointer.js");

async function bundled(): Promise<Encode> {
  const { outputFiles } = await build({
    entryPoints: [library],
    bundle: true,
    write: false,
    format: "esm",
    plugins: [plainPointers],
    logLevel: "silent",
  });
  const [file] = outputFiles;
  assert.ok(file !== undefined);
  const made = (await import(`data:text/javascript,${encodeURIComponent(file.text)}`)) as { encodePointer: Encode };
  return made.encodePointer;
}

test("a bundled pointer of any name is the library's", async () => {
  const { encodePointer: original } = (await import(library)) as { encodePointer: Encode };
  const own = await bundled();
  assert.notEqual(own.toString(), original.toString());
  const name = fc
    .oneof(fc.string({ unit: "binary" }), fc.string(), fc.stringMatching(/^[\w.~/#%$@ -]{0,12}$/))
    .filter((text) => text.isWellFormed());
  fc.assert(
    fc.property(name, (text) => {
      assert.equal(own(text), original(text));
    }),
    { numRuns: 2_000 },
  );
});

test("every single character that is let through is its own encoding", async () => {
  const { encodePointer: original } = (await import(library)) as { encodePointer: Encode };
  const own = await bundled();
  for (let unit = 0; unit < 0xd800; unit += 1)
    assert.equal(own(String.fromCharCode(unit)), original(String.fromCharCode(unit)));
});

test("the shipped enclave has it", () => {
  assert.match(
    readFileSync(join(ROOT, "packages/cli/dist/enclave/enclave.cjs"), "utf8"),
    /PLAIN_POINTER\.test\(name\) \? name : encodeAnyPointer\(name\)/,
  );
});
