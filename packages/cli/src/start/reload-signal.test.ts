import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { reloadSignal } from "./reload-signal.ts";

test("a hangup waits for what is to be done, which is never done twice at a time", async (t) => {
  t.after(() => process.removeAllListeners("SIGHUP"));
  const hangUp = (): boolean => process.emit("SIGHUP", "SIGHUP");
  const whenHungUp = reloadSignal();
  hangUp();
  hangUp();
  const running: (() => void)[] = [];
  whenHungUp(() => new Promise((resolve) => running.push(resolve)));
  assert.equal(running.length, 1, "what came before is done once");
  for (let n = 0; n < 3; n += 1) hangUp();
  await turn();
  assert.equal(running.length, 1, "not beside the one that runs");
  running[0]?.();
  await turn();
  assert.equal(running.length, 2, "but once more after it");
  running[1]?.();
  await turn();
  assert.equal(running.length, 2);
  hangUp();
  assert.equal(running.length, 3);
});
