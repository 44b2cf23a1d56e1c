import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { Spawner } from "./client.ts";
import { MAX_ARCHIVE_BYTES } from "./limits.ts";
import { DEFAULT_BOUNDS, type AllowedServer } from "./server.ts";
import { socketPath } from "./testing/socket-pair.ts";

const SERVER: AllowedServer = {
  tree: "/srv/one",
  digest: null,
  program: "node",
  args: [],
  environment: {},
  bounds: DEFAULT_BOUNDS,
};
const FOUND = Buffer.alloc(33);

/** A spawner whose answers the test gives: to the first connection, then to every further one. */
async function answering(t: TestContext, ...answers: readonly (Uint8Array | null)[]): Promise<string> {
  const path = socketPath(t);
  const sockets: Socket[] = [];
  const listener = createServer((socket) => {
    const answer = answers[Math.min(sockets.length, answers.length - 1)];
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.once("data", () => (answer == null ? socket.destroy() : void socket.write(answer)));
  }).listen(path);
  await once(listener, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  return path;
}

/** A spawner that takes a table of one server, and whatever comes after it. */
async function draining(t: TestContext): Promise<string> {
  const path = socketPath(t);
  const listener = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.write(Uint8Array.of(1, 0, 1))).resume();
    t.after(() => socket.destroy());
  }).listen(path);
  await once(listener, "listening");
  t.after(() => void listener.close());
  return path;
}

const table = (...found: readonly Uint8Array[]): Buffer => Buffer.concat([Uint8Array.of(1, 0, found.length), ...found]);
const EMPTY = (): Uint8Array[] => [Buffer.from("cmcp-tree-v1\n")];

test("what was found for each server, and how it is confined", async (t) => {
  const digest = Buffer.concat([Uint8Array.of(2), Buffer.alloc(32, 7)]);
  const spawner = await Spawner.open(await answering(t, table(FOUND, digest)), [SERVER, SERVER], EMPTY);
  t.after(() => spawner.close());
  assert.equal(spawner.confinement, "confined");
  assert.deepEqual(spawner.found, [
    { status: "ready", digest: new Uint8Array(32) },
    { status: "digest-mismatch", digest: new Uint8Array(32).fill(7) },
  ]);
});

const ANSWERS: readonly { readonly what: string; readonly bytes: Uint8Array | null }[] = [
  { what: "an unknown confinement", bytes: Buffer.concat([Uint8Array.of(3, 0, 1), FOUND]) },
  { what: "no confinement", bytes: Buffer.concat([Uint8Array.of(0, 0, 1), FOUND]) },
  { what: "another number of servers", bytes: Buffer.concat([Uint8Array.of(1, 0, 2), FOUND]) },
  { what: "a status that does not exist", bytes: table(Buffer.concat([Uint8Array.of(99), Buffer.alloc(32)])) },
  { what: "an end", bytes: null },
];

test("an answer that is not one is none", async (t) => {
  for (const { what, bytes } of ANSWERS)
    await assert.rejects(Spawner.open(await answering(t, bytes), [SERVER], EMPTY), { code: "SPAWN_UNAVAILABLE" }, what);
  await assert.rejects(Spawner.open(socketPath(t), [SERVER], EMPTY), { code: "SPAWN_UNAVAILABLE" }, "nobody listens");
});

const STATUSES: readonly (readonly [number, string])[] = [
  [1, "INTERNAL"],
  [2, "SPAWN_DIGEST_MISMATCH"],
  [3, "SPAWN_TREE_REFUSED"],
  [4, "SPAWN_TREE_REFUSED"],
  [5, "SPAWN_FAILED"],
  [6, "OVERLOADED"],
  [7, "INTERNAL"],
  [8, "SPAWN_FAILED"],
];

