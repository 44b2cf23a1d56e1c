import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { clientOf } from "../gateway/client.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { startOverTasks } from "../gateway/over-tasks.ts";
import { SLOW_TOOL } from "../servers/tasks-server.ts";

test("a gateway whose store takes no more says how many sessions have no claim, and why, and ends with 40", {
  timeout: 60_000 * PATIENCE,
}, async (t) => {
  const { gateway, token, folder } = await startOverTasks(t);
  const client = clientOf(gateway, token);
  for (const label of ["first", "second", "closed"])
    assert.equal((await client.call(SLOW_TOOL.name, label)).status, 200);
  await client.close("closed");
  const other = new DatabaseSync(join(folder, "audit.db"));
  t.after(() => other.close());
  other.exec("BEGIN IMMEDIATE");
  assert.equal(await gateway.stop(), 40);
  assert.match(gateway.log(), /"sessions":2,"msg":"sessions were not closed and have no claim"/);
  assert.match(gateway.log(), /"code":"AUDIT_STORE_UNAVAILABLE","reason":"another process holds it"/);
});
