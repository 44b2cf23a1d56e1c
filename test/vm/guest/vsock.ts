/**
 * Runs inside the guest in place of the enclave: exercises AF_VSOCK, and the host's way of using it, over the
 * loopback (CID 1) and tells the host what came of it.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { HOST_CID, listenVsock, loadVsockAddon, vsockDialer, type Listener } from "@cmcp/wire";
import { runChecks } from "./check.ts";
import { report } from "./report.ts";
import { routeChecks } from "./route-checks.ts";

const LOCAL_CID = 1;
const addon = loadVsockAddon(process.env["CMCP_VSOCK_ADDON"] ?? "");
const never = new AbortController().signal;

const descriptors = (): number => readdirSync("/proc/self/fd").length;

/** The number of descriptors once what earlier checks closed is gone: closing takes a turn of the loop. */
async function settled(): Promise<number> {
  for (;;) {
    const count = descriptors();
    await delay(100);
    if (descriptors() === count) return count;
  }
}

async function settledTo(count: number): Promise<void> {
  for (let turn = 0; turn < 100 && descriptors() !== count; turn += 1) await delay(20);
  assert.equal(descriptors(), count, "every descriptor is closed again");
}

/** Resolves when the peer is gone: an end where it said so, an error where it did not. */
async function gone(stream: Duplex): Promise<void> {
  await new Promise<void>((resolve) => {
    stream
      .on("error", () => resolve())
      .on("end", () => resolve())
      .resume();
  });
}

async function dial(port: number): Promise<Duplex> {
  return await vsockDialer(addon, LOCAL_CID, port).dial(never);
}

