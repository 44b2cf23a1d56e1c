import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { startHost, type Host, type HostOptions } from "./host.ts";
import { SqliteStore } from "./store/sqlite/sqlite-store.ts";
import { buildEnclaveEntry } from "./testing/build-entry.ts";
import { send } from "./testing/front-harness.ts";
import { memoryLog } from "./testing/memory-log.ts";
import { read } from "./testing/log-records.ts";
import { temporaryDirectory } from "./testing/temporary-directory.ts";

interface Answer {
  readonly received: Record<string, string>;
  readonly environment: string[];
  readonly pid: number;
}

// Runtime directories of this file's hosts only, so that what is left behind can be told.
const temporary = mkdtempSync(join(tmpdir(), "cmcp-test-"));
process.env["TMPDIR"] = temporary;
process.on("exit", () => rmSync(temporary, { recursive: true, force: true }));

async function host(
  t: TestContext,
  options: Partial<HostOptions> = {},
): Promise<{ host: Host; log: () => string; call: (body: string) => Promise<{ status: number; text: string }> }> {
  const { log, text } = memoryLog();
  const started = await startHost({
    listen: { host: "127.0.0.1", port: 0 },
    launch: Buffer.from("launch document"),
    provision: Buffer.from("secret statement"),
    egressAllow: [],
    storePath: null,
    witnesses: null,
    enclave: { entry: buildEnclaveEntry(t), nodePath: process.execPath, developmentMode: true },
    log,
    ...options,
  });
  t.after(() => started.close());
  const headers = { authorization: "Bearer secret-token" };
  const call = (body: string): Promise<{ status: number; text: string }> =>
    send(started.address.port, { method: "POST", path: "/mcp?secret-query", headers }, body);
  return { host: started, log: text, call };
}

test("the enclave is launched and provisioned before the first request, with an environment of two variables", async (t) => {
  const { host: running, call } = await host(t);
  const { status, text } = await call("secret-body");
  assert.equal(status, 200);
  const answer = JSON.parse(text) as Answer;
  assert.deepEqual(answer.received, { launch: "launch document", provision: "secret statement" });
  assert.deepEqual(answer.environment, ["CMCP_ENCLAVE_LISTEN", "CMCP_HOST_SERVICES"]);
  assert.equal(answer.pid, running.enclavePid);
});

test("a record the enclave appends is in the store's file after the host has closed", async (t) => {
  const storePath = join(temporaryDirectory(t), "audit.db");
  const { host: running, call } = await host(t, { storePath });
  assert.equal((await call("append")).status, 200);
  assert.equal((await call("append")).status, 200);
  await running.close();
  const store = new SqliteStore(storePath, { durable: false });
  assert.deepEqual(
    (await read(store, { session: "s" })).map(({ index, body }) => [index, Buffer.from(body).toString()]),
    [
      [0, "record"],
      [1, "record"],
    ],
  );
  assert.deepEqual(await store.head(), { size: 2, note: "note" });
  await store.close();
});

test("kill -9 of the enclave mid-request: typed failure, restart, launch and provision again, next request works", async (t) => {
  const { host: running, log, call } = await host(t);
  const first = running.enclavePid;
  assert.ok(first !== undefined);
  const hanging = call("hang");
  while (!log().includes("hanging")) await new Promise((resolve) => setTimeout(resolve, 5));
  const down = once(running.events, "down");
  const up = once(running.events, "up");
  process.kill(first, "SIGKILL");
  const failed = await hanging;
  assert.equal(failed.status, 503);
  assert.match(failed.text, /"error_code":"ENCLAVE_UNAVAILABLE"/);
  await down;
  assert.equal(running.enclavePid, undefined);
  assert.match((await call("x")).text, /"error_code":"ENCLAVE_UNAVAILABLE"/);
  await up;
  const answer = JSON.parse((await call("x")).text) as Answer;
  assert.notEqual(answer.pid, first);
  assert.deepEqual(answer.received, { launch: "launch document", provision: "secret statement" });
  assert.match(log(), /"msg":"enclave ended"/);
});

/**
 * A host whose enclave has taken a second policy bundle, and is killed; the next has no report for its first reloads.
 */
