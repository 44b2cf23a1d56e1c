import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { examine } from "@cmcp/boundary";
import type { StdioChannel } from "../channel/channel.ts";
import { Spawner } from "../client.ts";
import { DEFAULT_BOUNDS, spawnEvidence, type AllowedServer } from "../server.ts";
import { treeArchive } from "../tree/archive.ts";
import { treeDigest } from "../tree/digest.ts";
import type { RunningSpawner } from "./running.ts";
import { startSpawner } from "./start.ts";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "cmcp-unconfined-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function started(
  t: TestContext,
  script: string,
): Promise<{ readonly running: RunningSpawner; readonly server: AllowedServer; readonly socket: string }> {
  const path = folder(t);
  mkdirSync(join(path, "tree"));
  writeFileSync(join(path, "tree", "main.mjs"), script);
  // More than one chunk, and more than a socket holds.
  writeFileSync(join(path, "tree", "large"), Buffer.alloc(300_000, 7));
  const socket = join(path, "s");
  const running = await startSpawner({
    program: join(path, "not compiled"),
    socket,
    stage: join(path, "stage"),
    runtime: [process.execPath],
    developmentMode: true,
  });
  t.after(() => running.stop());
  const tree = join(path, "tree");
  return {
    running,
    socket,
    server: {
      tree,
      digest: treeDigest(tree),
      program: "node",
      args: ["main.mjs"],
      environment: { GIVEN: "yes" },
      bounds: DEFAULT_BOUNDS,
    },
  };
}

function firstLine(channel: StdioChannel): Promise<string> {
  return new Promise((resolve) => channel.onMessage((message) => resolve(Buffer.from(examine(message)).toString())));
}

const ECHO = 'process.stdout.write(Object.keys(process.env).join()+"\\n");process.stdin.pipe(process.stdout);';

test("without a compiled spawner servers run in development, and nothing claims otherwise", async (t) => {
  const { running, server, socket } = await started(t, ECHO);
  assert.equal(running.confinement, "none");
  const outside = Buffer.from("cmcp-tree-v1\nl\0\x01a\0\x01/", "latin1");
  const spawner = await Spawner.open(
    socket,
    [
      server,
      { ...server, digest: new Uint8Array(32) },
      { ...server, program: "perl" },
      { ...server, tree: "/leads/out" },
      { ...server, hasEgress: true },
    ],
    (tree) => (tree === "/leads/out" ? [outside] : treeArchive(tree)),
  );
  assert.equal(spawner.confinement, "none");
  assert.equal(spawnEvidence(server, spawner.confinement), "spawn-unmeasured");
  assert.deepEqual(
    spawner.found.map(({ status }) => status),
    ["ready", "digest-mismatch", "no-program", "tree-refused", "not-confined"],
  );
  const channel = await spawner.start(0);
  assert.equal(await firstLine(channel), "GIVEN");
  await channel.close();
  const secret = await spawner.start(0, { secrets: { API_TOKEN: "value" } });
  assert.equal(await firstLine(secret), "GIVEN,API_TOKEN");
  await secret.close();
  await assert.rejects(spawner.start(1), { code: "SPAWN_DIGEST_MISMATCH" });
  await assert.rejects(spawner.start(4), { code: "SPAWN_FAILED" }, "nothing holds it to the hosts it may reach");
  await assert.rejects(spawner.start(9), { code: "INTERNAL" });
  spawner.close();
  await running.ended;
});

test("outside development nothing runs unconfined", async (t) => {
  const path = folder(t);
  await assert.rejects(
    startSpawner({
      program: join(path, "not compiled"),
      socket: join(path, "s"),
      stage: join(path, "stage"),
      runtime: [],
      developmentMode: false,
    }),
    { code: "SPAWN_UNAVAILABLE" },
  );
});

test("servers end with the enclave's first connection", async (t) => {
  const { server, socket } = await started(
    t,
    'process.stdout.write(process.pid+"\\n");process.stdin.resume();process.on("SIGTERM",()=>{});setInterval(()=>{},1000);',
  );
  const spawner = await Spawner.open(socket, [server], treeArchive);
  const channel = await spawner.start(0);
  const pid = Number(await firstLine(channel));
  process.kill(pid, 0);
  spawner.close();
  assert.equal((await channel.closed).code, "UPSTREAM_UNAVAILABLE");
  await spawner.lost;
});
