import assert from "node:assert/strict";
import { Turns } from "@cmcp/wire";

const turns = new Turns();
const ran: string[] = [];
// Two long streams take turns, a piece at a time, and other work runs between.
const stream = async (name: string): Promise<void> => {
  for (let piece = 0; piece < 2; piece += 1) {
    await turns.next();
    ran.push(`${name}${piece}`);
  }
};
await Promise.all([stream("a"), stream("b")]);
assert.deepEqual(ran, ["a0", "b0", "a1", "b1"]);
