/** Each request says which server its connection was found to lead to. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import type { TlsOptions } from "node:tls";
import { silentPeer, type Peer } from "../peer.ts";
import { testKey, TestAuthority } from "../testing/certificate.ts";
import {
  EVENT_STREAM,
  ScriptedServer,
  chunk,
  event,
  http,
  json,
  reply,
  type Script,
} from "../testing/scripted-server.ts";
import { forever } from "../testing/upstream.ts";
import { fingerprintOf, type ServerAuthentication } from "./authentication.ts";
import { ChannelClient } from "./channel/client.ts";
import { httpSse } from "./channel/http-sse.ts";
import { UpstreamClient } from "./client.ts";
import type { UpstreamOptions } from "./options.ts";
import { readTrustedRoots } from "./trusted-roots.ts";

const root = TestAuthority.root("Root");
const issuing = root.authority("Issuing");
const roots = readTrustedRoots("test", [root.certificate]);
const CLIENT_INFO = { name: "gateway", version: "1" };
const CALL = { method: "tools/call", params: { name: "tool", arguments: {} } };

async function start(t: TestContext, script: Script, tls: TlsOptions): Promise<[ScriptedServer, UpstreamOptions]> {
  const server = await ScriptedServer.start(script, tls);
  t.after(() => server.close());
  const options: UpstreamOptions = {
    url: server.url,
    dial: server.dial,
    tls: { mode: "chain", roots, issuerPins: [], now: Date.now },
    clientInfo: CLIENT_INFO,
  };
  return [server, options];
}

/** A caller that keeps what it is told. */
function listener(): [Peer, ServerAuthentication[]] {
  const told: ServerAuthentication[] = [];
  // As an agent of MCP 2026-07-28: what a legacy server is told of it is another peer.
  return [{ ...silentPeer(forever), input: "retry", authenticated: (server) => void told.push(server) }, told];
}

const found = ({ pin }: { readonly pin: Uint8Array }, authority = issuing): ServerAuthentication => ({
  trust: "private-ca",
  key: fingerprintOf(pin),
  issuerKey: fingerprintOf(authority.key.pin),
});

for (const era of ["modern", "legacy"] as const)
  test(`${era}: a request is of the connection that it goes over, whatever the server shows on others`, async (t) => {
    const held: (() => void)[] = [];
    const [before, after] = [issuing.issue(["127.0.0.1"]), root.issue(["127.0.0.1"])];
    const [server, options] = await start(
      t,
      (request, socket) => void held.push(() => socket.write(json(reply(request, { content: [] })))),
      before,
    );
    const client = new UpstreamClient({ ...options, era });
    t.after(() => client.close());
    const [[first, ofFirst], [second, ofSecond], [third, ofThird]] = [listener(), listener(), listener()];
    const running = client.request("s", CALL, first);
    await server.arrival(({ message }) => message.method === "tools/call");
    server.setSecureContext(after);
    // Some may find a connection that stands idle since the session was opened.
    const renewed = Array.from({ length: 4 }, () => client.request("s", CALL, second));
    while (held.length < 5) await new Promise((resolve) => setImmediate(resolve));
    for (const answer of held.splice(0)) answer();
    await Promise.all([running, ...renewed]);
    assert.deepEqual(ofFirst, [found(before)]);
    assert.deepEqual(ofSecond.at(-1), found(after, root));
    const cancelling = client.request("s", { method: "tasks/cancel", params: { taskId: "a" } }, third);
    while (held.length < 1) await new Promise((resolve) => setImmediate(resolve));
    for (const answer of held.splice(0)) answer();
    await cancelling;
    assert.equal(ofThird.length, 1);
  });

test("a request over http-sse is of its message's connection and of the stream that answers it", async (t) => {
  let stream: Socket | undefined;
  const shown = issuing.issue(["127.0.0.1"]);
  const later = root.issue(["127.0.0.1"]);
  const [server, options] = await start(
    t,
    (request, socket) => {
      if (request.method === "GET") {
        stream = socket;
        server.setSecureContext(later);
        socket.write(EVENT_STREAM + chunk("event: endpoint\ndata: /messages\n\n"));
      } else {
        socket.write(http(202, {}, ""));
        stream?.write(event(reply(request, {})));
      }
    },
    shown,
  );
  server.handshake = {
    initialize: (request) => {
      stream?.write(
        event(reply(request, { protocolVersion: "2024-11-05", capabilities: {}, serverInfo: CLIENT_INFO })),
      );
      return http(202, {}, "");
    },
  };
  const closing = new AbortController();
  t.after(() => closing.abort());
  const open = httpSse(options, closing.signal);
  const client = new ChannelClient({ open: () => open, clientInfo: CLIENT_INFO });
  t.after(() => client.close());
  const [peer, told] = listener();
  await client.request("s", CALL, peer);
  assert.deepEqual(told, [found(shown), found(later, root)]);
});

test("a server whose key the catalog pins, or that is reached without TLS, needs no such word", async (t) => {
  const key = testKey();
  const [server, options] = await start(
    t,
    (request, socket) => void socket.write(json(reply(request, { content: [] }))),
    root.issue(["127.0.0.1"], { key }),
  );
  const client = new UpstreamClient({ ...options, tls: { mode: "pinned", spkiSha256: key.pin, now: Date.now } });
  t.after(() => client.close());
  const [peer, told] = listener();
  await client.request("s", CALL, peer);
  assert.equal(server.calls().length, 1);
  assert.deepEqual(told, []);
});
