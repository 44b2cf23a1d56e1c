import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import type { StdioChannel } from "../channel/channel.ts";
import { StdioProcesses } from "./processes.ts";

/** A process whose life the test decides. */
class FakeChannel implements StdioChannel {
  readonly digest = new Uint8Array(32);
  readonly egress = null;
  readonly closed: Promise<CmcpError>;
  readonly server: number;
  ended = false;
  #end: (why: CmcpError) => void = () => undefined;

  constructor(server: number) {
    this.server = server;
    this.closed = new Promise((resolve) => (this.#end = resolve));
  }

  onMessage(): void {}

  async send(): Promise<void> {}

  async close(): Promise<void> {
    this.crash();
  }

  crash(): void {
    this.ended = true;
    this.#end(new CmcpError("UPSTREAM_UNAVAILABLE", "ended"));
  }
}

function starter(): { readonly started: FakeChannel[]; readonly start: (server: number) => Promise<StdioChannel> } {
  const started: FakeChannel[] = [];
  return {
    started,
    start: async (server) => {
      const channel = new FakeChannel(server);
      started.push(channel);
      return channel;
    },
  };
}

const itself = async (channel: StdioChannel): Promise<StdioChannel> => channel;
/** Lets everything that is due happen. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("one process for each principal and server", async () => {
  const { started, start } = starter();
  const processes = new StdioProcesses(start);
  const first = await processes.use({ principal: "a", server: 0 }, itself);
  assert.equal(await processes.use({ principal: "a", server: 0 }, itself), first);
  assert.notEqual(await processes.use({ principal: "b", server: 0 }, itself), first);
  assert.notEqual(await processes.use({ principal: "a", server: 1 }, itself), first);
  assert.deepEqual(
    started.map(({ server }) => server),
    [0, 0, 1],
  );
  // Principals may hold any character a separator could be made of.
  assert.notEqual(
    await processes.use({ principal: "0:a", server: 0 }, itself),
    await processes.use({ principal: "a", server: 0 }, itself),
  );
  await processes.close();
});

test("uses at the same time share one start", async () => {
  const { started, start } = starter();
  const processes = new StdioProcesses(start);
  await Promise.all(Array.from({ length: 5 }, () => processes.use({ principal: "a", server: 0 }, itself)));
  assert.equal(started.length, 1);
});

test("a crash is followed by a wait that doubles, and ends", async (t) => {
  const { started, start } = starter();
  const processes = new StdioProcesses(start, { firstDelayMs: 100, mostDelayMs: 300, stableMs: 1_000 });
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const use = (): Promise<StdioChannel> => processes.use({ principal: "a", server: 0 }, itself);
  for (const wait of [100, 200, 300, 300]) {
    await use();
    started.at(-1)?.crash();
    await settle();
    await assert.rejects(use(), { code: "UPSTREAM_UNAVAILABLE", detail: { retry_after_ms: wait, sent: 0 } });
    await processes.use({ principal: "other", server: 0 }, itself);
    now += wait - 1;
    await assert.rejects(use(), { code: "UPSTREAM_UNAVAILABLE" });
    now += 1;
  }
  await use();
  now += 1_000;
  started.at(-1)?.crash();
  await settle();
  await assert.rejects(
    use(),
    { detail: { retry_after_ms: 100, sent: 0 } },
    "a process that lived long starts the count again",
  );
});

test("a start that fails is told to all who wait, and waited for before the next", async () => {
  let tries = 0;
  const processes = new StdioProcesses(async () => {
    tries += 1;
    throw new CmcpError("SPAWN_DIGEST_MISMATCH", "not those files");
  });
  const use = (): Promise<StdioChannel> => processes.use({ principal: "a", server: 0 }, itself);
  const results = await Promise.allSettled([use(), use()]);
  for (const result of results)
    assert.equal(result.status === "rejected" && (result.reason as CmcpError).code, "SPAWN_DIGEST_MISMATCH");
  await settle();
  await assert.rejects(use(), { code: "UPSTREAM_UNAVAILABLE" });
  assert.equal(tries, 1);
  assert.equal(processes.size, 0);
});

test("a process ends when it was not used for a while, and not while it is used", async (t) => {
  const { started, start } = starter();
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const processes = new StdioProcesses(start, { idleMs: 1_000, firstDelayMs: 60_000 });
  let release: () => void = () => undefined;
  const long = processes.use({ principal: "a", server: 0 }, () => new Promise<void>((resolve) => (release = resolve)));
  await processes.use({ principal: "a", server: 0 }, itself);
  t.mock.timers.tick(10_000);
  await settle();
  assert.equal(started[0]?.ended, false, "another use still runs");
  release();
  await long;
  const again = processes.use({ principal: "a", server: 0 }, () => new Promise<void>((resolve) => (release = resolve)));
  t.mock.timers.tick(10_000);
  await settle();
  assert.equal(started[0]?.ended, false, "it is in use again");
  release();
  await again;
  t.mock.timers.tick(999);
  await settle();
  assert.equal(started[0]?.ended, false);
  t.mock.timers.tick(1);
  await settle();
  assert.equal(started[0]?.ended, true);
  assert.notEqual(
    await processes.use({ principal: "a", server: 0 }, itself),
    started[0],
    "that was no crash, so there is no wait",
  );
});

test("a principal has so many processes, then its longest idle one makes room", async () => {
  const { started, start } = starter();
  const processes = new StdioProcesses(start, { maxPerPrincipal: 2, maxProcesses: 10 });
  for (const server of [0, 1]) await processes.use({ principal: "a", server }, itself);
  await processes.use({ principal: "b", server: 0 }, itself);
  await processes.use({ principal: "a", server: 0 }, itself);
  await processes.use({ principal: "a", server: 2 }, itself);
  await settle();
  assert.deepEqual(
    started.map(({ ended }) => ended),
    [false, true, false, false],
    "the one used longest ago, of its own",
  );
  assert.equal(processes.size, 3);
});

test("where all processes are in use a further one is refused", async () => {
  const { start } = starter();
  const processes = new StdioProcesses(start, { maxPerPrincipal: 1, maxProcesses: 2 });
  const releases: (() => void)[] = [];
  const hold = (principal: string): Promise<void> =>
    processes.use({ principal, server: 0 }, () => new Promise<void>((resolve) => void releases.push(resolve)));
  const held = [hold("a"), hold("b")];
  await settle();
  await assert.rejects(processes.use({ principal: "a", server: 1 }, itself), { code: "OVERLOADED" });
  await assert.rejects(processes.use({ principal: "c", server: 0 }, itself), { code: "OVERLOADED" });
  for (const release of releases) release();
  await Promise.all(held);
  await processes.use({ principal: "c", server: 0 }, itself);
  assert.equal(processes.size, 2);
});

test("two principals that use every process they may leave the third one", async () => {
  const { start } = starter();
  const processes = new StdioProcesses(start, { maxPerPrincipal: 16, maxProcesses: 16 });
  const { promise: over, resolve: release } = Promise.withResolvers<void>();
  const held: Promise<void>[] = [];
  const holdAll = async (principal: string): Promise<number> => {
    for (let server = 0; ; server += 1) {
      const one = processes.use({ principal, server }, () => over);
      const refused = one.then(
        () => false,
        ({ code }: CmcpError) => code === "OVERLOADED",
      );
      if (await Promise.race([refused, settle().then(() => false)])) return server;
      held.push(one);
    }
  };
  assert.deepEqual([await holdAll("a"), await holdAll("b")], [8, 4]);
  await processes.use({ principal: "c", server: 0 }, itself);
  release();
  await Promise.all(held);
  await processes.close();
});

test("an idle process of the principal that has most gives way first", async () => {
  const { started, start } = starter();
  const processes = new StdioProcesses(start, { maxPerPrincipal: 3, maxProcesses: 4 });
  await processes.use({ principal: "b", server: 0 }, itself);
  for (const server of [1, 2, 3]) await processes.use({ principal: "a", server }, itself);
  await processes.use({ principal: "c", server: 4 }, itself);
  await settle();
  assert.deepEqual(
    started.map(({ ended }) => ended),
    [false, true, false, false, false],
  );
  await processes.close();
});

test("a principal that is refused a process ends nobody's", async () => {
  const { started, start } = starter();
  const processes = new StdioProcesses(start, { maxPerPrincipal: 4, maxProcesses: 4 });
  const { promise: over, resolve: release } = Promise.withResolvers<void>();
  const held = [0, 1].map((server) => processes.use({ principal: "a", server }, () => over));
  for (const server of [0, 1]) await processes.use({ principal: "b", server }, itself);
  await assert.rejects(processes.use({ principal: "a", server: 2 }, itself), { code: "OVERLOADED" });
  await settle();
  assert.ok(started.length === 4 && started.every(({ ended }) => !ended));
  release();
  await Promise.all(held);
  await processes.close();
});

test("whoever is told hears of a process that served and ended by itself, and of no other", async () => {
  const { started, start } = starter();
  const exited: number[] = [];
  const processes = new StdioProcesses(start, { maxPerPrincipal: 1 }, (server) => exited.push(server));
  const refuse = async (): Promise<never> => await Promise.reject(new Error("no answer"));
  await assert.rejects(processes.use({ principal: "a", server: 0 }, refuse), { message: "no answer" });
  started[0]?.crash();
  await processes.use({ principal: "b", server: 1 }, itself);
  started[1]?.crash();
  await settle();
  await processes.use({ principal: "c", server: 2 }, itself);
  // Which takes the place of the one before.
  await processes.use({ principal: "c", server: 3 }, itself);
  await processes.close();
  assert.deepEqual(exited, [1]);
});

test("after close nothing runs and nothing starts", async () => {
  const { started, start } = starter();
  const processes = new StdioProcesses(start);
  await processes.use({ principal: "a", server: 0 }, itself);
  const opening = processes.use({ principal: "b", server: 0 }, itself);
  await processes.close();
  await opening;
  assert.ok(started.every(({ ended }) => ended));
  await assert.rejects(processes.use({ principal: "a", server: 0 }, itself), { code: "UPSTREAM_UNAVAILABLE" });
});

test("a process that is replaced gets no further use, answers its requests and ends, whoever listens to it", async () => {
  const { started, start } = starter();
  const processes = new StdioProcesses(start);
  const [request, listener] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const identity = { principal: "a", server: 0 };
  const held = [
    processes.use(identity, () => request.promise),
    processes.use(identity, () => listener.promise, "listener"),
  ];
  const other = await processes.use({ principal: "a", server: 1 }, itself);
  await processes.use({ principal: "b", server: 0 }, itself);
  processes.replace(0);
  await settle();
  assert.deepEqual(
    started.map(({ ended }) => ended),
    [false, false, true],
    "the one that nobody uses ends at once, that of another server stays",
  );
  assert.notEqual(await processes.use(identity, itself), started[0]);
  assert.equal(await processes.use({ principal: "a", server: 1 }, itself), other);
  assert.equal(processes.size, 3);
  request.resolve();
  await settle();
  assert.equal(started[0]?.ended, true, "a listener does not keep it");
  listener.resolve();
  await Promise.all(held);
  assert.equal(processes.size, 2);
  await processes.close();
});

test("a replaced process that crashes delays nobody, and ends with the others", async () => {
  const { started, start } = starter();
  const exited: number[] = [];
  const processes = new StdioProcesses(start, {}, (server) => exited.push(server));
  const identity = { principal: "a", server: 0 };
  await processes.use(identity, itself);
  const over = Promise.withResolvers<void>();
  const held = processes.use(identity, () => over.promise);
  processes.replace(0);
  started[0]?.crash();
  await settle();
  await processes.use(identity, itself);
  assert.deepEqual(exited, []);
  const more = processes.use(identity, () => over.promise);
  processes.replace(0);
  await processes.close();
  assert.ok(started.length === 2 && started.every(({ ended }) => ended));
  over.resolve();
  await Promise.all([held, more]);
});
