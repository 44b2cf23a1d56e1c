import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { examine } from "@cmcp/boundary";
import { ExchangePool, unixDialer, type OutgoingExchange } from "@cmcp/wire";
import { listenServices } from "../services.ts";
import { SqliteStore } from "../store/sqlite/sqlite-store.ts";
import { memoryLog } from "../testing/memory-log.ts";
import { temporaryDirectory } from "../testing/temporary-directory.ts";
import { egressAllowList } from "./allow-list.ts";
import { EGRESS_LIMITS, EgressRelay, type EgressLimits } from "./relay.ts";

async function upstream(t: TestContext, onSocket: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    onSocket(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

interface Harness {
  readonly relay: EgressRelay;
  readonly open: (host: string, port: number) => Promise<OutgoingExchange>;
}

/** A relay behind its real socket, and the enclave's pool of streams to it. */
async function harness(t: TestContext, allow: string[], limits: Partial<EgressLimits> = {}): Promise<Harness> {
  const path = join(temporaryDirectory(t), "services.sock");
  const { log } = memoryLog();
  const relay = new EgressRelay(egressAllowList(allow), log, { ...EGRESS_LIMITS, ...limits });
  const listener = await listenServices(path, { relay, store: new SqliteStore(null, { durable: false }), log });
  const pool = new ExchangePool(unixDialer(path), { maxStreams: 16 });
  t.after(async () => {
    await pool.close();
    await listener.close();
  });
  return { relay, open: (host, port) => pool.open({ t: "egress", host, port }) };
}

async function collected(body: OutgoingExchange["body"]): Promise<string> {
  let text = "";
  for await (const part of body) text += Buffer.from(examine(part)).toString("latin1");
  return text;
}

test("bytes pass in both directions at once and each direction ends on its own", async (t) => {
  const { port } = await upstream(t, (socket) => {
    socket.write("hello ");
    socket.on("data", (chunk) => socket.write(chunk.toString().toUpperCase()));
    socket.on("end", () => socket.end(" bye"));
  });
  const { relay, open } = await harness(t, [`127.0.0.1:${port}`]);
  const exchange = await open("127.0.0.1", port);
  assert.deepEqual(await exchange.head, { status: 200, headers: {} });
  await exchange.write(Buffer.from("abc"));
  await exchange.end();
  assert.equal(await collected(exchange.body), "hello ABC bye");
  await settled(relay);
  assert.deepEqual(relay.counters, { open: 0, connected: 1, refused: 0, bytesUp: 3, bytesDown: 13 });
});

test("an upstream that ends first can still be sent to (half-open)", async (t) => {
  const received = Promise.withResolvers<string>();
  const { port } = await upstream(t, (socket) => {
    let text = "";
    socket.end("early");
    socket.on("data", (chunk) => (text += chunk.toString())).on("end", () => received.resolve(text));
  });
  const { relay, open } = await harness(t, [`127.0.0.1:${port}`]);
  const exchange = await open("127.0.0.1", port);
  assert.equal(await collected(exchange.body), "early");
  await exchange.write(Buffer.from("late"));
  await exchange.end();
  assert.equal(await received.promise, "late");
  await settled(relay);
});

test("only exact addresses of the list are connected to", async (t) => {
  let connections = 0;
  const { port } = await upstream(t, () => (connections += 1));
  const { relay, open } = await harness(t, [`127.0.0.1:${port}`, "tools.example:443"]);
  const others: [string, number][] = [
    ["127.0.0.1", port === 65_535 ? 1 : port + 1],
    ["localhost", port],
    ["127.0.0.2", port],
    ["tools.example", 80],
    ["a.tools.example", 443],
    ["tools.example.", 443],
    ["tools-example", 443],
  ];
  for (const [host, otherPort] of others) {
    const exchange = await open(host, otherPort);
    await assert.rejects(exchange.head, { code: "EGRESS_NOT_ALLOWED" }, `${host}:${otherPort}`);
  }
  assert.equal(connections, 0);
  assert.equal(relay.counters.refused, others.length);
});

test("a name is resolved by the host", async (t) => {
  const { port } = await upstream(t, (socket) => socket.end("x"));
  const { open } = await harness(t, [`localhost:${port}`]);
  const exchange = await open("localhost", port);
  await exchange.end();
  assert.equal(await collected(exchange.body), "x");
});

test("a refused connection is UPSTREAM_UNAVAILABLE, and the next good one works", async (t) => {
  const { server, port } = await upstream(t, () => undefined);
  server.close();
  await once(server, "close");
  const alive = await upstream(t, (socket) => socket.end("x"));
  const { open } = await harness(t, [`127.0.0.1:${port}`, `127.0.0.1:${alive.port}`]);
  await assert.rejects((await open("127.0.0.1", port)).head, { code: "UPSTREAM_UNAVAILABLE" });
  assert.equal((await (await open("127.0.0.1", alive.port)).head).status, 200);
});

test("a connection that is not made in time is UPSTREAM_TIMEOUT", async (t) => {
  // A process that listens and never accepts: once its queue of two is full, the kernel drops further SYNs.
  const source = `
    const server = require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
      require("node:fs").writeSync(1, String(server.address().port));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const deaf = spawn(process.execPath, ["--eval", source], { stdio: ["ignore", "pipe", "inherit"] });
  const [printed] = (await once(deaf.stdout, "data")) as [Buffer];
  const port = Number(printed.toString());
  const queued = Array.from({ length: 4 }, () => connect(port, "127.0.0.1").on("error", () => undefined));
  t.after(() => {
    for (const socket of queued) socket.destroy();
    deaf.kill("SIGKILL");
  });
  await Promise.all(queued.slice(0, 2).map((socket) => once(socket, "connect")));
  const { open } = await harness(t, [`127.0.0.1:${port}`], { connectMs: 200 });
  const exchange = await open("127.0.0.1", port);
  await assert.rejects(exchange.head, { code: "UPSTREAM_TIMEOUT" });
});

test("connections over the limit are refused, and a freed one is usable", async (t) => {
  const { port } = await upstream(t, (socket) => socket.on("end", () => socket.end()).resume());
  const { relay, open } = await harness(t, [`127.0.0.1:${port}`], { connections: 1 });
  const first = await open("127.0.0.1", port);
  await first.head;
  await assert.rejects((await open("127.0.0.1", port)).head, { code: "OVERLOADED" });
  await first.end();
  await collected(first.body);
  await settled(relay);
  assert.equal((await (await open("127.0.0.1", port)).head).status, 200);
});

test("an enclave that goes away closes the connection to the tool server", async (t) => {
  const closed = Promise.withResolvers<undefined>();
  const { port } = await upstream(t, (socket) => socket.on("end", () => closed.resolve(undefined)).resume());
  const { relay, open } = await harness(t, [`127.0.0.1:${port}`]);
  const exchange = await open("127.0.0.1", port);
  await exchange.head;
  exchange.abort();
  await closed.promise;
  await settled(relay);
});

test("an enclave that goes away while a silent tool server is to answer closes the connection too", async (t) => {
  const ended = Promise.withResolvers<undefined>();
  const { port } = await upstream(t, (socket) => socket.on("end", () => ended.resolve(undefined)).resume());
  const { relay, open } = await harness(t, [`127.0.0.1:${port}`]);
  const exchange = await open("127.0.0.1", port);
  await exchange.head;
  await exchange.end();
  await ended.promise;
  exchange.abort();
  await settled(relay);
});

test("a reset by the tool server reaches the enclave as an error, not as an end", async (t) => {
  const { port } = await upstream(t, (socket) => {
    socket.write("part");
    socket.once("data", () => socket.resetAndDestroy());
  });
  const { relay, open } = await harness(t, [`127.0.0.1:${port}`]);
  const exchange = await open("127.0.0.1", port);
  await exchange.head;
  await exchange.write(Buffer.from("x"));
  await assert.rejects(collected(exchange.body), { code: "UPSTREAM_UNAVAILABLE" });
  await settled(relay);
});

test("a tool server that has ended and then resets ends the exchange at the next byte", async (t) => {
  const { port } = await upstream(t, (socket) => {
    socket.end("done");
    socket.once("data", () => socket.resetAndDestroy());
  });
  const { relay, open } = await harness(t, [`127.0.0.1:${port}`]);
  const exchange = await open("127.0.0.1", port);
  assert.equal(await collected(exchange.body), "done");
  while (relay.counters.open > 0) {
    await exchange.write(Buffer.from("x"));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
});

test("an idle connection is given up", async (t) => {
  const { port } = await upstream(t, (socket) => socket.resume());
  const { open } = await harness(t, [`127.0.0.1:${port}`], { idleMs: 50 });
  const exchange = await open("127.0.0.1", port);
  await assert.rejects(collected(exchange.body), { code: "UPSTREAM_TIMEOUT" });
});

test("a tool server that does not read holds the enclave back, and is given up", async (t) => {
  const { port } = await upstream(t, (socket) => socket.pause());
  const { relay, open } = await harness(t, [`127.0.0.1:${port}`], { idleMs: 1_000 });
  const exchange = await open("127.0.0.1", port);
  await exchange.head;
  let stalled = false;
  for (let sent = 0; sent < 4_096 && !stalled; sent += 1) {
    stalled = await Promise.race([
      exchange.write(Buffer.alloc(32_768)).then(() => false),
      new Promise<boolean>((resolve) => setTimeout(resolve, 300, true)),
    ]);
  }
  assert.ok(stalled, "128 MiB were taken for a server that reads nothing");
  assert.ok(relay.counters.bytesUp < 64 * 1024 * 1024);
  await assert.rejects(collected(exchange.body), { code: "UPSTREAM_TIMEOUT" });
  await settled(relay);
});

test("an enclave that does not read holds the tool server back", async (t) => {
  let socket: Socket | undefined;
  const { port } = await upstream(t, (opened) => {
    socket = opened;
    const fill = (): void => {
      while (opened.write(Buffer.alloc(65_536)));
    };
    opened.on("drain", fill);
    fill();
  });
  const { relay, open } = await harness(t, [`127.0.0.1:${port}`]);
  const exchange = await open("127.0.0.1", port);
  await exchange.head;
  let before = -1;
  while (before !== relay.counters.bytesDown) {
    before = relay.counters.bytesDown;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.ok(before < 64 * 1024 * 1024, `${before} bytes were read for an enclave that takes none`);
  assert.equal(socket?.writableNeedDrain, true);
  exchange.abort();
  await settled(relay);
});

async function settled(relay: EgressRelay): Promise<void> {
  while (relay.counters.open > 0) await new Promise((resolve) => setTimeout(resolve, 2));
}
