import assert from "node:assert/strict";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import type { TLSSocket, TlsOptions } from "node:tls";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { UpstreamClient } from "../index.ts";
import { selfSigned, testKey, TestAuthority } from "../testing/certificate.ts";
import { ScriptedServer, json, reply } from "../testing/scripted-server.ts";
import { toolNamed } from "../testing/upstream.ts";
import { IDENTITY_FAULTS } from "./authentication.ts";
import type { ChainTrust } from "./chain.ts";
import { BUNDLED_ROOTS, readTrustedRoots } from "./trusted-roots.ts";

const forever = new AbortController().signal;
const OK: JsonObject = { content: [] };
const HOST = "tools.example.test";
const DAY = 86_400_000;
const root = TestAuthority.root("Root");
const issuing = root.authority("Issuing");
const seen = new Set<unknown>();

const inDays = (days: number): Date => new Date(Date.now() + days * DAY);
const rootsOf = (...authorities: readonly TestAuthority[]) =>
  readTrustedRoots(
    "test",
    authorities.map(({ certificate }) => certificate),
  );

async function serve(t: TestContext, tls: TlsOptions): Promise<ScriptedServer> {
  const server = await ScriptedServer.start((request, socket) => void socket.write(json(reply(request, OK))), tls);
  t.after(() => server.close());
  return server;
}

function clientOf(
  server: ScriptedServer,
  trust: Partial<ChainTrust>,
  host: string,
  client?: { certificate: string; privateKey: string },
): UpstreamClient {
  return new UpstreamClient({
    url: new URL(`https://${host}:${server.port}/mcp`),
    dial: (_, port) => server.dial("127.0.0.1", port),
    tls: {
      mode: "chain",
      roots: rootsOf(root),
      issuerPins: [],
      now: Date.now,
      ...trust,
      ...(client === undefined ? {} : { client }),
    },
    clientInfo: { name: "gateway", version: "1" },
    limits: { connectMs: 2_000 },
  });
}

/** "accepted", or the reason of the refusal. Nothing of the request may have reached the server then. */
async function outcomeOf(
  server: ScriptedServer,
  trust: Partial<ChainTrust> = {},
  host = HOST,
): Promise<string | number | undefined> {
  const upstream = clientOf(server, trust, host);
  try {
    assert.deepEqual(await upstream.callTool("s", toolNamed("tool"), {}, forever), OK);
    return "accepted";
  } catch (thrown) {
    assert.ok(thrown instanceof CmcpError, String(thrown));
    assert.equal(thrown.code, "UPSTREAM_IDENTITY_MISMATCH");
    assert.equal(thrown.detail.sent, 0);
    assert.equal(server.requests.length, 0);
    seen.add(thrown.detail["reason"]);
    return thrown.detail["reason"];
  } finally {
    await upstream.close();
  }
}

for (const maxVersion of ["TLSv1.3", "TLSv1.2"] as const)
  test(`${maxVersion}: a certificate that leads to a trusted root is accepted, whatever its key`, async (t) => {
    for (const issuedBy of [issuing, issuing, root])
      assert.equal(await outcomeOf(await serve(t, { ...issuedBy.issue([HOST]), maxVersion })), "accepted");
  });

test("a renewed key is accepted by the same client, and a certificate for another host is not", async (t) => {
  const server = await serve(t, issuing.issue([HOST]));
  const upstream = clientOf(server, {}, HOST);
  t.after(() => upstream.close());
  const call = async (): Promise<JsonObject> => await upstream.callTool("s", toolNamed("tool"), {}, forever);
  assert.deepEqual(await call(), OK);
  for (const hosts of [[HOST], ["other.example.test"]]) {
    const [before] = server.dialled.slice(-1);
    assert.ok(before !== undefined);
    const closed = once(before, "close");
    server.setSecureContext(issuing.issue(hosts));
    for (const socket of server.sockets) socket.destroy();
    await closed;
    if (hosts[0] === HOST) assert.deepEqual(await call(), OK);
  }
  await assert.rejects(call(), { code: "UPSTREAM_IDENTITY_MISMATCH", detail: { reason: "wrong-name", sent: 0 } });
});

