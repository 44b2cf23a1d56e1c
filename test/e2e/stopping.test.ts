import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { clientOf } from "../gateway/client.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { developmentEnvironment } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { listenInBothEras } from "../gateway/listening.ts";
import { newToken } from "../gateway/principals.ts";
import { SLOW_TOOL, startTasksServer } from "../servers/tasks-server.ts";

test("a gateway that stops ends the streams agents listen on, in order and whole", {
  timeout: 60_000 * PATIENCE,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-stopping-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const server = await startTasksServer();
  t.after(() => server.close());
  const token = newToken();
  const gateway = await startInProcess(
    await deploy(folder, { tools: [{ name: "slow", url: server.url }], policies: ALLOW_ALL }),
    developmentEnvironment(token),
  );
  const { legacy, modern } = await listenInBothEras(gateway, token);
  // A stream that is cut and not ended makes the reader fail.
  const [[first, second], code] = await Promise.all([Promise.all([legacy.text(), modern.text()]), gateway.stop()]);
  assert.equal(code, 0);
  assert.doesNotMatch(first, /data: \{/);
  assert.match(second, /"id":7,"result":/, "the subscription ends with its result");
});

test("a gateway whose store takes no more says how many sessions have no claim, and why, and ends with 40", {
  timeout: 60_000 * PATIENCE,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-stopping-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const server = await startTasksServer();
  t.after(() => server.close());
  const token = newToken();
  const gateway = await startInProcess(
    await deploy(folder, { tools: [{ ...SLOW_TOOL, url: server.url }], policies: ALLOW_ALL }),
    developmentEnvironment(token),
  );
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
