import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duplexPair, type Duplex } from "node:stream";
import { test, type TestContext } from "node:test";
import type { EgressTarget, PeerEgress } from "@cmcp/mcp";
import { ProcessEgress } from "./process-egress.ts";

const TARGET = { host: "api.example", port: 443 };
const CONNECT = "CONNECT api.example:443 HTTP/1.1\r\n\r\n";
const NEVER = new Promise<never>(() => undefined);

/** A call that allows a connection or not, and writes down what it is asked. */
class FakeCall implements PeerEgress {
  readonly counted = { sent: 0, received: 0, before: 0 };
  readonly #name: string;
  readonly #log: string[];
  readonly #allows: boolean;
  readonly #stores: boolean;

  readonly #until: Promise<void>;

  constructor(name: string, log: string[], { allows = true, stores = true, until = Promise.resolve() } = {}) {
    this.#until = until;
    this.#name = name;
    this.#log = log;
    this.#allows = allows;
    this.#stores = stores;
  }

  decide({ host, port }: EgressTarget): ReturnType<PeerEgress["decide"]> {
    this.#log.push(`${this.#name} decides ${host}:${port}`);
    return {
      isAllowed: this.#allows,
      record: async (isConnected) => {
        await this.#until;
        await new Promise((resolve) => setImmediate(resolve));
        if (!this.#stores) throw new Error("the store is gone");
        this.#log.push(`${this.#name} records ${isConnected}`);
      },
    };
  }

  countRefusedBefore(connections: number): void {
    this.counted.before += connections;
  }

  count(sent: number, received: number): void {
    this.counted.sent += sent;
    this.counted.received += received;
  }
}

interface Scene {
  readonly egress: ProcessEgress;
  readonly log: string[];
  /** Resolves with the far end of the next connection to a host. */
  readonly dialled: Promise<Duplex>;
  /** The server's next connection to its proxy. */
  readonly server: () => Promise<Socket>;
}

async function scene(t: TestContext, closed: Promise<unknown> = NEVER): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-egress-"));
  const listener = createServer({ allowHalfOpen: true }).listen(join(folder, "s"));
  await once(listener, "listening");
  const over = Promise.withResolvers<void>();
  t.after(() => {
    over.resolve();
    listener.close();
    rmSync(folder, { recursive: true });
  });
  const waiting: Socket[] = [];
  let wake = (): void => undefined;
  listener.on("connection", (server) => {
    server.on("error", () => undefined);
    t.after(() => server.destroy());
    waiting.push(server);
    wake();
  });
  const log: string[] = [];
  const dialled = Promise.withResolvers<Duplex>();
  const egress = new ProcessEgress({
    open: async () => {
      const socket = connect({ path: join(folder, "s"), allowHalfOpen: true });
      await once(socket, "connect");
      return socket;
    },
    dial: async (host, port) => {
      log.push(`dialled ${host}:${port}`);
      const [near, far] = duplexPair({ allowHalfOpen: true });
      dialled.resolve(far);
      return near;
    },
    closed: Promise.race([closed, over.promise]),
  });
  const server = async (): Promise<Socket> => {
    while (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return waiting.shift() ?? assert.fail();
  };
  return { egress, log, dialled: dialled.promise, server };
}

async function answer(socket: Socket): Promise<string> {
  const [chunk] = (await once(socket, "data")) as [Buffer];
  return chunk.toString().split("\r\n")[0] ?? "";
}

/** Sends a request, and what it is answered with. */
async function ask(socket: Socket, text = CONNECT): Promise<string> {
  socket.write(text);
  return await answer(socket);
}

/** A tunnel that nobody closes is waited for no longer. */
const HANGS = { timeout: 30_000 };

test("every call that runs decides, each decision is stored, and only then is the host dialled", async (t) => {
  const { egress, log, server, dialled } = await scene(t);
  const [first, second] = [new FakeCall("a", log), new FakeCall("b", log)];
  let isOpen = true;
  await egress.during(first, async () => {
    await egress.during(second, async () => {
      const socket = await server();
      assert.equal(await ask(socket), "HTTP/1.1 200 Connection Established");
      assert.deepEqual(log.toSorted(), [
        "a decides api.example:443",
        "a records true",
        "b decides api.example:443",
        "b records true",
        "dialled api.example:443",
      ]);
      assert.equal(log.at(-1), "dialled api.example:443");
      const far = await dialled;
      socket.write("hello");
      assert.equal(String((await once(far, "data"))[0]), "hello");
      far.write("and back");
      assert.equal(String((await once(socket, "data"))[0]), "and back");
      socket.once("close", () => (isOpen = false));
    });
    assert.ok(isOpen, "the other call still runs");
    const socket = await server();
    socket.destroy();
  });
  const counted = { sent: 5, received: 8, before: 0 };
  assert.deepEqual([first.counted, second.counted], [counted, counted]);
});

test("where one call refuses, or its entry is not stored, nothing is dialled", async (t) => {
  for (const other of [{ allows: false }, { stores: false }]) {
    const { egress, log, server } = await scene(t);
    await egress.during(new FakeCall("a", log), async () => {
      await egress.during(new FakeCall("b", log, other), async () => {
        assert.equal(await ask(await server()), "HTTP/1.1 403 Forbidden");
      });
    });
    assert.ok(
      log.every((line) => !line.startsWith("dialled")),
      log.join(),
    );
    assert.ok(log.includes(`a records ${other.allows ?? true}`), log.join());
  }
});

test("where the last call ends before its entry is stored, nothing is dialled", async (t) => {
  const { egress, log, server } = await scene(t);
  const ended = Promise.withResolvers<void>();
  const socket = await server();
  await egress.during(new FakeCall("a", log, { until: ended.promise }), async () => {
    socket.write(CONNECT);
    while (log.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });
  ended.resolve();
  assert.equal(await answer(socket), "HTTP/1.1 403 Forbidden");
  assert.deepEqual(log, ["a decides api.example:443", "a records true"]);
});

test("a request that no call decides allows nothing, and the next call counts it", async (t) => {
  const { egress, log, server } = await scene(t);
  assert.equal(await ask(await server()), "HTTP/1.1 403 Forbidden");
  await egress.during(undefined, async () => assert.equal(await ask(await server()), "HTTP/1.1 403 Forbidden"));
  const call = new FakeCall("a", log);
  await egress.during(call, async () => undefined);
  assert.equal(call.counted.before, 2);
  assert.deepEqual(log, []);
});

test(
  "a call that begins decides open tunnels again, and closes those that it refuses or cannot store",
  HANGS,
  async (t) => {
    for (const other of [{ allows: false }, { stores: false }]) {
      const { egress, log, server } = await scene(t);
      await egress.during(new FakeCall("a", log), async () => {
        const socket = await server();
        assert.match(await ask(socket), /200/);
        const closed = once(socket, "close");
        socket.resume();
        await egress.during(new FakeCall("b", log), async () => assert.equal(socket.readableEnded, false));
        await egress.during(new FakeCall("c", log, other), async () => {
          socket.end();
          await closed;
        });
        assert.ok(log.includes("b records true") && log.includes(`c decides ${TARGET.host}:${TARGET.port}`));
      });
    }
  },
);

test("when no call runs any more, tunnels are closed", HANGS, async (t) => {
  const { egress, log, server, dialled } = await scene(t);
  const far = await egress.during(new FakeCall("a", log), async () => {
    assert.match(await ask(await server()), /200/);
    return await dialled;
  });
  far.resume();
  if (!far.readableEnded && !far.destroyed) await Promise.race([once(far, "end"), once(far, "close")]);
});

test("a process has sixteen tunnels at one time", async (t) => {
  const { egress, log, server } = await scene(t);
  await egress.during(new FakeCall("a", log), async () => {
    for (let i = 0; i < 16; i += 1) assert.match(await ask(await server()), /200/);
    assert.equal(await ask(await server()), "HTTP/1.1 503 Service Unavailable");
  });
});

test("when the process ends, so do its tunnels", HANGS, async (t) => {
  const closed = Promise.withResolvers<void>();
  const { egress, log, server } = await scene(t, closed.promise);
  await egress.during(new FakeCall("a", log), async () => {
    const socket = await server();
    assert.match(await ask(socket), /200/);
    socket.resume();
    const ended = once(socket, "end");
    closed.resolve();
    await ended;
  });
});

test("a request in another form is answered and decided by nobody", async (t) => {
  const { egress, log, server } = await scene(t);
  await egress.during(new FakeCall("a", log), async () => {
    assert.equal(await ask(await server(), "GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 405 Method Not Allowed");
    assert.equal(await ask(await server(), "hello"), "HTTP/1.1 400 Bad Request");
  });
  assert.deepEqual(log, []);
});
