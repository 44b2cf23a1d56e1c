/**
 * The seven rooms of the enclave: which may know which (docs/explanation/enclave-rooms.md). Imports of types count, as
 * what a room knows is what a reader has to know of it. There is no list of exceptions.
 */
import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const SOURCES = "packages/enclave/src";

/** From the bottom up. A room imports itself and what stands before it; `main.ts` and what tests share stand above all. */
const ROOMS = ["access", "instance", "record", "servers", "call", "http", "boot"];

const IMPORT = /\b(?:import|export)\b[^"';]*?\bfrom\s*"(\.[^"]+)"|\bimport\s*"(\.[^"]+)"|\bimport\(\s*"(\.[^"]+)"/g;

/** The files of a package, each with the files it imports; tests and what they share are left out. */
async function graphOf(sources: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const graph = new Map<string, readonly string[]>();
  for await (const file of glob(`${sources}/**/*.ts`, { cwd: root })) {
    if (file.endsWith(".test.ts") || file.includes("/testing/")) continue;
    const text = await readFile(join(root, file), "utf8");
    const imported = [...text.matchAll(IMPORT)].map(([, from, alone, late]) => from ?? alone ?? late ?? "");
    graph.set(
      file,
      imported.map((path) => normalize(join(dirname(file), path))),
    );
  }
  return graph;
}

/** A cycle of files, each importing the next; `null` where there is none. */
function cycleIn(graph: ReadonlyMap<string, readonly string[]>): readonly string[] | null {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): readonly string[] | null => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return null;
    for (const next of graph.get(file) ?? []) {
      const found = visit(next, [...path, file]);
      if (found !== null) return found;
    }
    done.add(file);
    return null;
  };
  for (const file of graph.keys()) {
    const found = visit(file, []);
    if (found !== null) return found;
  }
  return null;
}

const roomOf = (file: string): string => file.slice(SOURCES.length + 1).split("/")[0] ?? "";

test("every source of the enclave stands in one of the seven rooms, but for its entry", async () => {
  const files = [...(await graphOf(SOURCES)).keys()];
  assert.deepEqual(
    files.filter((file) => !ROOMS.includes(roomOf(file))),
    [`${SOURCES}/main.ts`],
  );
  assert.deepEqual([...new Set(files.map(roomOf))].filter((room) => ROOMS.includes(room)).sort(), [...ROOMS].sort());
});

test("no arrow leads back between the rooms", async () => {
  const back: string[] = [];
  for (const [file, imports] of await graphOf(SOURCES)) {
    const at = ROOMS.indexOf(roomOf(file));
    for (const imported of imports) {
      if (at !== -1 && ROOMS.indexOf(roomOf(imported)) > at) back.push(`${file} imports ${imported}`);
    }
  }
  assert.deepEqual(back, []);
});

for (const sources of [SOURCES, "packages/mcp/src", "packages/inspection/src"])
  test(`no files of ${sources} import each other in a circle`, async () => {
    const graph = await graphOf(sources);
    assert.ok(graph.size > 10, "the graph was read");
    assert.equal(cycleIn(graph), null);
  });

test("nothing in the tree is kept from the linter", async () => {
  const suppression = new RegExp(["(?:ox|es)lint", "-disable|@ts-(?:ig", "nore|nocheck)"].join(""));
  const found: string[] = [];
  for await (const file of glob(["{packages,attestation,host-proxy,enclave-image,scripts,test}/**/*.{ts,mts}"], {
    cwd: root,
  })) {
    if (/(^|\/)(node_modules|dist)\//.test(file)) continue;
    if (suppression.test(await readFile(join(root, file), "utf8"))) found.push(file);
  }
  assert.deepEqual(found, []);
});
