import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import type { TLSSocket, TlsOptions } from "node:tls";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { UpstreamClient, type IdentityFault } from "../index.ts";
import { selfSigned, testKey, type TestKey } from "../testing/certificate.ts";
import { ScriptedServer, http, json, reply } from "../testing/scripted-server.ts";
import { toolNamed } from "../testing/upstream.ts";

const forever = new AbortController().signal;
const OK: JsonObject = { content: [] };
const key = testKey();
const otherKey = testKey();
const DAY = 86_400_000;

function client(server: ScriptedServer, pinned: TestKey, url: URL = server.url, now = Date.now): UpstreamClient {
  const tls = { mode: "pinned" as const, spkiSha256: pinned.pin, now };
  return new UpstreamClient({
    url,
    dial: (_, port) => server.dial("127.0.0.1", port),
    tls,
    clientInfo: { name: "gateway", version: "1" },
    limits: { connectMs: 2_000 },
  });
}

async function serve(t: TestContext, tls: TlsOptions): Promise<ScriptedServer> {
  const server = await ScriptedServer.start((request, socket) => void socket.write(json(reply(request, OK))), tls);
  t.after(() => server.close());
  return server;
}

async function call(
  server: ScriptedServer,
  pinned: TestKey,
  url?: URL,
): Promise<JsonObject | [string, unknown, unknown?]> {
  const upstream = client(server, pinned, url);
  try {
    return await upstream.callTool("s", toolNamed("tool"), {}, forever);
  } catch (thrown) {
    assert.ok(thrown instanceof CmcpError, String(thrown));
    const { sent, reason } = thrown.detail;
    return reason === undefined ? [thrown.code, sent] : [thrown.code, sent, reason];
  } finally {
    await upstream.close();
  }
}

const refused = (reason: IdentityFault) => ["UPSTREAM_IDENTITY_MISMATCH", 0, reason];

test("a self-signed certificate for 127.0.0.1 with the pinned key is accepted, in TLS 1.3 and 1.2", async (t) => {
  for (const maxVersion of ["TLSv1.3", "TLSv1.2"] as const) {
    assert.deepEqual(await call(await serve(t, { ...selfSigned(key, "127.0.0.1"), maxVersion }), key), OK);
  }
});

test("a renewed certificate with the same key still matches", async (t) => {
  const renewed = selfSigned(key, "127.0.0.1", { from: new Date(Date.now() - 1_000) });
  assert.deepEqual(await call(await serve(t, renewed), key), OK);
});

test("another key is refused before a byte of the request leaves", async (t) => {
  const server = await serve(t, selfSigned(otherKey, "127.0.0.1"));
  const upstream = client(server, key);
  t.after(() => upstream.close());
  await assert.rejects(upstream.callTool("s", toolNamed("tool"), {}, forever), {
    code: "UPSTREAM_IDENTITY_MISMATCH",
    detail: { reason: "wrong-key", sent: 0 },
  });
  assert.equal(server.requests.length, 0);
  assert.ok(server.dialled.length === 1 && server.dialled.every((stream) => stream.destroyed));
});

test("the pinned key in a certificate for another host is refused", async (t) => {
  assert.deepEqual(await call(await serve(t, selfSigned(key, "127.0.0.2")), key), refused("wrong-name"));
  const named = await serve(t, selfSigned(key, "tools.example.test"));
  assert.deepEqual(
    await call(named, key, new URL(`https://other.example.test:${named.port}/mcp`)),
    refused("wrong-name"),
  );
  assert.deepEqual(await call(named, key, new URL(`https://tools.example.test:${named.port}/mcp`)), OK);
});

test("the pinned key in a certificate outside its dates is refused", async (t) => {
  const now = Date.now();
  const over = selfSigned(key, "127.0.0.1", { from: new Date(now - 2 * DAY), to: new Date(now - DAY) });
  const early = selfSigned(key, "127.0.0.1", { from: new Date(now + DAY), to: new Date(now + 2 * DAY) });
  assert.deepEqual(await call(await serve(t, over), key), refused("expired"));
  assert.deepEqual(await call(await serve(t, early), key), refused("not-yet-valid"));
});

test("the dates of a certificate are held to the caller's clock, not to the machine's", async (t) => {
  const server = await serve(
    t,
    selfSigned(key, "127.0.0.1", { from: new Date(Date.now() - DAY), to: new Date(Date.now() + DAY) }),
  );
  for (const [ahead, expected] of [
    [0, "accepted"],
    [2 * DAY, "UPSTREAM_IDENTITY_MISMATCH"],
    [-2 * DAY, "UPSTREAM_IDENTITY_MISMATCH"],
  ] as const) {
    const upstream = client(server, key, server.url, () => Date.now() + ahead);
    const outcome = upstream.callTool("s", toolNamed("tool"), {}, forever).then(
      () => "accepted",
      (thrown: unknown) => (thrown instanceof CmcpError ? thrown.code : thrown),
    );
    assert.equal(await outcome, expected);
    await upstream.close();
  }
});

test("no TLS below 1.2", async (t) => {
  const old = await serve(t, {
    ...selfSigned(key, "127.0.0.1"),
    minVersion: "TLSv1",
    maxVersion: "TLSv1.1",
    ciphers: "DEFAULT:@SECLEVEL=0",
  });
  assert.deepEqual(await call(old, key), ["UPSTREAM_UNAVAILABLE", 0]);
});

