/** A server that is known by its SPIFFE ID: what its certificate must be, over real handshakes. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test, type TestContext } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { UpstreamClient } from "../index.ts";
import { TestAuthority } from "../testing/certificate.ts";
import { ScriptedServer, json, reply } from "../testing/scripted-server.ts";
import { toolNamed } from "../testing/upstream.ts";
import { readDomainRoots, type TrustedRoots } from "./trusted-roots.ts";

const DOMAIN = "bank.example";
const ID = `spiffe://${DOMAIN}/tools/ledger`;
const SIGNS = 0x80;
const authority = TestAuthority.root("Bank", { uris: [`spiffe://${DOMAIN}`] });
const between = authority.authority("Between", { uris: [`spiffe://${DOMAIN}`] });
const stranger = TestAuthority.root("Stranger", { uris: [`spiffe://${DOMAIN}`] });

const derOf = (pem: string): string => new X509Certificate(pem).raw.toString("base64");
const roots = readDomainRoots(DOMAIN, [derOf(authority.certificate)]);

type Issued = ReturnType<TestAuthority["issue"]>;
const svid = (rest: Parameters<TestAuthority["issue"]>[1] = {}, by: TestAuthority = authority): Issued =>
  by.issue([], { uris: [ID], keyUsage: SIGNS, ...rest });

/** What a call to a server with this certificate comes to; nothing of it may have reached a server that is refused. */
async function outcomeOf(t: TestContext, tls: Issued, now: () => number = Date.now, trusted: TrustedRoots = roots) {
  const server = await ScriptedServer.start(
    (request, socket) => void socket.write(json(reply(request, { content: [] }))),
    tls,
  );
  const client = new UpstreamClient({
    // The address says nothing: no certificate here is for a host.
    url: new URL(`https://ledger.invalid:${server.port}/mcp`),
    dial: (_, port) => server.dial("127.0.0.1", port),
    tls: { mode: "chain", roots: trusted, issuerPins: [], spiffeId: ID, now },
    clientInfo: { name: "gateway", version: "1" },
    limits: { connectMs: 2_000 },
  });
  t.after(async () => {
    await client.close();
    await server.close();
  });
  try {
    await client.callTool("s", toolNamed("tool"), {}, AbortSignal.timeout(10_000));
    assert.ok(server.requests.length > 0);
    return "accepted";
  } catch (thrown) {
    assert.ok(thrown instanceof CmcpError, String(thrown));
    assert.deepEqual([thrown.code, thrown.detail.sent], ["UPSTREAM_IDENTITY_MISMATCH", 0]);
    assert.equal(server.requests.length, 0);
    return thrown.detail["reason"];
  }
}

test("an X.509-SVID of the trust domain is accepted, of an authority in between too, and whatever host it names", async (t) => {
  assert.equal(await outcomeOf(t, svid()), "accepted");
  assert.equal(await outcomeOf(t, svid({}, between)), "accepted");
  assert.equal(await outcomeOf(t, svid({ usage: "server" })), "accepted");
  const named = authority.issue(["other.example"], { uris: [ID], keyUsage: SIGNS });
  assert.equal(await outcomeOf(t, named), "accepted");
});

test("every other certificate is refused, by name, before a byte of the request leaves", async (t) => {
  const cases: Readonly<Record<string, readonly [Issued, string]>> = {
    "another workload": [svid({ uris: [`${ID}/x`] }), "wrong-spiffe-id"],
    "another trust domain": [svid({ uris: ["spiffe://evil.example/tools/ledger"] }), "wrong-spiffe-id"],
    "an ID in another spelling": [svid({ uris: ["SPIFFE://bank.example/tools/ledger"] }), "wrong-spiffe-id"],
    "an ID with a NUL behind it": [svid({ uris: [`${ID}\u0000`] }), "wrong-spiffe-id"],
    "two URIs, the right one first": [svid({ uris: [ID, `${ID}/x`] }), "invalid-svid"],
    "two URIs, the right one last": [svid({ uris: ["https://ledger.invalid/", ID] }), "invalid-svid"],
    "the right one twice": [svid({ uris: [ID, ID] }), "invalid-svid"],
    "no URI": [authority.issue(["ledger.invalid"], { keyUsage: SIGNS }), "invalid-svid"],
    "the ID as a host name": [authority.issue([ID], { keyUsage: SIGNS }), "invalid-svid"],
    "no key usage": [authority.issue([], { uris: [ID] }), "invalid-svid"],
    "a key that does not sign": [svid({ keyUsage: 0x20 }), "invalid-svid"],
    "a key that signs certificates too": [svid({ keyUsage: SIGNS | 0x04 }), "invalid-svid"],
    "a key that signs lists of revoked certificates too": [svid({ keyUsage: SIGNS | 0x02 }), "invalid-svid"],
    "an authority": [svid({ authority: true, keyUsage: SIGNS }), "invalid-svid"],
    "for clients alone": [svid({ usage: "client" }), "invalid-chain"],
    "more alternative names than are read": [
      authority.issue(
        Array.from({ length: 300 }, (_, index) => `h${index}.example`),
        { uris: [ID], keyUsage: SIGNS },
      ),
      "invalid-svid",
    ],
    "of an authority that is not in the bundle": [svid({}, stranger), "unknown-issuer"],
    expired: [svid({ from: new Date(Date.now() - 172_800_000), to: new Date(Date.now() - 86_400_000) }), "expired"],
  };
  for (const [what, [tls, reason]] of Object.entries(cases)) assert.equal(await outcomeOf(t, tls), reason, what);
});

test("dates are held to the gateway's clock beside the machine's", async (t) => {
  assert.equal(await outcomeOf(t, svid(), () => Date.now() + 172_800_000), "expired");
});

test("authorities of a bundle are authorities of its trust domain, and signed themselves", () => {
  const plain = TestAuthority.root("No ID");
  assert.equal(readDomainRoots(DOMAIN, [authority.certificate, plain.certificate].map(derOf)).size, 2);
  const refused: readonly (readonly [string, RegExp])[] = [
    [derOf(TestAuthority.root("Evil", { uris: ["spiffe://evil.example"] }).certificate), /another SPIFFE ID/],
    [derOf(TestAuthority.root("Path", { uris: [`spiffe://${DOMAIN}/ca`] }).certificate), /another SPIFFE ID/],
    [derOf(between.certificate), /not the root certificate/],
    [derOf(svid().leaf), /not the root certificate/],
    ["AAAA", /neither PEM nor/],
  ];
  for (const [certificate, message] of refused)
    assert.throws(() => readDomainRoots(DOMAIN, [certificate]), { code: "CONFIG_INVALID", message });
});