test("names count only as alternative names, and a wildcard stands for one label", async (t) => {
  const cases: readonly (readonly [readonly string[], string, string])[] = [
    [["other.example.test"], HOST, "wrong-name"],
    [["other.example.test", HOST], HOST, "accepted"],
    [["*.example.test"], HOST, "accepted"],
    [["*.example.test"], "a.tools.example.test", "wrong-name"],
    [["*.example.test"], "example.test", "wrong-name"],
    [["*.test"], "example.test", "wrong-name"],
    [["example.test"], HOST, "wrong-name"],
    [["127.0.0.1"], "127.0.0.1", "accepted"],
    [["127.0.0.2"], "127.0.0.1", "wrong-name"],
    [["127.0.0.1"], HOST, "wrong-name"],
    [[], HOST, "wrong-name"],
  ];
  for (const [hosts, host, expected] of cases)
    assert.equal(
      await outcomeOf(await serve(t, issuing.issue(hosts, { subject: host })), {}, host),
      expected,
      `${hosts.join()} for ${host}`,
    );
});

test("a certificate of the chain outside its dates is refused", async (t) => {
  const over = { from: inDays(-2), to: inDays(-1) };
  const early = { from: inDays(1), to: inDays(2) };
  assert.equal(await outcomeOf(await serve(t, issuing.issue([HOST], over))), "expired");
  assert.equal(await outcomeOf(await serve(t, issuing.issue([HOST], early))), "not-yet-valid");
  assert.equal(await outcomeOf(await serve(t, root.authority("Over", over).issue([HOST]))), "expired");
  assert.equal(await outcomeOf(await serve(t, root.authority("Early", early).issue([HOST]))), "not-yet-valid");
});

test("dates are held to the caller's clock beside the machine's", async (t) => {
  const wide = { from: inDays(-10), to: inDays(10) };
  const short = root.authority("Short");
  for (const certificate of [issuing.issue([HOST]), short.issue([HOST], wide)]) {
    const server = await serve(t, certificate);
    const at = (days: number) => outcomeOf(server, { now: () => Date.now() + days * DAY });
    assert.equal(await at(2), "expired");
    assert.equal(await at(-2), "not-yet-valid");
  }
});

test("a certificate that no trusted root vouches for is refused", async (t) => {
  const stranger = TestAuthority.root("Stranger");
  const sameName = TestAuthority.root("Root");
  assert.equal(await outcomeOf(await serve(t, selfSigned(testKey(), HOST))), "self-signed");
  assert.equal(await outcomeOf(await serve(t, stranger.issue([HOST]))), "unknown-issuer");
  const { leaf, key } = stranger.issue([HOST]);
  assert.equal(await outcomeOf(await serve(t, { cert: leaf + stranger.certificate, key })), "unknown-issuer");
  assert.notEqual(await outcomeOf(await serve(t, sameName.issue([HOST]))), "accepted");
});

test("an intermediate that the server does not send is not made up for", async (t) => {
  const { leaf, key } = issuing.issue([HOST]);
  assert.equal(await outcomeOf(await serve(t, { cert: leaf, key })), "unknown-issuer");
});

test("a server's certificate issues no other", async (t) => {
  const server = root.authority("Server", { authority: false });
  assert.equal(await outcomeOf(await serve(t, server.issue([HOST]))), "invalid-chain");
});

test("an authority vouches for no name beyond its constraints, and a client's certificate for no server", async (t) => {
  const narrow = root.authority("Narrow", { permitted: "example.test" });
  assert.equal(await outcomeOf(await serve(t, narrow.issue([HOST]))), "accepted");
  const outside = await serve(t, narrow.issue(["tools.example.org"]));
  assert.equal(await outcomeOf(outside, {}, "tools.example.org"), "invalid-chain");
  assert.equal(await outcomeOf(await serve(t, issuing.issue([HOST], { usage: "client" }))), "invalid-chain");
  assert.equal(await outcomeOf(await serve(t, issuing.issue([HOST], { usage: "server" }))), "accepted");
});

