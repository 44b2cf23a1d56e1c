import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { duplexPair } from "node:stream";
import { test, type TestContext } from "node:test";
import { readConnect } from "./connect-request.ts";
import { readHead } from "./read-head.ts";
import { Tunnel, type TunnelLimits } from "./tunnel.ts";

async function sockets(t: TestContext): Promise<{ readonly ours: Socket; readonly servers: Socket }> {
  const listener = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const servers = connect({
    port: (listener.address() as { port: number }).port,
    host: "127.0.0.1",
    allowHalfOpen: true,
  });
  const [ours] = (await once(listener, "connection")) as [Socket];
  listener.close();
  t.after(() => {
    ours.destroy();
    servers.destroy();
  });
  return { ours, servers };
}

async function relayed(t: TestContext, limits?: Partial<TunnelLimits>) {
  const { ours, servers } = await sockets(t);
  const [near, far] = duplexPair({ allowHalfOpen: true });
  const counted = { sent: 0, received: 0 };
  const tunnel = new Tunnel(
    { host: "api.example", port: 443 },
    (sent, received) => {
      counted.sent += sent;
      counted.received += received;
    },
    { idleMs: 20_000, maxBytes: 1_000_000, ...limits },
  );
  const over = tunnel.relay(ours, near, Buffer.from("first "));
  const heard: Buffer[] = [];
  servers.on("data", (chunk: Buffer) => heard.push(chunk));
  far.on("error", () => undefined);
  return { servers, far, over, counted, heard };
}

test("each way ends by itself, and nothing is lost", { timeout: 20_000 }, async (t) => {
  const { servers, far, over, counted, heard } = await relayed(t);
  const got: Buffer[] = [];
  far.on("data", (chunk: Buffer) => got.push(chunk));
  servers.end("and last");
  await once(far, "end");
  assert.equal(Buffer.concat(got).toString(), "first and last");
  far.end("x".repeat(300_000));
  await over;
  await once(servers, "end");
  assert.match(Buffer.concat(heard).toString(), /^HTTP\/1\.1 200 Connection Established\r\n\r\nx{300000}$/);
  assert.deepEqual(counted, { sent: "first and last".length, received: 300_000 });
});

test("a tunnel ends with more bytes than it may carry", { timeout: 20_000 }, async (t) => {
  const { servers, far, over } = await relayed(t, { maxBytes: 100 });
  far.resume();
  servers.write("x".repeat(101));
  await over;
});

test("a tunnel ends when nothing comes either way", { timeout: 20_000 }, async (t) => {
  const { far, over } = await relayed(t, { idleMs: 100 });
  far.resume();
  await over;
});

test("a head that does not come in time is refused", { timeout: 20_000 }, async (t) => {
  const { ours, servers } = await sockets(t);
  servers.write("CONNECT api.exam");
  assert.deepEqual(await readHead(ours, readConnect, 200), { kind: "refused", status: 408 });
  const second = await sockets(t);
  second.servers.end("CONNECT api.exam");
  assert.deepEqual(await readHead(second.ours, readConnect), { kind: "refused", status: 400 });
});
