/**
 * The attack that witnesses answer: cut A off, read on B, send on A. The host pauses A wherever it can see A, lets B
 * go on from A's log and read what raises the principal's label, and lets A go on. Witnesses, enclaves and the tool
 * server are real.
 */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { ObservedStore, startObservedHost, type ObservedHost } from "../hostile/observed-host.ts";
import { readStored, recordsIn } from "../hostile/stored-records.ts";
import { hasGo, NO_GO } from "./oracle.ts";
import { deployWitnessed, type WitnessedDeployment } from "./witnessed-deployment.ts";

const ENVIRONMENT = { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: "cut-off-test-token-cut-off-test-token-1" };
/** A start on a busy machine may take longer: then A's wait has ended before it is let go on, and it sends nothing either. */
const WAIT_MS = 5_000;

const call = (name: string, args: object): object => ({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name, arguments: args },
});
const SEND = call("send_message", { to: "x", text: "x" });
const READ = call("get_patient_record", { patient_id: "p-1" });

/** Another host of the same configuration, over a copy of what a store has. */
async function another(t: TestContext, { config }: WitnessedDeployment, store: ObservedStore): Promise<ObservedHost> {
  const record = new ObservedStore(null, { durable: false });
  t.after(() => record.close());
  for (const batch of store.batches) await record.append(batch);
  const host = await startObservedHost(config, ENVIRONMENT, { record });
  t.after(() => host.close());
  return host;
}

describe("an instance that is cut off", { skip: hasGo() ? false : NO_GO }, () => {
  for (const point of ["intent received", "intent stored", "cosigning asked for"])
    test(`at "${point}", while another reads, sends nothing`, async (t) => {
      const deployment = await deployWitnessed(t, WAIT_MS);
      const { records } = deployment;
      const a = await startObservedHost(deployment.config, ENVIRONMENT);
      t.after(() => a.close());
      await a.startEnclave();
      assert.match((await a.request("POST", "/mcp", SEND)).body, /"result"/);
      assert.equal(records.calls.length, 1);

      const [paused, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      let hasIntent = false;
      a.observe(async (at) => {
        hasIntent ||= at === "intent received";
        if (at !== point || !hasIntent) return;
        paused.resolve();
        await goOn.promise;
      });
      const sending = a.request("POST", "/mcp", SEND);
      await paused.promise;
      const b = await another(t, deployment, a.store);
      await b.startEnclave();
      assert.match((await b.request("POST", "/mcp", READ)).body, /"result"/, "read on B");
      goOn.resolve();
      // Where B took long, the host was late with its acknowledgement before that.
      assert.match((await sending).body, /"(?:WITNESS|AUDIT_STORE)_UNAVAILABLE"/);
      assert.match((await a.request("POST", "/mcp", SEND)).body, /WITNESS_UNAVAILABLE/, "and A is not believed again");
      assert.deepEqual(
        records.calls.map(({ tool }) => tool),
        ["send_message", "get_patient_record"],
      );
    });

  test("after its intent was cosigned may send, and whoever goes on counts the call as sent", async (t) => {
    const deployment = await deployWitnessed(t, WAIT_MS);
    const a = await startObservedHost(deployment.config, ENVIRONMENT);
    t.after(() => a.close());
    await a.startEnclave();
    const [paused, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let hasIntent = false;
    a.observe(async (at) => {
      hasIntent ||= at === "intent stored";
      if (at !== "cosigned" || !hasIntent) return;
      paused.resolve();
      await goOn.promise;
    });
    const sending = a.request("POST", "/mcp", SEND);
    await paused.promise;
    const b = await another(t, deployment, a.store);
    await b.startEnclave();
    const faults = (await recordsIn(b.store, { kind: "entry" }))
      .map(readStored)
      .flatMap((record) => (record.kind === "entry" && record.body.policy_decision === "fault" ? [record.body] : []));
    assert.deepEqual(
      faults.map(({ tool_name: tool, detail }) => [tool, detail?.["outcome"]]),
      [["send_message", "unknown"]],
    );
    goOn.resolve();
    await sending;
    assert.ok(deployment.records.calls.length <= 1);
  });
});