test("a pinned authority must be above the leaf, in the path that its signatures make", async (t) => {
  const other = root.authority("Other");
  const pins = (...keys: readonly TestAuthority[]) => ({ issuerPins: keys.map(({ key }) => key.pin) });
  const server = await serve(t, issuing.issue([HOST]));
  for (const pinned of [pins(issuing), pins(root), pins(other, issuing)])
    assert.equal(await outcomeOf(server, pinned), "accepted");
  for (const pinned of [pins(other), { issuerPins: [issuing.issue([HOST]).pin] }])
    assert.equal(await outcomeOf(await serve(t, issuing.issue([HOST])), pinned), "wrong-issuer");
  const own = issuing.issue([HOST]);
  assert.equal(await outcomeOf(await serve(t, own), { issuerPins: [own.pin] }), "wrong-issuer");
  // Sending the pinned authority along does not make it the issuer, not even under its name.
  const named = other.authority(issuing.name);
  for (const { cert, key } of [other.issue([HOST]), named.issue([HOST])])
    assert.equal(
      await outcomeOf(await serve(t, { cert: cert + issuing.certificate, key }), pins(issuing)),
      "wrong-issuer",
    );
});

test("a certificate that is no authority's makes no path to a pinned one", async (t) => {
  const middle = root.authority("Middle");
  const disguised = issuing.authority(middle.name, { key: middle.key, authority: false });
  const { cert, key } = middle.issue([HOST]);
  const server = await serve(t, { cert: cert + disguised.certificate + issuing.certificate, key });
  assert.equal(await outcomeOf(server, { issuerPins: [middle.key.pin] }), "accepted");
  const again = await serve(t, { cert: cert + disguised.certificate + issuing.certificate, key });
  assert.equal(await outcomeOf(again, { issuerPins: [issuing.key.pin] }), "wrong-issuer");
});

test("a pinned authority that another authority vouches for, too, is found", async (t) => {
  const second = TestAuthority.root("Second");
  const crossed = second.authority(issuing.name, { key: issuing.key });
  const { leaf, key } = issuing.issue([HOST]);
  const cert = leaf + crossed.certificate + issuing.certificate;
  const roots = rootsOf(root, second);
  for (const pinned of [root, second, issuing])
    assert.equal(await outcomeOf(await serve(t, { cert, key }), { roots, issuerPins: [pinned.key.pin] }), "accepted");
});

test("an authority whose certificate has ended is passed over for its newer one", async (t) => {
  const over = root.authority(issuing.name, { key: issuing.key, from: inDays(-2), to: inDays(0.5) });
  const { leaf, key } = issuing.issue([HOST], { to: inDays(5) });
  const renewed = root.authority(issuing.name, { key: issuing.key, to: inDays(5) });
  const roots = rootsOf(TestAuthority.root("Root", { key: root.key, to: inDays(5) }));
  const server = await serve(t, { cert: leaf + over.certificate + renewed.certificate, key });
  assert.equal(await outcomeOf(server, { roots, now: () => Date.now() + DAY }), "accepted");
});

test("a root vouches only for servers that are held to it", async (t) => {
  const own = TestAuthority.root("Own");
  const server = await serve(t, own.issue([HOST]));
  assert.equal(await outcomeOf(server, { roots: rootsOf(own) }), "accepted");
  assert.equal(await outcomeOf(await serve(t, own.issue([HOST])), { roots: rootsOf(root) }), "unknown-issuer");
  assert.equal(await outcomeOf(await serve(t, own.issue([HOST])), { roots: BUNDLED_ROOTS }), "unknown-issuer");
});

test("more certificates than a chain needs are refused", async (t) => {
  const { cert, key } = issuing.issue([HOST]);
  assert.equal(await outcomeOf(await serve(t, { cert: cert + issuing.certificate.repeat(16), key })), "invalid-chain");
});

