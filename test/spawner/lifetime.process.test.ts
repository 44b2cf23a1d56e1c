/** Nothing a server starts outlives the connection, the enclave or the spawner. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Spawner, StdioProcesses, type StdioChannel } from "@cmcp/spawner";
import { treeArchive } from "@cmcp/spawner/tree";
import { RUNNERS, hostileTree, listen, open, processesWith, serverOf } from "./fixture.ts";
import { Lines } from "./lines.ts";

/** Milliseconds after which a process that should be gone is said to live. */
const PATIENCE_MS = 10_000;

async function allGone(text: string): Promise<boolean> {
  for (let waited = 0; waited < PATIENCE_MS; waited += 20) {
    if (processesWith(text).length === 0) return true;
    await delay(20);
  }
  return false;
}

function killAll(text: string): void {
  for (const pid of processesWith(text)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended with the one before.
    }
  }
}

async function lingering(spawner: Spawner): Promise<StdioChannel> {
  const channel = await spawner.start(0);
  await new Lines(channel).until((line) => line.startsWith("lingering"));
  return channel;
}

for (const { by, skip } of RUNNERS) {
  test(`a daemon that ignores every signal ends with its connection (spawner of ${by})`, { skip }, async (t) => {
    const { tree, program } = await hostileTree(t);
    const { spawner } = await open(t, by, [serverOf(tree, program, ["linger"])]);
    const channel = await lingering(spawner);
    assert.ok(processesWith(program).length >= 2, "the server and its daemon run");
    await channel.close();
    assert.ok(await allGone(program));
  });

  test(`a daemon ends when the server that started it leaves (spawner of ${by})`, { skip }, async (t) => {
    const { tree, program } = await hostileTree(t);
    const { spawner } = await open(t, by, [serverOf(tree, program, ["linger", "and leave"])]);
    const channel = await lingering(spawner);
    assert.equal((await channel.closed).code, "UPSTREAM_UNAVAILABLE");
    assert.ok(await allGone(program));
  });

  test(`servers end with the enclave's first connection (spawner of ${by})`, { skip }, async (t) => {
    const { tree, program } = await hostileTree(t);
    const { spawner, listening } = await open(t, by, [serverOf(tree, program, ["linger"])]);
    const channels = [await lingering(spawner), await lingering(spawner)];
    spawner.close();
    await listening.exited;
    for (const channel of channels) assert.equal((await channel.closed).code, "UPSTREAM_UNAVAILABLE");
    assert.ok(await allGone(program));
    await spawner.lost;
  });

  test(`servers end with a spawner that is killed (spawner of ${by})`, { skip }, async (t) => {
    const { tree, program } = await hostileTree(t);
    const { spawner, listening } = await open(t, by, [serverOf(tree, program, ["linger"])]);
    const channel = await lingering(spawner);
    process.kill(listening.pid, "SIGKILL");
    assert.equal((await channel.closed).code, "UPSTREAM_UNAVAILABLE");
    assert.ok(await allGone(program));
    await spawner.lost;
    await assert.rejects(spawner.start(0), { code: "SPAWN_UNAVAILABLE" });
  });

  test(`one process for each principal, another after a crash, none after the end (spawner of ${by})`, {
    skip,
  }, async (t) => {
    const { tree, program } = await hostileTree(t);
    const { spawner } = await open(t, by, [serverOf(tree, program, ["linger"])]);
    const processes = new StdioProcesses((server) => spawner.start(server), { firstDelayMs: 0 });
    t.after(() => processes.close());
    const seen = new Map<StdioChannel, string>();
    const use = (principal: string): Promise<StdioChannel> =>
      processes.use({ principal, server: 0 }, async (channel) => {
        assert.ok([undefined, principal].includes(seen.get(channel)), "no process of another principal");
        if (!seen.has(channel)) {
          seen.set(channel, principal);
          await new Lines(channel).until((line) => line.startsWith("lingering"));
        }
        return channel;
      });
    const [alice, again, bob] = await Promise.all([use("alice"), use("alice"), use("bob")]);
    assert.equal(alice, again);
    assert.notEqual(alice, bob);
    killAll(program);
    await Promise.all([alice.closed, bob.closed]);
    assert.notEqual(await use("alice"), alice);
    await processes.close();
    assert.ok(await allGone(program));
  });
}

const first = RUNNERS.find(({ skip }) => skip === false);
test("a connection of another user is closed without an answer", {
  skip:
    first === undefined
      ? "no spawner runs here"
      : process.geteuid?.() !== 0 && "only root can connect as somebody else",
}, async (t) => {
  const listening = await listen(t, "root");
  // Permissions alone would keep strangers out; the credentials of the connection are what is tested.
  chmodSync(dirname(listening.socket), 0o755);
  chmodSync(listening.socket, 0o777);
  const script =
    "require('node:net').connect(process.argv[1]).on('error',()=>{}).on('close',()=>process.exit(3)).write('cmcp-spawn-1\\0\\0\\0\\2\\0\\0')";
  const stranger = spawn(process.execPath, ["--eval", script, "--", listening.socket], {
    uid: 64_322,
    gid: 64_322,
    stdio: "ignore",
  });
  assert.deepEqual(await once(stranger, "exit"), [3, null]);
  const spawner = await Spawner.open(listening.socket, [], treeArchive);
  assert.equal(spawner.confinement, "confined", "the enclave's place was not taken");
  spawner.close();
});
