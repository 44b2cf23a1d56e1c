/** Every connection to a server is held to the trust that the catalog gives it. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test, type TestContext } from "node:test";
import type { CatalogServer, ServerTrust } from "@cmcp/catalog";
import { silentPeer } from "@cmcp/mcp";
import { TestAuthority } from "../../../mcp/src/testing/certificate.ts";
import { ScriptedServer, json, reply } from "../../../mcp/src/testing/scripted-server.ts";
import { directUpstreams, remoteServer } from "../testing/servers.ts";
import { ServerRoots } from "./server-roots.ts";
import { Upstreams } from "./upstreams.ts";

const corp = TestAuthority.root("Corp");
const lab = TestAuthority.root("Lab");
const own = { corp: [corp.certificate], lab: [lab.certificate] };
const CORP: ServerTrust = { kind: "private-ca", roots: ["corp"], issuerPins: [] };
const session = { id: "s", principalId: "alice" };
const signal = new AbortController().signal;

async function serve(t: TestContext, authority: TestAuthority): Promise<ScriptedServer> {
  const server = await ScriptedServer.start(
    (request, socket) => void socket.write(json(reply(request, { tools: [] }))),
    authority.issue(["127.0.0.1"]),
  );
  t.after(() => server.close());
  return server;
}

function upstreamsTo(t: TestContext, server: ScriptedServer, trust: ServerTrust): [Upstreams, CatalogServer] {
  const upstreams = new Upstreams({
    ...directUpstreams(),
    dial: async () => connect(server.port, "127.0.0.1"),
    roots: new ServerRoots(own),
  });
  t.after(() => upstreams.close());
  return [upstreams, { ...remoteServer(server.url), trust, evidenceClass: "hash-only" }];
}

/** Each way in which the enclave reaches a server. */
const WAYS: Readonly<Record<string, (upstreams: Upstreams, server: CatalogServer) => Promise<unknown>>> = {
  call: (upstreams, server) =>
    upstreams.request(server, session, { method: "tools/call", params: { name: "a" } }, silentPeer(signal)),
  "list for a comparison": (upstreams, server) => upstreams.list(server, "tools", signal),
  subscription: (upstreams, server) =>
    upstreams.subscribe(
      server,
      session,
      { request: { method: "resources/subscribe", params: { uri: "a:b" } }, followed: [] },
      silentPeer(signal),
    ),
};

for (const [name, reach] of Object.entries(WAYS))
  test(`${name}: goes to a server that its own roots vouch for, and to no other`, async (t) => {
    const accepted = await serve(t, corp);
    await reach(...upstreamsTo(t, accepted, CORP));
    assert.ok(accepted.requests.length > 0);
    const refusals: readonly (readonly [TestAuthority, ServerTrust])[] = [
      [lab, CORP],
      [corp, { kind: "private-ca", roots: ["lab"], issuerPins: [] }],
      [corp, { kind: "private-ca", roots: ["corp"], issuerPins: [lab.key.pin] }],
      [corp, { kind: "webpki", issuerPins: [] }],
      [corp, { kind: "pinned", spkiSha256: corp.key.pin }],
    ];
    for (const [authority, trust] of refusals) {
      const server = await serve(t, authority);
      await assert.rejects(reach(...upstreamsTo(t, server, trust)), { code: "UPSTREAM_IDENTITY_MISMATCH" });
      assert.equal(server.requests.length, 0);
    }
  });

test("changes are heard of on no connection that the trust refuses", async (t) => {
  const server = await serve(t, lab);
  const [upstreams, held] = upstreamsTo(t, server, CORP);
  const watching = upstreams.watch(held, () => undefined);
  await assert.rejects(upstreams.list(held, "tools", signal), { code: "UPSTREAM_IDENTITY_MISMATCH" });
  await upstreams.close();
  await watching;
  assert.equal(server.requests.length, 0);
});

test("several roots vouch together, and a name that is not known vouches for nothing", () => {
  const roots = new ServerRoots(own);
  const both: ServerTrust = { kind: "private-ca", roots: ["corp", "lab"], issuerPins: [] };
  assert.equal(roots.of(both), roots.of(both));
  assert.deepEqual([roots.of(both).size, roots.of(CORP).size], [2, 1]);
  for (const name of ["other", "toString"])
    assert.throws(() => roots.of({ ...CORP, roots: [name] }), { code: "CONFIG_INVALID", message: new RegExp(name) });
  assert.throws(() => new ServerRoots({ corp: [corp.issue(["a.example"]).leaf] }), { code: "CONFIG_INVALID" });
});
