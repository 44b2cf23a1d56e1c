import assert from "node:assert/strict";
import { test } from "node:test";
import { allowServer, allowServers, type CatalogSpawn } from "./allow.ts";
import { stdioSchema } from "./schema.ts";
import { DEFAULT_BOUNDS, spawnEvidence } from "./server.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;
const SPAWN: CatalogSpawn = {
  command: "node",
  args: ["dist/index.js", "/tmp"],
  binary_digest: DIGEST,
  measure_target: "/srv/files",
};
const CLOSED = { allowUnmeasured: false };

test("an entry of a catalog becomes what the spawner is told", () => {
  assert.deepEqual(allowServer("files", SPAWN, CLOSED), {
    tree: "/srv/files",
    digest: new Uint8Array(32).fill(0xab),
    program: "node",
    args: ["dist/index.js", "/tmp"],
    environment: { HOME: "/tmp", TMPDIR: "/tmp", PATH: "/usr/local/bin:/usr/bin:/bin", LANG: "C.UTF-8" },
    bounds: DEFAULT_BOUNDS,
    hasEgress: false,
  });
  assert.equal(
    allowServer("one", { command: "/srv/one", binary_digest: DIGEST }, CLOSED).tree,
    "/srv/one",
    "without a target the program is all there is",
  );
});

test("a way out is where hosts are named, and its variables cannot be set otherwise", () => {
  const { servers } = stdioSchema.parse({ servers: { files: { environment: { HTTPS_PROXY: "http://elsewhere" } } } });
  const spawn = { ...SPAWN, egress: [{ host: "api.example.com", port: 443 }] };
  const allowed = allowServer("files", spawn, { ...CLOSED, settings: servers.files });
  const { HTTPS_PROXY, https_proxy, NODE_USE_ENV_PROXY } = allowed.environment;
  assert.deepEqual(
    [allowed.hasEgress, HTTPS_PROXY, https_proxy, NODE_USE_ENV_PROXY],
    [true, "http://127.0.0.1:3128", "http://127.0.0.1:3128", "1"],
  );
  assert.equal(allowServer("files", { ...SPAWN, egress: [] }, CLOSED).hasEgress, false);
});

test("its settings are those the configuration has for it", () => {
  const { servers } = stdioSchema.parse({
    servers: {
      files: {
        environment: { MEMORY_FILE_PATH: "/tmp/m" },
        tasks: 10,
        memory_mib: 600,
        scratch_mib: 2,
        open_files: 32,
        cpu_seconds: 60,
      },
    },
  });
  const allowed = allowServer("files", SPAWN, { ...CLOSED, settings: servers.files });
  assert.equal(allowed.environment.MEMORY_FILE_PATH, "/tmp/m");
  assert.deepEqual(allowed.bounds, { tasks: 10, memoryMib: 600, scratchMib: 2, openFiles: 32, cpuSeconds: 60 });
});

test("without a digest a server runs only where the configuration says so", () => {
  const { binary_digest: _, ...unpinned } = SPAWN;
  assert.throws(() => allowServer("files", unpinned, CLOSED), { code: "SPAWN_NOT_PINNED" });
  assert.equal(allowServer("files", unpinned, { allowUnmeasured: true }).digest, null);
  assert.notEqual(
    allowServer("files", SPAWN, { allowUnmeasured: true }).digest,
    null,
    "one that is there still counts",
  );
});

test("the digest of an interpreter pins nothing and is refused", () => {
  assert.throws(() => allowServer("files", { command: "node", args: ["/srv/x.js"], binary_digest: DIGEST }, CLOSED), {
    code: "CATALOG_INVALID",
    message: /names an interpreter/,
  });
});

const WRONG: readonly CatalogSpawn[] = [
  { ...SPAWN, binary_digest: "sha256:abc" },
  { ...SPAWN, binary_digest: `sha512:${"ab".repeat(32)}` },
  { ...SPAWN, binary_digest: DIGEST.toUpperCase() },
  { ...SPAWN, measure_target: "srv/files" },
  { ...SPAWN, measure_target: "/srv/../etc" },
  { ...SPAWN, measure_target: "/" },
  { ...SPAWN, measure_target: "/srv/files/" },
  { ...SPAWN, command: "./node" },
  { ...SPAWN, command: "/usr/../bin/sh" },
];

test("anything but plain absolute paths and a SHA-256 is refused", () => {
  for (const spawn of WRONG)
    assert.throws(
      () => allowServer("files", spawn, { allowUnmeasured: true }),
      { code: "CATALOG_INVALID" },
      JSON.stringify(spawn),
    );
});

test("only a required digest and a confined process make spawn-measured", () => {
  const pinned = allowServer("files", SPAWN, CLOSED);
  assert.equal(spawnEvidence(pinned, "confined"), "spawn-measured");
  assert.equal(spawnEvidence(pinned, "none"), "spawn-unmeasured");
  assert.equal(spawnEvidence({ digest: null }, "confined"), "spawn-unmeasured");
});

test("the configuration refuses what the spawner would", () => {
  for (const wrong of [
    { tasks: 0 },
    { memory_mib: 15 },
    { scratch_mib: 4097 },
    { open_files: 8 },
    { cpu_seconds: 0 },
    { environment: { "A=B": "c" } },
    { environment: { A: "\0" } },
    { network: true },
  ]) {
    assert.equal(stdioSchema.safeParse({ servers: { files: wrong } }).success, false, JSON.stringify(wrong));
  }
  assert.equal(stdioSchema.safeParse({ max_processes: 129 }).success, false, "more than the spawner runs");
});

test("a server that is called like a member of every object has the default settings, and settings of no server are refused", () => {
  const server = { name: "constructor", spawn: SPAWN };
  assert.deepEqual(allowServers([server], { allowUnmeasured: false, settings: {} }), [
    allowServer("constructor", SPAWN, CLOSED),
  ]);
  const { servers } = stdioSchema.parse({ servers: { files: {} } });
  assert.throws(() => allowServers([server], { allowUnmeasured: false, settings: servers }), {
    code: "CONFIG_INVALID",
  });
});

test("a secret is in no table, and a variable has one source", () => {
  const spawn = { ...SPAWN, secrets: { API_TOKEN: "server-token" } };
  assert.deepEqual(allowServer("files", spawn, CLOSED), allowServer("files", SPAWN, CLOSED));
  const { servers } = stdioSchema.parse({ servers: { files: { environment: { API_TOKEN: "measured" } } } });
  assert.throws(() => allowServer("files", spawn, { ...CLOSED, settings: servers.files }), {
    code: "CONFIG_INVALID",
    message: /API_TOKEN is a secret and has a measured value/,
  });
});
