/** What a confined server holds in memory, however it hides it: real processes, a real look from outside. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { DEFAULT_BOUNDS, type AllowedServer } from "@cmcp/spawner";
import { RUNNERS, hostileTree, open, processesWith, serverOf } from "./fixture.ts";
import { Lines } from "./lines.ts";

/** Milliseconds between two looks of the spawner; `LOOK_MS` of its spawn.c. */
const LOOK_MS = 500;
const BOUNDS = { ...DEFAULT_BOUNDS, tasks: 40, memoryMib: 64, scratchMib: 8, openFiles: 64 };
const servers = (tree: string, program: string, ways: readonly string[]): AllowedServer[] =>
  ways.map((way) => serverOf(tree, program, [way], { bounds: BOUNDS }));

/** The first number of a line of a process's status. */
function fact(pid: string, name: string): string {
  return new RegExp(`^${name}:\\t(\\d+)`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";
}

/** The first process of the namespace that `program` runs in: the parent of its first. */
function watchersOf(program: string): string[] {
  const pids = processesWith(program).map(String);
  return [...new Set(pids.map((pid) => fact(pid, "PPid")))].filter((parent) => !pids.includes(parent));
}

for (const { by, skip } of RUNNERS) {
  for (const way of ["pages", "tables", "blind", "headless", "hop"]) {
    test(`a server that hides what it holds in memory is ended: ${way} (spawner of ${by})`, {
      skip,
      timeout: 30_000,
    }, async (t) => {
      const { tree, program } = await hostileTree(t, "hoard");
      const { spawner } = await open(t, by, servers(tree, program, ["nothing", way]));
      const honest = await spawner.start(0);
      await new Lines(honest).until((line) => line.startsWith("hoarded"));
      const hiding = await spawner.start(1);
      const said = await new Lines(hiding).rest(hiding);
      if (way === "blind") assert.ok(said.includes("the watcher's descriptors\tEPERM"), "it may not name the watcher");
      assert.ok(processesWith(program).length > 0, "another, which holds little, goes on");
      await honest.close();
    });
  }

  test(`a server ends when its watcher cannot read what it holds (spawner of ${by})`, {
    skip: skip === false ? process.geteuid?.() !== 0 && "only root can blind a watcher" : skip,
    timeout: 30_000,
  }, async (t) => {
    const { tree, program } = await hostileTree(t, "hoard");
    const { spawner } = await open(t, by, servers(tree, program, ["nothing"]));
    const honest = await spawner.start(0);
    const lines = new Lines(honest);
    await lines.until((line) => line.startsWith("hoarded"));
    // With no descriptor left to open; poll(2) goes on with two. Only a process of the same uid may do that to it.
    for (const watcher of watchersOf(program)) {
      const id = Number(fact(watcher, "Uid"));
      await promisify(execFile)("prlimit", ["--pid", watcher, "--nofile=2:2"], { uid: id, gid: id });
    }
    await lines.rest(honest);
    assert.deepEqual(processesWith(program), []);
  });

  test(`what the processes of a server hold counts together, and what they share once (spawner of ${by})`, {
    skip,
    timeout: 30_000,
  }, async (t) => {
    const { tree, program } = await hostileTree(t, "hoard");
    // Each of four holds 40 MiB: within the bound of one, beyond the bound of all.
    const { spawner } = await open(t, by, servers(tree, program, ["shared", "apart"]));
    const sharing = await spawner.start(0);
    await new Lines(sharing).until((line) => line.startsWith("hoarded"));
    const apart = await spawner.start(1);
    await new Lines(apart).rest(apart);
    await setTimeout(2 * LOOK_MS);
    assert.equal(processesWith(program).length, 7, "the other has been looked at twice more, and goes on");
    await sharing.close();
  });
}
