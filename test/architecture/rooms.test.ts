/**
 * The rooms of the packages that have some: which may know which (docs/explanation/architecture.md). Imports of types count, as what a room
 * knows is what a reader has to know of it. There is no list of exceptions.
 */
import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The rooms of a package and the files that stand above all of them. */
interface House {
  readonly sources: string;
  /** From the bottom up. A room imports itself and what stands before it. */
  readonly rooms: readonly string[];
  readonly entries: readonly string[];
}

const HOUSES: readonly House[] = [
  {
    sources: "packages/enclave/src",
    rooms: ["access", "instance", "record", "servers", "call", "http", "boot"],
    entries: ["main.ts"],
  },
  {
    sources: "packages/appraise/src",
    rooms: [
      "bytes",
      "checks",
      "event-log",
      "x509",
      "software",
      "sev-snp",
      "tdx",
      "tpm",
      "azure",
      "evidence",
      "appraisal",
    ],
    entries: ["index.ts"],
  },
  {
    sources: "attestation/src",
    rooms: ["machine", "configfs-tsm", "software", "sev-snp", "tdx", "tpm", "azure", "sealing", "attester"],
    entries: ["index.ts", "node-crypto.ts"],
  },
];

const IMPORT = /\b(?:import|export)\b[^"';]*?\bfrom\s*"(\.[^"]+)"|\bimport\s*"(\.[^"]+)"|\bimport\(\s*"(\.[^"]+)"/g;

/** The files that patterns name, each with the files it imports by path. */
async function graphOf(
  patterns: readonly string[],
  keep: (file: string) => boolean,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const graph = new Map<string, readonly string[]>();
  for await (const file of glob(patterns, { cwd: root })) {
    if (/(^|\/)(node_modules|dist)\//.test(file) || !keep(file)) continue;
    const text = await readFile(join(root, file), "utf8");
    const imported = [...text.matchAll(IMPORT)].map(([, from, alone, late]) => from ?? alone ?? late ?? "");
    graph.set(
      file,
      imported.map((path) => normalize(join(dirname(file), path))),
    );
  }
  return graph;
}

/** The graph of a package; tests and what they share are left out. */
const graphOfSources = async (sources: string): Promise<ReadonlyMap<string, readonly string[]>> =>
  await graphOf([`${sources}/**/*.ts`], (file) => !file.endsWith(".test.ts") && !file.includes("/testing/"));

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

for (const { sources, rooms, entries } of HOUSES) {
  const roomOf = (file: string): string => file.slice(sources.length + 1).split("/")[0] ?? "";

  test(`every source of ${sources} stands in one of its rooms, but for its entries`, async () => {
    const files = [...(await graphOfSources(sources)).keys()];
    assert.deepEqual(
      files.filter((file) => !rooms.includes(roomOf(file))).sort(),
      entries.map((entry) => `${sources}/${entry}`),
    );
    assert.deepEqual([...new Set(files.map(roomOf))].filter((room) => rooms.includes(room)).sort(), [...rooms].sort());
  });

  test(`no arrow leads back between the rooms of ${sources}`, async () => {
    const back: string[] = [];
    for (const [file, imports] of await graphOfSources(sources)) {
      const at = rooms.indexOf(roomOf(file));
      for (const imported of imports) {
        const above = entries.includes(imported.slice(sources.length + 1)) || rooms.indexOf(roomOf(imported)) > at;
        if (at !== -1 && above) back.push(`${file} imports ${imported}`);
      }
    }
    assert.deepEqual(back, []);
  });
}

test("no files import each other in a circle, tests and imports of types included", async () => {
  const graph = await graphOf(
    ["{packages,attestation,host-proxy,enclave-image,scripts,test,examples}/**/*.{ts,mts}"],
    () => true,
  );
  assert.ok(graph.size > 1000, "the graph was read");
  assert.equal(cycleIn(graph), null);
});

test("a circle of imports of types is found", () => {
  const graph = new Map([
    ["a.ts", ["b.ts"]],
    ["b.ts", ["c.ts"]],
    ["c.ts", ["b.ts"]],
  ]);
  assert.deepEqual(cycleIn(graph), ["b.ts", "c.ts", "b.ts"]);
});

for (const entry of ["packages/appraise/src/index.ts", "packages/appraise/src/evidence/index.ts"])
  test(`${entry} bundles for a browser and imports nothing of Node`, async () => {
    const { metafile } = await build({
      absWorkingDir: root,
      entryPoints: [join(root, entry)],
      bundle: true,
      write: false,
      metafile: true,
      platform: "browser",
      format: "esm",
      logLevel: "silent",
    });
    const modules = Object.values(metafile.inputs);
    assert.ok(modules.length > 30, "the graph was read");
    const imported = modules.flatMap(({ imports }) => imports);
    assert.deepEqual(
      imported.filter(({ external, path }) => external === true || path.startsWith("node:")).map(({ path }) => path),
      [],
    );
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
