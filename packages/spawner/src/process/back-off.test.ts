import assert from "node:assert/strict";
import { test } from "node:test";
import { BackOff } from "./back-off.ts";
import { DEFAULT_PROCESS_LIMITS } from "./limits.ts";

test("so many crashes are remembered, then that which is longest ago is forgotten", () => {
  const backOff = new BackOff(DEFAULT_PROCESS_LIMITS);
  const { firstDelayMs } = DEFAULT_PROCESS_LIMITS;
  for (let identity = 0; identity < 4_096; identity += 1) backOff.crashed(String(identity), 0, 0);
  assert.equal(backOff.remaining("0", 0), firstDelayMs);
  backOff.crashed("0", 0, 0);
  backOff.crashed("one more", 0, 0);
  assert.equal(backOff.remaining("0", 0), firstDelayMs * 2, "it crashed again since");
  assert.equal(backOff.remaining("1", 0), 0);
  assert.equal(backOff.remaining("2", 0), firstDelayMs);
});