async function killedUnderSecondPolicy(t: TestContext, refusals: number) {
  let found = "first";
  const offerOf = (text: string) => ({ message: Buffer.from(text), egressAllow: [] });
  const reload = { first: offerOf("first"), everyMs: 10, read: () => Promise.resolve(offerOf(found)) };
  const made = await host(t, { reload });
  found = "second";
  while (!made.log().includes("reloaded")) await new Promise((resolve) => setTimeout(resolve, 5));
  await made.host.provision(Buffer.from(`refuse ${refusals} reloads`));
  process.kill(made.host.enclavePid ?? 0, "SIGKILL");
  await once(made.host.events, "down");
  return { ...made, untaken: () => made.log().match(/accepted reload not taken/g)?.length ?? 0 };
}

test("an enclave started again serves nobody before it has the policy accepted last", async (t) => {
  const { call, untaken } = await killedUnderSecondPolicy(t, 2);
  let answered = await call("x");
  for (; answered.status !== 200; answered = await call("x")) {
    assert.match(answered.text, /"error_code":"ENCLAVE_UNAVAILABLE"/);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.deepEqual((JSON.parse(answered.text) as Answer).received, {
    launch: "launch document",
    provision: "refuse 2 reloads",
    reload: "second",
  });
  assert.equal(untaken(), 2);
});

test("closing while an enclave does not take the policy accepted last ends the attempts", async (t) => {
  const { host: running, log, untaken } = await killedUnderSecondPolicy(t, 1_000);
  while (untaken() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const attempts = untaken();
  await running.close();
  assert.equal(untaken(), attempts);
  assert.equal(log().match(/"msg":"enclave up"/g)?.length, 1);
});

for (const [provision, drained, logged] of [
  ["secret statement", true, /"msg":"enclave up"/],
  ["leave 2 sessions", false, /"sessions":2,"msg":"sessions were not closed and have no claim"/],
  ["refuse to drain", false, /"code":"INTERNAL","msg":"the enclave did not drain"/],
] as const) {
  test(`whether every session was closed is told by close, and what was not by the log: ${provision}`, async (t) => {
    const { host: running, log } = await host(t, { provision: Buffer.from(provision) });
    assert.deepEqual(await running.close(), { drained });
    assert.match(log(), logged);
  });
}

test("nothing secret is in the log of a whole life", async (t) => {
  const { host: running, log, call } = await host(t);
  await call("secret-body");
  await running.close();
  assert.match(log(), /"msg":"enclave up"/);
  assert.match(log(), /"route":"\/mcp"/);
  assert.doesNotMatch(log(), /secret/);
});

test("a refused launch document fails the start and leaves nothing behind", async (t) => {
  const before = leftovers();
  await assert.rejects(host(t, { launch: Buffer.from("bad") }), { code: "INTERNAL" });
  assert.deepEqual(leftovers(), before);
});

test("a port in use fails the start and stops the enclave", async (t) => {
  const { host: running } = await host(t);
  const before = leftovers();
  await assert.rejects(host(t, { listen: { host: "127.0.0.1", port: running.address.port } }), {
    code: "LISTEN_ADDRESS_UNAVAILABLE",
  });
  assert.deepEqual(leftovers(), before);
});

test("closing stops the enclave and removes the sockets; closing twice is closing once", async (t) => {
  const before = leftovers();
  const { host: running } = await host(t);
  const pid = running.enclavePid;
  assert.ok(pid !== undefined);
  await Promise.all([running.close(), running.close()]);
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  assert.deepEqual(leftovers(), before);
});

function leftovers(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith("cmcp-") && !name.startsWith("cmcp-test-"));
}

test("closing while a crashed enclave is being restarted ends the restarting", async (t) => {
  const { host: running } = await host(t);
  const down = once(running.events, "down");
  process.kill(running.enclavePid ?? 0, "SIGKILL");
  await down;
  // Past the first back-off, so that the next process is being started.
  await new Promise((resolve) => setTimeout(resolve, 130));
  await running.close();
  assert.equal(running.enclavePid, undefined);
  assert.deepEqual(leftovers(), []);
});
