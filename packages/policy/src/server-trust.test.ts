/** Rules can tell how a server is known, whatever of it is asked for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CatalogServer } from "@cmcp/catalog";
import { PERMIT_ALL, call, compile, schemaText, tool } from "./test-support.ts";

const REMOTE = tool("read").server;
const KEY = new Uint8Array(32);
const SERVERS: readonly (readonly [string, Partial<CatalogServer>])[] = [
  ["none", {}],
  ["pinned", { trust: { kind: "pinned", spkiSha256: KEY } }],
  ["webpki", { trust: { kind: "webpki", issuerPins: [] } }],
  ["private-ca", { trust: { kind: "private-ca", roots: ["corp"], issuerPins: [] } }],
  ["process", { transport: "stdio", spawn: { command: "node" }, evidenceClass: "spawn-unmeasured" }],
];

test("a rule about server_trust holds for servers that are known so, and for no other", async () => {
  for (const [named] of SERVERS) {
    const policy = await compile(
      `${PERMIT_ALL}\n@id("known") forbid (principal, action, resource) when { resource.server_trust == "${named}" };`,
      schemaText(),
    );
    for (const [kind, rest] of SERVERS) {
      const facts = call({});
      const server = { ...REMOTE, ...rest } as CatalogServer;
      const { decision } = policy.decide({ ...facts, tool: { ...facts.tool, server } });
      assert.equal(decision, kind === named ? "deny" : "allow", `${named} of ${kind}`);
    }
  }
});
