/**
 * Holds the dependency rules of docs/explanation/architecture.md against the module graph that the bundler sees:
 * what may be imported at run time by which trust role. Type-only imports are erased and so allowed.
 */
import assert from "node:assert/strict";
import { glob } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build, type Metafile } from "esbuild";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Runtime dependencies each package may have; `node` stands for Node's built-in modules. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  "packages/boundary": [],
  "packages/wire": ["@cmcp/boundary", "cbor-x", "node"],
  "packages/policy": ["@cmcp/boundary", "@cedar-policy/cedar-wasm", "zod", "node"],
  "packages/catalog": ["@cmcp/boundary", "@cmcp/findings", "zod", "node"],
  "packages/session": ["@cmcp/boundary", "node"],
  "packages/limits": ["@cmcp/boundary", "node"],
  "packages/inspection": ["@cmcp/boundary", "@cfworker/json-schema", "re2js"],
  "packages/findings": ["@cmcp/boundary", "re2js"],
  "packages/flows": ["@cmcp/boundary", "@cmcp/findings"],
  "packages/log": ["@cmcp/boundary", "node"],
  "packages/seal": ["@cmcp/boundary", "node"],
  "packages/approval": ["@cmcp/boundary", "zod"],
  "packages/provision": ["@cmcp/boundary", "@cmcp/identity", "@cmcp/seal", "zod"],
  "packages/manifest": ["@cmcp/boundary", "zod"],
  "packages/client": [
    "@cmcp/approval",
    "@cmcp/boundary",
    "@cmcp/audit",
    "@cmcp/log",
    "@cmcp/mcp",
    "@cmcp/provision",
    "@cmcp/seal",
    "@cmcp/verify",
    "eventsource-parser",
  ],
  "packages/audit": ["@cmcp/boundary", "@cmcp/log", "@cmcp/seal", "zod", "node"],
  "packages/claim": ["@cmcp/boundary", "@cmcp/log", "zod", "node"],
  "packages/mcp": ["@cmcp/appraise", "@cmcp/boundary", "eventsource-parser", "undici", "zod", "node"],
  "packages/launch": [
    "@cmcp/approval",
    "@cmcp/boundary",
    "@cmcp/identity",
    "@cmcp/manifest",
    "@cmcp/provision",
    "@cmcp/spawner",
    "yaml",
    "zod",
    "node",
  ],
  "packages/verify": [
    "@cmcp/approval",
    "@cmcp/boundary",
    "@cmcp/audit",
    "@cmcp/claim",
    "@cmcp/appraise",
    "@cmcp/log",
    "@cmcp/manifest",
    "zod",
  ],
  "packages/appraise": ["@cmcp/boundary", "zod"],
  attestation: ["@cmcp/appraise", "@cmcp/boundary", "zod", "node"],
  "packages/measure": ["@cmcp/boundary", "zod", "node"],
  "enclave-image": ["@cmcp/boundary", "@cmcp/measure", "modern-tar", "xz-decompress", "zod", "node"],
  "packages/spawner": ["@cmcp/boundary", "zod", "node"],
  "packages/oauth": ["@cmcp/boundary", "oauth4webapi", "zod"],
  "packages/identity": ["@cmcp/boundary", "jose", "zod", "node"],
  "host-proxy": [
    "@cmcp/boundary",
    "@cmcp/log",
    "@cmcp/spawner",
    "@cmcp/wire",
    "hono",
    "@hono/node-server",
    "pg",
    "pino",
    "node",
  ],
};

const options = {
  bundle: true,
  write: false,
  metafile: true,
  platform: "node",
  format: "esm",
  absWorkingDir: root,
  logLevel: "silent",
} as const;

async function sources(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const file of glob(`${folder}/src/**/*.ts`, { cwd: root }))
    if (!file.endsWith(".test.ts") && !file.includes("/testing/") && !file.endsWith("/test-support.ts"))
      found.push(file);
  return found;
}

/** The package a bare specifier names: `@scope/name` or `name`, or `node` for a built-in. */
function packageOf(specifier: string): string {
  if (specifier.startsWith("node:")) return "node";
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? specifier);
}

function externals(metafile: Metafile): Set<string> {
  const found = new Set<string>();
  for (const input of Object.values(metafile.inputs))
    for (const imported of input.imports) if (imported.external === true) found.add(packageOf(imported.path));
  return found;
}

