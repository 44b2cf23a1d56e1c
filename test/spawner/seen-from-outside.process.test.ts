/** What the kernel says about a running server, and how the spawner takes requests nobody honest sends. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { getPriority } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { CmcpError } from "@cmcp/boundary";
import { DEFAULT_BOUNDS, Spawner, type StdioChannel } from "@cmcp/spawner";
import { compileSpawner } from "@cmcp/spawner/host";
import { MAGIC } from "@cmcp/spawner/protocol";
import { treeArchive } from "@cmcp/spawner/tree";
import {
  OWN,
  RUNNERS,
  SPAWNER,
  hostileTree,
  listen,
  open,
  privateFolder,
  processesWith,
  serverOf,
  treeFolder,
  type Listening,
} from "./fixture.ts";
import { Lines } from "./lines.ts";

const asRoot = process.geteuid?.() !== 0 && "only root sees all of another user's process";
const BOUNDS = { ...DEFAULT_BOUNDS, tasks: 33, memoryMib: 777, scratchMib: 5, openFiles: 99, cpuSeconds: 1234 };

function limits(pid: number): Map<string, string> {
  const lines = readFileSync(`/proc/${pid}/limits`, "utf8").split("\n").slice(1);
  return new Map(lines.map((line) => [line.slice(0, 25).trim(), line.slice(26, 68).trim().split(/\s+/).join(" ")]));
}

for (const { by, skip } of RUNNERS) {
  test(`namespaces, bounds and mounts of a running server (spawner of ${by})`, {
    skip: skip !== false ? skip : asRoot,
  }, async (t) => {
    const tree = treeFolder(t);
    writeFileSync(join(tree, "main.mjs"), 'process.stdout.write("up\\n"); process.stdin.resume();');
    const { spawner, listening } = await open(t, by, [
      serverOf(tree, "node", [join(tree, "main.mjs")], { bounds: BOUNDS }),
    ]);
    const channel = await spawner.start(0);
    await new Lines(channel).until((line) => line === "up");
    const [pid = 0] = processesWith(join(tree, "main.mjs"));

    await t.test("every namespace is its own", () => {
      for (const kind of ["net", "pid", "mnt", "ipc", "uts", "cgroup", ...(by === "plain user" ? ["user"] : [])]) {
        for (const other of [process.pid, listening.pid])
          assert.notEqual(readlinkSync(`/proc/${pid}/ns/${kind}`), readlinkSync(`/proc/${other}/ns/${kind}`), kind);
      }
      assert.deepEqual(
        readFileSync(`/proc/${pid}/net/dev`, "utf8")
          .split("\n")
          .slice(2)
          .map((line) => line.split(":")[0]?.trim()),
        ["lo", ""],
      );
    });
    await t.test("every bound holds", () => {
      const mib = 1024 * 1024;
      const bounds = limits(pid);
      const both = (value: number): string => `${value} ${value}`;
      assert.equal(bounds.get("Max processes"), both(33));
      assert.equal(bounds.get("Max data size"), both(777 * mib));
      assert.equal(bounds.get("Max stack size"), both(8 * mib));
      assert.equal(bounds.get("Max file size"), both(5 * mib));
      assert.equal(bounds.get("Max open files"), both(99));
      assert.equal(bounds.get("Max cpu time"), both(1234));
      assert.equal(bounds.get("Max core file size"), both(0));
      assert.equal(bounds.get("Max locked memory"), both(65_536));
      assert.equal(bounds.get("Max msgqueue size"), both(0));
      assert.equal(bounds.get("Max pending signals"), both(1024));
      assert.equal(getPriority(pid), 10);
      assert.equal(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8").trim(), "1000");
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      assert.match(status, /^NoNewPrivs:\t1$/m);
      assert.match(status, /^Seccomp:\t2$/m);
      assert.match(status, /^CapPrm:\t0+$/m);
    });
    await t.test("its watcher can do no more than it can", () => {
      const [, watcher = "0"] = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
      const status = readFileSync(`/proc/${watcher}/status`, "utf8");
      assert.match(status, /^Seccomp:\t2$/m);
      assert.match(status, /^CapPrm:\t0+$/m);
    });
    await t.test("nothing but scratch space can be written, nothing of it be run, no device opened elsewhere", () => {
      const mounts = readFileSync(`/proc/${pid}/mountinfo`, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => line.split(" "));
      const options = new Map(mounts.map(([, , , , place = "", flags = ""]) => [place, flags.split(",")]));
      assert.ok(options.get("/")?.includes("ro"));
      assert.ok(options.get(tree)?.includes("ro"));
      const scratch = options.get("/tmp") ?? [];
      for (const flag of ["rw", "noexec", "nosuid", "nodev"])
        assert.ok(scratch.includes(flag), `scratch space is ${flag}`);
      for (const [place, flags] of options) {
        assert.ok(flags.includes("nosuid"), `${place} is nosuid`);
        assert.ok(flags.includes("ro") || place === "/tmp", `${place} is read-only`);
        assert.ok(flags.includes("nodev") || place.startsWith("/dev/"), `${place} is nodev`);
      }
    });
    await t.test("nobody of its uid may look into the spawner", () => {
      assert.equal(statSync(`/proc/${listening.pid}/environ`).uid, 0);
    });
    await channel.close();
  });
}

function raw(listening: Listening, bytes: Uint8Array): Socket {
  const socket = connect({ path: listening.socket });
  socket.on("error", () => undefined);
  socket.write(bytes);
  return socket;
}

const HEADS: readonly { readonly what: string; readonly bytes: Buffer }[] = [
  { what: "another magic", bytes: Buffer.from("cmcp-spawn-2\0\0\0\x02\0\0") },
  { what: "a length over the bound", bytes: Buffer.from(`${MAGIC}\x7f\xff\xff\xff`, "latin1") },
  { what: "a table that is not one", bytes: Buffer.from(`${MAGIC}\0\0\0\x03\0\x01\x01`) },
  { what: "bytes after the table", bytes: Buffer.from(`${MAGIC}\0\0\0\x03\0\0\0`) },
];

test("a first message that is not a table ends the spawner", { skip: OWN.skip }, async (t) => {
  for (const { what, bytes } of HEADS) {
    const listening = await listen(t, OWN.by);
    const socket = raw(listening, bytes);
    assert.deepEqual(await listening.exited, [1, null], what);
    socket.destroy();
  }
});

test("a word on the first connection after the table ends the spawner", { skip: OWN.skip }, async (t) => {
  const listening = await listen(t, OWN.by);
  const socket = raw(listening, Buffer.from(`${MAGIC}\0\0\0\x02\0\0`));
  await once(socket, "data");
  socket.write("x");
  assert.deepEqual(await listening.exited, [0, null]);
});

test("a request that is not one is answered and its connection closed; one that never comes is not waited for", {
  skip: OWN.skip,
}, async (t) => {
  const { listening } = await open(t, OWN.by, []);
  for (const [request, status] of [
    ["T\0\0\0\0\0\0", 7],
    ["S\0\0\0\0\0\x02\0\0", 1],
    ["S\xff\xff\0\0\0\x02\0\0", 1],
    ["S\0\0\0\x01\x08\x33", 7],
    ["S\0\0\0\0\0\x03\0\0\0", 7],
    ["S\0\0\0\0\0\x07\0\x01\0\x03A=b", 1],
    ["S\0\0\0\0\0\x07\0\x01\0\x03a=b", 7],
    ["S\0\0", 7],
    ["", 7],
  ] as const) {
    const socket = raw(listening, Buffer.from(request, "latin1"));
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    await once(socket, "close");
    assert.deepEqual(
      Buffer.concat(chunks),
      Buffer.concat([Uint8Array.of(status), Buffer.alloc(32)]),
      JSON.stringify(request),
    );
  }
});

test("a server that stays when its input has ended is ended", { skip: OWN.skip }, async (t) => {
  const { tree, program } = await hostileTree(t);
  const { listening } = await open(t, OWN.by, [serverOf(tree, program, ["linger"])]);
  const socket = raw(listening, Buffer.from("S\0\0\0\0\0\x02\0\0"));
  let said = "";
  while (!said.includes("lingering")) said += String((await once(socket, "data"))[0]);
  // Only our direction: whether the rest follows is up to the spawner.
  socket.end();
  await once(socket.resume(), "close");
});

/** A start as soon as the spawner has seen that another server is gone. */
async function startInTurn(spawner: Spawner): Promise<StdioChannel> {
  for (let waited = 0; waited < 10_000; waited += 20) {
    try {
      return await spawner.start(0);
    } catch (thrown) {
      assert.equal((thrown as CmcpError).code, "OVERLOADED");
      await delay(20);
    }
  }
  return assert.fail("no place became free");
}

test("192 servers run at one time, and another when one has ended", { skip: OWN.skip }, async (t) => {
  const { tree, program } = await hostileTree(t);
  const { spawner } = await open(t, OWN.by, [serverOf(tree, program, ["linger"])]);
  const running: StdioChannel[] = [];
  for (let count = 0; count < 192; count += 1) running.push(await spawner.start(0));
  await assert.rejects(spawner.start(0), { code: "OVERLOADED" });
  await running.pop()?.close();
  running.push(await startInTurn(spawner));
  await Promise.all(running.map((channel) => channel.close()));
});

test("compiled twice, the spawner is the same bytes", { skip: OWN.skip }, async (t) => {
  const folder = privateFolder(OWN.by);
  t.after(() => folder.remove());
  const again = join(folder.path, "elsewhere", "spawn");
  assert.equal(await compileSpawner(again), null);
  assert.deepEqual(readFileSync(again), readFileSync(SPAWNER));
});

test("two enclaves cannot share one spawner", { skip: OWN.skip }, async (t) => {
  const { listening } = await open(t, OWN.by, []);
  await assert.rejects(Spawner.open(listening.socket, [], treeArchive), { code: "SPAWN_UNAVAILABLE" });
});