test("a start that was refused says why, and that nothing was sent", async (t) => {
  for (const [status, code] of STATUSES) {
    const spawner = await Spawner.open(
      await answering(t, table(FOUND), Buffer.concat([Uint8Array.of(status), Buffer.alloc(32)])),
      [SERVER],
      EMPTY,
    );
    await assert.rejects(
      spawner.start(0),
      (error: { code: string; detail: { sent: number } }) => error.code === code && error.detail.sent === 0,
      String(status),
    );
    spawner.close();
  }
});

test("what the server says right after it started is not lost", async (t) => {
  const said = Buffer.concat([FOUND, Buffer.from("first\n")]);
  const spawner = await Spawner.open(await answering(t, table(FOUND), said), [SERVER], EMPTY);
  t.after(() => spawner.close());
  const channel = await spawner.start(0);
  const line = await new Promise<unknown>((resolve) => channel.onMessage(resolve));
  assert.equal(Buffer.from(line as Uint8Array).toString(), "first");
});

test("what a table cannot hold is not sent", async () => {
  const wrong: readonly Partial<AllowedServer>[] = [
    { tree: "relative" },
    { tree: "/a/../b" },
    { program: "" },
    { program: "bin/node" },
    { digest: new Uint8Array(31) },
    { args: ["a\0b"] },
    { args: ["x".repeat(65_536)] },
    { args: Array.from({ length: 256 }, () => "x") },
    { environment: { "A=B": "x" } },
    { environment: { A: "\0" } },
  ];
  for (const rest of wrong)
    await assert.rejects(
      Spawner.open("/nowhere", [{ ...SERVER, ...rest }], EMPTY),
      { code: "CONFIG_INVALID" },
      JSON.stringify(rest).slice(0, 80),
    );
  await assert.rejects(
    Spawner.open(
      "/nowhere",
      Array.from({ length: 65 }, () => SERVER),
      EMPTY,
    ),
    { code: "CONFIG_INVALID" },
  );
  const large = { ...SERVER, args: ["x".repeat(60_000)] };
  await assert.rejects(
    Spawner.open(
      "/nowhere",
      Array.from({ length: 5 }, () => large),
      EMPTY,
    ),
    { code: "CONFIG_INVALID" },
  );
});

test("archives go to the spawner in chunks, in the order of the servers; without one nothing is open", async (t) => {
  const path = socketPath(t);
  const received: Buffer[] = [];
  const over = Promise.withResolvers<void>();
  const listener = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      received.push(chunk);
      if (received.length === 1) socket.write(table(FOUND, FOUND));
    });
    socket.once("close", () => over.resolve());
  }).listen(path);
  await once(listener, "listening");
  t.after(() => void listener.close());
  const servers = [SERVER, { ...SERVER, tree: "/srv/two" }];
  const spawner = await Spawner.open(path, servers, (tree) => [Buffer.from(tree), Buffer.from("!")]);
  spawner.close();
  await over.promise;
  const chunk = (text: string): Buffer => Buffer.from(`\0\0\0${String.fromCharCode(text.length)}${text}`);
  const sent = Buffer.concat(received).toString("latin1");
  const expected = ["/srv/one", "!", "", "/srv/two", "!", ""].map(chunk);
  assert.ok(sent.endsWith(Buffer.concat(expected).toString("latin1")));
  const broken = function* (): Generator<Uint8Array> {
    yield Uint8Array.of(1);
    throw new CmcpError("SPAWN_TREE_REFUSED", "no");
  };
  await assert.rejects(Spawner.open(await answering(t, table(FOUND)), [SERVER], broken), {
    code: "SPAWN_TREE_REFUSED",
  });
});

test("an archive beyond every bound is not sent to its end", async (t) => {
  let sent = 0;
  const endless = function* (): Generator<Uint8Array> {
    const chunk = Buffer.alloc(65_536);
    for (;;) {
      sent += chunk.byteLength;
      yield chunk;
    }
  };
  await assert.rejects(Spawner.open(await draining(t), [SERVER], endless), { code: "SPAWN_TREE_REFUSED" });
  assert.ok(sent <= MAX_ARCHIVE_BYTES + 65_536);
});