for (const version of ["TLSv1.3", "TLSv1.2"] as const)
  test(`${version}: no session is resumed, and each connection is checked anew`, async (t) => {
    const resumed: boolean[] = [];
    const options: TlsOptions = { minVersion: version, maxVersion: version, ticketKeys: Buffer.alloc(48, 7) };
    const server = await ScriptedServer.start(
      (request, socket) => {
        resumed.push((socket as TLSSocket).isSessionReused());
        socket.end(json(reply(request, OK), { connection: "close" }));
      },
      { ...options, ...issuing.issue([HOST]) },
    );
    t.after(() => server.close());
    let time = Date.now();
    const upstream = clientOf(server, { now: () => time }, HOST);
    t.after(() => upstream.close());
    const call = async (): Promise<JsonObject> => await upstream.callTool("s", toolNamed("tool"), {}, forever);
    assert.deepEqual([await call(), await call()], [OK, OK]);
    assert.deepEqual(resumed, [false, false]);
    time += 2 * DAY;
    await assert.rejects(call(), { code: "UPSTREAM_IDENTITY_MISMATCH", detail: { reason: "expired", sent: 0 } });
    assert.equal(server.calls().length, 2);
  });

test("TLS 1.2: a server that renegotiates after it was checked is cut off, and there is no TLS below 1.2", async (t) => {
  const server = await ScriptedServer.start(
    (request, socket) => {
      (socket as TLSSocket).renegotiate({}, (error) => {
        if (error === null) socket.write(json(reply(request, OK)));
      });
    },
    { ...issuing.issue([HOST]), maxVersion: "TLSv1.2" },
  );
  t.after(() => server.close());
  const upstream = clientOf(server, {}, HOST);
  t.after(() => upstream.close());
  await assert.rejects(upstream.callTool("s", toolNamed("tool"), {}, AbortSignal.timeout(500)), CmcpError);
  const old = await serve(t, {
    ...issuing.issue([HOST]),
    minVersion: "TLSv1",
    maxVersion: "TLSv1.1",
    ciphers: "DEFAULT:@SECLEVEL=0",
  });
  const refused = clientOf(old, {}, HOST);
  t.after(() => refused.close());
  await assert.rejects(refused.callTool("s", toolNamed("tool"), {}, forever), { code: "UPSTREAM_UNAVAILABLE" });
});

test("a server that asks is shown the client certificate", async (t) => {
  const own = selfSigned(testKey(), "client");
  const shown: (string | undefined)[] = [];
  const server = await ScriptedServer.start(
    (request, socket) => {
      shown.push((socket as TLSSocket).getPeerX509Certificate()?.subjectAltName);
      socket.write(json(reply(request, OK)));
    },
    { ...issuing.issue([HOST]), requestCert: true, rejectUnauthorized: false },
  );
  t.after(() => server.close());
  const roots = rootsOf(root);
  for (const client of [undefined, { certificate: own.cert, privateKey: own.key }]) {
    const upstream = clientOf(server, { roots }, HOST, client);
    t.after(() => upstream.close());
    assert.deepEqual(await upstream.callTool("s", toolNamed("tool"), {}, forever), OK);
  }
  assert.deepEqual(new Set(shown), new Set([undefined, "DNS:client"]));
});

test("roots of one's own are certificates of authorities that signed themselves", () => {
  const der = Buffer.from(root.certificate.replaceAll(/-----[A-Z ]+-----|\n/g, ""), "base64").toString("base64");
  assert.doesNotThrow(() => readTrustedRoots("corp", [root.certificate, der]));
  const refused: readonly (readonly [string, RegExp])[] = [
    ["no certificate", /corp: certificate 0 is neither PEM nor/],
    [issuing.certificate, /corp: certificate 0 is not the root/],
    [root.authority("Other name", { key: root.key }).certificate, /corp: certificate 0 is not the root/],
    [selfSigned(testKey(), HOST).cert, /corp: certificate 0 is not the root/],
  ];
  for (const [text, message] of refused)
    assert.throws(() => readTrustedRoots("corp", [text]), { code: "CONFIG_INVALID", message });
});

test("the roots that are compiled into Node are there", () => {
  assert.ok(BUNDLED_ROOTS.context(null) === BUNDLED_ROOTS.context(null));
  assert.equal(BUNDLED_ROOTS.size > 100, true);
});

test("each reason of a refused chain was seen", () => {
  const ofOthers = ["no-certificate", "wrong-key", "wrong-spiffe-id", "invalid-svid"];
  assert.deepEqual(
    IDENTITY_FAULTS.filter((fault) => !seen.has(fault)),
    ofOthers,
  );
});
