/** What the enclave takes of the spawner package starts nothing and reads no files. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

async function builtins(entry: string): Promise<readonly string[]> {
  const { metafile } = await build({
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    logLevel: "silent",
    outfile: "unused.js",
    entryPoints: [fileURLToPath(new URL(`../../packages/spawner/src/${entry}`, import.meta.url))],
  });
  const imported = Object.values(metafile.inputs).flatMap(({ imports }) =>
    imports.filter(({ external }) => external === true).map(({ path }) => path.replace(/^node:/, "")),
  );
  return [...new Set(imported)].toSorted();
}

test("the enclave's part only opens sockets; starting processes is the host's", async () => {
  assert.deepEqual(await builtins("index.ts"), ["events", "net"]);
  assert.ok((await builtins("host/index.ts")).includes("child_process"), "the graph was read");
});
