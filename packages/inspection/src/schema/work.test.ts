import assert from "node:assert/strict";
import { test } from "node:test";
import { beginWork, MAX_WORK, spend, workDone } from "./work.ts";

test("a check takes as many steps as are allowed and not one more, and the next begins anew", () => {
  for (let check = 0; check < 2; check += 1) {
    beginWork();
    assert.equal(workDone(), 0);
    spend(MAX_WORK);
    assert.throws(() => spend(1), RangeError);
  }
});
