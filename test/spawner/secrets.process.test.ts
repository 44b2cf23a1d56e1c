/** Secrets of a start: in the environment of that one server, and nowhere else. */
import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StdioChannel } from "@cmcp/spawner";
import { RUNNERS, open, processesWith, serverOf, treeFolder } from "./fixture.ts";
import { Lines } from "./lines.ts";

const asRoot = process.geteuid?.() !== 0 && "only root sees all of another user's process";
const SECRET = "a-secret-of-one-start-4f1c";
const SCRIPT = `process.stdout.write(JSON.stringify(process.env) + "\\n"); process.stdin.resume();`;

async function environmentOf(channel: StdioChannel): Promise<unknown> {
  return JSON.parse(await new Lines(channel).until((line) => line.startsWith("{")));
}

/** Whether the writable memory of a process holds a text. */
function holds(pid: number, text: string): boolean {
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    return readFileSync(`/proc/${pid}/maps`, "utf8")
      .split("\n")
      .some((line) => {
        const [, from = "0", to = "0"] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
        const part = Buffer.alloc(Number.parseInt(to, 16) - Number.parseInt(from, 16));
        try {
          return part.subarray(0, readSync(memory, part, 0, part.length, Number.parseInt(from, 16))).includes(text);
        } catch {
          return false;
        }
      });
  } finally {
    closeSync(memory);
  }
}

for (const { by, skip } of RUNNERS) {
  test(`a start's secrets are variables of that server alone (spawner of ${by})`, { skip }, async (t) => {
    const tree = treeFolder(t);
    writeFileSync(join(tree, "main.mjs"), SCRIPT);
    const { spawner, listening } = await open(t, by, [
      serverOf(tree, "node", [join(tree, "main.mjs")], { environment: { HOME: "/tmp" } }),
    ]);
    const first = await spawner.start(0, { secrets: { API_TOKEN: SECRET, SECOND: "a=b c" } });
    assert.deepEqual(await environmentOf(first), { HOME: "/tmp", API_TOKEN: SECRET, SECOND: "a=b c" });
    const [pid = 0] = processesWith(join(tree, "main.mjs"));
    const without = await spawner.start(0);
    assert.deepEqual(await environmentOf(without), { HOME: "/tmp" }, "another start has none of them");
    assert.deepEqual(processesWith(SECRET), []);
    await t.test("the server has it, and neither its watcher nor the spawner", { skip: asRoot }, () => {
      const [, watcher = "0"] = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
      assert.ok(holds(pid, SECRET), "what looks finds it where it is");
      assert.equal(holds(Number(watcher), SECRET), false);
      assert.equal(holds(listening.pid, SECRET), false);
    });
    await Promise.all([first.close(), without.close()]);
  });
}
