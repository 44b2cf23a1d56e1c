import assert from "node:assert/strict";
import { test } from "node:test";
import { readEntry } from "./registry.ts";

const NAME = "io.example/tools";
const entry = (rest: object): Uint8Array =>
  Buffer.from(JSON.stringify({ server: { name: NAME, version: "1.0.0", ...rest }, _meta: {} }));
const SHA256 = "b".repeat(64);

test("the first package that can be run is taken, with its digest; else the server over HTTP", () => {
  const oci = { registryType: "oci", identifier: "docker.io/x", version: "1" };
  const npm = { registryType: "npm", identifier: "@x/tools", version: "1.2.3", fileSha256: SHA256 };
  assert.deepEqual(readEntry(NAME, entry({ packages: [oci, npm] })), {
    source: { kind: "npm", name: "@x/tools", version: "1.2.3" },
    sha256: SHA256,
  });
  const mcpb = { registryType: "mcpb", identifier: "https://example.com/a.mcpb", fileSha256: SHA256 };
  assert.deepEqual(readEntry(NAME, entry({ packages: [mcpb] })), {
    bundle: new URL("https://example.com/a.mcpb"),
    sha256: SHA256,
  });
  const remotes = [
    { type: "sse", url: "https://example.com/sse" },
    { type: "streamable-http", url: "https://example.com/mcp" },
  ];
  assert.deepEqual(readEntry(NAME, entry({ packages: [oci], remotes })), {
    source: { kind: "http", url: new URL("https://example.com/mcp") },
    sha256: null,
  });
});

test("entries that pin nothing, of another name, or of nothing that runs here are refused", () => {
  const refusals: readonly (readonly [object, RegExp])[] = [
    [{ packages: [{ registryType: "mcpb", identifier: "https://example.com/a.mcpb" }] }, /without fileSha256/],
    [{ packages: [{ registryType: "npm", identifier: "a" }] }, /exact version/],
    [
      { packages: [{ registryType: "npm", identifier: "a", version: "1", fileSha256: "x" }] },
      /fileSha256 that is none/,
    ],
    [{ packages: [{ registryType: "oci", identifier: "a", version: "1" }] }, /no package of npm/],
    [{ name: "io.example/other" }, /another name/],
    [{}, /no package of npm/],
  ];
  for (const [rest, message] of refusals)
    assert.throws(() => readEntry(NAME, entry(rest)), { code: "PACKAGE_REFUSED", message });
  const range = { registryType: "npm", identifier: "a", version: "^1.0.0" };
  assert.throws(() => readEntry(NAME, entry({ packages: [range] })), { code: "USAGE", message: /exact version/ });
  assert.throws(() => readEntry(NAME, Buffer.from("[")), { code: "JSON_SYNTAX" });
});