/** A listener, and its accepted streams in order. */
function listen(
  port: number,
  options: { from?: number; maxStreams?: number } = {},
): { listener: Listener; accepted: () => Promise<Duplex> } {
  const streams: Duplex[] = [];
  let wake: (() => void) | undefined;
  const listener = listenVsock(
    addon,
    port,
    (stream) => {
      streams.push(stream);
      wake?.();
    },
    { from: LOCAL_CID, ...options },
  );
  const accepted = async (): Promise<Duplex> => {
    for (;;) {
      const stream = streams.shift();
      if (stream !== undefined) return stream;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { listener, accepted };
}

async function pair(port: number): Promise<{ client: Duplex; server: Duplex; close: () => Promise<void> }> {
  const { listener, accepted } = listen(port);
  const [client, server] = await Promise.all([dial(port), accepted()]);
  return {
    client,
    server,
    close: async () => {
      client.destroy();
      server.destroy();
      await listener.close();
    },
  };
}

async function bytesOf(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function worker(task: string): Promise<Worker> {
  const started = new Worker("/app/worker.cjs", { workerData: task });
  const [message] = (await once(started, "message")) as [unknown];
  assert.equal(message, "ready");
  return started;
}

const checks = {
  "bytes arrive in order in both directions": async () => {
    const { client, server, close } = await pair(11001);
    const sent = Buffer.from(Array.from({ length: 1_000_003 }, (_, index) => index % 251));
    client.end(sent);
    const received = await bytesOf(server);
    assert.ok(received.equals(sent));
    server.end(received);
    assert.ok((await bytesOf(client)).equals(sent));
    await close();
  },
  "nothing blocks: timers run while a peer takes nothing": async () => {
    const { client, server, close } = await pair(11002);
    let ticks = 0;
    const timer = setInterval(() => (ticks += 1), 5);
    assert.equal(client.write(Buffer.alloc(4_000_000)), false);
    await delay(300);
    clearInterval(timer);
    assert.ok(ticks >= 5, `${ticks} ticks`);
    assert.ok(client.writableNeedDrain);
    server.destroy();
    await close();
  },
  "a full peer is EAGAIN, and writing goes on when it reads": async () => {
    const { listener, accepted } = listen(11003);
    const events: string[] = [];
    let writable: (() => void) | undefined;
    const socket = addon.connect(LOCAL_CID, 11003, (...[event]) => {
      events.push(event);
      if (event === "writable") writable?.();
    });
    const server = await accepted();
    while (!events.includes("connected")) await delay(5);
    const piece = Buffer.alloc(65_536, 5);
    let sent = 0;
    for (let taken = addon.write(socket, piece); taken === piece.length; taken = addon.write(socket, piece))
      sent += taken;
    assert.equal(addon.write(socket, piece), 0, "no room is no bytes, not an error");
    assert.ok(sent >= 65_536);
    let received = 0;
    server.on("data", (chunk: Buffer) => (received += chunk.length));
    await new Promise<void>((resolve) => {
      writable = resolve;
    });
    assert.ok(addon.write(socket, piece) > 0);
    assert.equal(events.filter((event) => event === "writable").length, 1, "one notice for one refusal");
    assert.ok(received > 0);
    addon.close(socket);
    server.destroy();
    await listener.close();
  },
  "a half-close ends one direction only": async () => {
    const { client, server, close } = await pair(11004);
    client.end("question");
    assert.equal((await bytesOf(server)).toString(), "question");
    const answer = bytesOf(client);
    await delay(50);
    server.end("answer");
    assert.equal((await answer).toString(), "answer");
    await close();
  },
  "a peer that is gone is an error or an end, never silence": async () => {
    const { client, server, close } = await pair(11005);
    const noticed = gone(client);
    server.destroy();
    client.write(Buffer.alloc(1000));
    await noticed;
    await close();
  },
  "a connection nobody listens for is refused": async () => {
    const before = await settled();
    await assert.rejects(dial(11999), { code: "WIRE_UNREACHABLE" });
    await assert.rejects(vsockDialer(addon, 77, 5).dial(never), { code: "WIRE_UNREACHABLE" });
    await assert.rejects(vsockDialer(addon, LOCAL_CID, 11999).dial(AbortSignal.abort()), { code: "REQUEST_CANCELLED" });
    await settledTo(before);
  },
  "a port can be listened on once, and again after closing": async () => {
    const { listener } = listen(11006);
    assert.throws(() => listen(11006), { code: "WIRE_UNREACHABLE" });
    await listener.close();
    await listen(11006).listener.close();
  },
  "only the CID that may is served, and no more streams than allowed": async () => {
    const before = await settled();
    const strict = listen(11007, { from: HOST_CID });
    const refused = await dial(11007);
    await gone(refused);
    refused.destroy();
    await strict.listener.close();
    const narrow = listen(11008, { maxStreams: 1 });
    const [first, served] = await Promise.all([dial(11008), narrow.accepted()]);
    const second = await dial(11008);
    await gone(second);
    second.destroy();
    first.write("still here");
    assert.equal(String((await once(served, "data"))[0]), "still here");
    first.destroy();
    served.destroy();
    await narrow.listener.close();
    await settledTo(before);
  },
  "closing twice and using what is closed throws EBADF and nothing else": () => {
    const socket = addon.listen(11009, () => undefined);
    addon.close(socket);
    for (const call of [
      () => addon.close(socket),
      () => addon.read(socket, true),
      () => addon.write(socket, Buffer.alloc(1)),
      () => addon.shutdown(socket),
    ])
      assert.throws(call, { errno: 9 });
    assert.throws(() => addon.close({} as never), TypeError);
    assert.throws(() => addon.listen(11009, null as never), TypeError);
    assert.throws(() => addon.connect("x" as never, 1, () => undefined), TypeError);
    return Promise.resolve();
  },
  "ten thousand connections opened and closed leave no descriptor": async () => {
    const { listener, accepted } = listen(11010);
    const before = await settled();
    for (let round = 0; round < 10_000; round += 1) {
      const [client, server] = await Promise.all([dial(11010), accepted()]);
      client.destroy();
      server.destroy();
    }
    await settledTo(before);
    await listener.close();
  },
  "workers have sockets of their own": async () => {
    const echo = await worker("echo");
    const client = await dial(2000);
    client.end("to a worker");
    assert.equal((await bytesOf(client)).toString(), "to a worker");
    await echo.terminate();
  },
  "a worker that ends, or is ended, closes what it had open": async () => {
    const before = await settled();
    const holder = await worker("hold");
    const client = await dial(2001);
    const noticed = gone(client);
    await holder.terminate();
    await noticed;
    client.destroy();
    await settledTo(before);
    await assert.rejects(dial(2001), { code: "WIRE_UNREACHABLE" });
    for (let round = 0; round < 20; round += 1) await (await worker("hold")).terminate();
    await settledTo(before);
    const leaving = await worker("leave");
    await once(leaving, "exit");
    await settledTo(before);
  },
};

report(addon, runChecks({ ...checks, ...routeChecks }), HOST_CID);