test("a server that does not speak TLS is refused", async (t) => {
  const plain = createServer(
    (socket) => void socket.on("error", () => undefined).end("HTTP/1.1 400 Bad Request\r\n\r\n"),
  );
  plain.listen(0, "127.0.0.1");
  await once(plain, "listening");
  t.after(() => void plain.close());
  const upstream = new UpstreamClient({
    url: new URL("https://127.0.0.1/mcp"),
    dial: async () => connect((plain.address() as AddressInfo).port, "127.0.0.1"),
    tls: { mode: "pinned", spkiSha256: key.pin, now: Date.now },
    clientInfo: { name: "gateway", version: "1" },
  });
  t.after(() => upstream.close());
  await assert.rejects(upstream.callTool("s", toolNamed("tool"), {}, forever), { code: "UPSTREAM_UNAVAILABLE" });
});

for (const version of ["TLSv1.3", "TLSv1.2"] as const) {
  test(`${version}: a key that changes between two connections is found, although the server offers to resume`, async (t) => {
    const ticketKeys = Buffer.alloc(48, 7);
    const options: TlsOptions = { minVersion: version, maxVersion: version, ticketKeys };
    const resumed: boolean[] = [];
    let context = { ...options, ...selfSigned(key, "127.0.0.1") };
    const server = await ScriptedServer.start((request, socket) => {
      resumed.push((socket as TLSSocket).isSessionReused());
      socket.end(json(reply(request, OK), { connection: "close" }));
    }, context);
    t.after(() => server.close());
    const upstream = client(server, key);
    t.after(() => upstream.close());
    assert.deepEqual(await upstream.callTool("s", toolNamed("tool"), {}, forever), OK);
    assert.deepEqual(await upstream.callTool("s", toolNamed("tool"), {}, forever), OK);
    assert.deepEqual(resumed, [false, false]);
    context = { ...options, ...selfSigned(otherKey, "127.0.0.1") };
    server.setSecureContext(context);
    for (const socket of server.sockets) socket.destroy();
    await assert.rejects(upstream.callTool("s", toolNamed("tool"), {}, forever), {
      code: "UPSTREAM_IDENTITY_MISMATCH",
    });
    assert.equal(server.calls().length, 2);
  });
}

test("TLS 1.2: a server that renegotiates after the key was checked is cut off", async (t) => {
  const server = await ScriptedServer.start(
    (request, socket) => {
      (socket as TLSSocket).renegotiate({}, (error) => {
        if (error === null) socket.write(json(reply(request, OK)));
      });
    },
    { ...selfSigned(key, "127.0.0.1"), maxVersion: "TLSv1.2" },
  );
  t.after(() => server.close());
  const upstream = client(server, key);
  t.after(() => upstream.close());
  await assert.rejects(upstream.callTool("s", toolNamed("tool"), {}, AbortSignal.timeout(500)), CmcpError);
});

test("a client closed during the handshake leaves no stream open", async (t) => {
  const silent = await ScriptedServer.start(() => undefined);
  t.after(() => silent.close());
  const upstream = client(silent, key, new URL(`https://127.0.0.1:${silent.port}/mcp`));
  const pending = assert.rejects(upstream.callTool("s", toolNamed("tool"), {}, forever), {
    code: "UPSTREAM_UNAVAILABLE",
  });
  await new Promise((resolve) => setImmediate(resolve));
  await upstream.close();
  await pending;
  assert.ok(silent.dialled.every((stream) => stream.destroyed));
});

test("a redirect to another host is not followed, and the key stays with the pinned one", async (t) => {
  const server = await ScriptedServer.start(
    (_, socket) => void socket.write(http(308, { location: "https://127.0.0.1:1/" }, "")),
    selfSigned(key, "127.0.0.1"),
  );
  t.after(() => server.close());
  assert.deepEqual(await call(server, key), ["UPSTREAM_PROTOCOL_ERROR", 1]);
  assert.ok(server.dialled.length <= 2);
});

for (const version of ["TLSv1.3", "TLSv1.2"] as const)
  test(`${version}: a server that asks is shown the client certificate, and none where there is none`, async (t) => {
    const own = testKey();
    const { cert: certificate, key: privateKey } = selfSigned(own, "client");
    const shown: (string | undefined)[] = [];
    const options = { requestCert: true, rejectUnauthorized: false, minVersion: version, maxVersion: version } as const;
    const server = await ScriptedServer.start(
      (request, socket) => {
        shown.push((socket as TLSSocket).getPeerX509Certificate()?.toString());
        socket.write(json(reply(request, OK)));
      },
      { ...selfSigned(key, "127.0.0.1"), ...options },
    );
    t.after(() => server.close());
    for (const client of [undefined, { certificate, privateKey }]) {
      const upstream = new UpstreamClient({
        url: server.url,
        dial: (_, port) => server.dial("127.0.0.1", port),
        tls: { mode: "pinned", spkiSha256: key.pin, now: Date.now, ...(client === undefined ? {} : { client }) },
        clientInfo: { name: "gateway", version: "1" },
      });
      t.after(() => upstream.close());
      assert.deepEqual(await upstream.callTool("s", toolNamed("tool"), {}, forever), OK);
    }
    assert.deepEqual(new Set(shown), new Set([undefined, new X509Certificate(certificate).toString()]));
  });
