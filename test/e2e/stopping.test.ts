import assert from "node:assert/strict";
import { test } from "node:test";
import { PATIENCE } from "../gateway/launcher.ts";
import { listenInBothEras } from "../gateway/listening.ts";
import { startOverTasks } from "../gateway/over-tasks.ts";

test("a gateway that stops ends the streams agents listen on, in order and whole", {
  timeout: 60_000 * PATIENCE,
}, async (t) => {
  const { gateway, token } = await startOverTasks(t);
  const { legacy, modern } = await listenInBothEras(gateway, token);
  // A stream that is cut and not ended makes the reader fail.
  const [[first, second], code] = await Promise.all([Promise.all([legacy.text(), modern.text()]), gateway.stop()]);
  assert.equal(code, 0);
  assert.doesNotMatch(first, /data: \{/);
  assert.match(second, /"id":7,"result":/, "the subscription ends with its result");
});