for (const [folder, allowed] of Object.entries(ALLOWED)) {
  test(`${folder} imports only what its trust role may`, async () => {
    const files = await sources(folder);
    assert.ok(files.length > 0, "the package has sources");
    const { metafile } = await build({ ...options, outdir: "unused", entryPoints: files, packages: "external" });
    const crossed = [...externals(metafile)].filter((name) => !allowed.includes(name));
    assert.deepEqual(crossed, []);
    const outside = Object.keys(metafile.inputs).filter((path) => !path.startsWith(`${folder}/src/`));
    assert.deepEqual(outside, [], "no relative import leaves the package");
  });
}

/** Every module that loading an entry can bring in, node_modules included. */
async function graph(entry: string): Promise<string[]> {
  const { metafile } = await build({
    ...options,
    outfile: "unused.js",
    entryPoints: [join(root, entry)],
    loader: { ".wasm": "empty" },
  });
  return Object.keys(metafile.inputs);
}

test("what the configuration needs of packages/identity brings in neither jose nor Node", async () => {
  for (const entry of ["schema", "principals", "spiffe/bundle"]) {
    const { metafile } = await build({
      ...options,
      outfile: "unused.js",
      entryPoints: [join(root, `packages/identity/src/${entry}.ts`)],
    });
    const modules = Object.keys(metafile.inputs);
    assert.ok(
      modules.some((path) => path.startsWith("packages/identity/")),
      "the graph was read",
    );
    assert.deepEqual([modules.filter((path) => path.includes("/jose/")), [...externals(metafile)]], [[], []], entry);
  }
});

test("what packages/mcp shares of commitments brings in neither Node nor a dependency", async () => {
  const { metafile } = await build({
    ...options,
    outfile: "unused.js",
    entryPoints: [join(root, "packages/mcp/src/protocol/committed.ts")],
  });
  assert.ok(
    Object.keys(metafile.inputs).some((path) => path.startsWith("packages/mcp/")),
    "the graph was read",
  );
  assert.deepEqual([...externals(metafile)], []);
});

test("the formats of packages/log bring in neither Node nor a dependency", async () => {
  const { metafile } = await build({
    ...options,
    outfile: "unused.js",
    entryPoints: [join(root, "packages/log/src/format.ts")],
  });
  assert.ok(
    Object.keys(metafile.inputs).some((path) => path.startsWith("packages/log/")),
    "the graph was read",
  );
  assert.deepEqual([...externals(metafile)], []);
});

test("packages/seal knows the platform's cryptography by one module, and brings in nothing else of Node", async () => {
  const { metafile } = await build({
    ...options,
    outfile: "unused.js",
    entryPoints: [join(root, "packages/seal/src/index.ts")],
  });
  const imports = Object.entries(metafile.inputs).flatMap(([path, { imports }]) =>
    imports.filter(({ external }) => external === true).map((imported) => `${path} ${imported.path}`),
  );
  assert.deepEqual(imports, ["packages/seal/src/platform.ts node:crypto"]);
});

const DECIDES = /(^|\/)packages\/(policy|catalog|session|inspection|audit|claim|mcp|enclave|verify)\/|cedar/;

for (const entry of ["host-proxy/src/index.ts", "packages/cli/src/start/start.ts"]) {
  test(`the module graph of ${entry} contains nothing that decides`, async () => {
    const modules = await graph(entry);
    assert.ok(
      modules.some((path) => path.includes("packages/wire/")),
      "the graph was read",
    );
    assert.deepEqual(
      modules.filter((path) => DECIDES.test(path) || path.includes("/jose/")),
      [],
    );
  });
}

test("the enclave's module graph contains no way to run code from strings or start processes", async () => {
  const { metafile } = await build({
    ...options,
    format: "cjs",
    outfile: "unused.js",
    entryPoints: [join(root, "packages/enclave/src/main.ts")],
  });
  const builtins = new Set<string>();
  for (const input of Object.values(metafile.inputs))
    for (const imported of input.imports)
      if (imported.external === true) builtins.add(imported.path.replace(/^node:/, ""));
  assert.ok(builtins.has("crypto"), "the graph was read");
  assert.deepEqual(
    ["vm", "child_process", "cluster", "repl", "inspector"].filter((name) => builtins.has(name)),
    [],
  );
});
