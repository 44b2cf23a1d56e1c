/** P1.5, session bleed: what one session has seen leaves by another. Stopped by labels that belong to the principal. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { receiptOf } from "../gateway/fixture.ts";
import { startStage, type Stage } from "./stage.ts";
import { startToolsServer, type ToolsServer } from "./tools-server.ts";

const RECORD = "Ada Example, type 2 diabetes";

describe("P1.5 session bleed", () => {
  let hospital: ToolsServer;
  let outside: ToolsServer;
  let stage: Stage;

  before(async () => {
    hospital = await startToolsServer("hospital", [
      { name: "read_record", description: "Reads a record.", run: () => RECORD },
    ]);
    outside = await startToolsServer("outside", [
      { name: "send", description: "Sends a message.", run: () => "sent" },
      { name: "pay", description: "Pays an invoice.", run: () => "paid" },
    ]);
    stage = await startStage({
      servers: [hospital, outside],
      reviews: { read_record: { sensitivity_level: "hipaa_phi" }, pay: { consequential: true } },
      policies: `
        @id("all") permit (principal, action, resource);
        @id("no-way-out") forbid (principal, action, resource == cMCP::Resource::"send")
          when { context.compartments.contains("hipaa_phi") };`,
    });
    assert.equal((await stage.call("send", {})).code, null, "nothing was seen yet");
    assert.equal((await stage.call("read_record")).text, RECORD);
  });
  after(async () => await stage.close());

  test("a second session of the same principal starts with what the first has seen", async () => {
    const other = await stage.anotherAgent();
    assert.equal((await other.call("send")).code, "SESSION_SENSITIVITY_POLICY_DENY");
  });

  test("a session that is closed takes nothing away: the next one starts with its labels", async () => {
    const { body } = await stage.auditor.call("read_record", "closing");
    await stage.auditor.close(receiptOf(body).session_id);
    const { body: refused } = await stage.auditor.call("send", "afterwards");
    assert.equal(refused.error?.data?.error_code, "SESSION_SENSITIVITY_POLICY_DENY");
  });

  test("a fresh session is no way back to trust for a consequential call", async () => {
    const other = await stage.anotherAgent();
    assert.equal((await other.call("pay")).code, "SESSION_UNTRUSTED");
    assert.equal(outside.calls.filter(({ tool }) => tool === "pay").length, 0);
  });

  test("the record of the second session says what its principal had seen before", async () => {
    const { body } = await stage.auditor.call("send", "fresh");
    const { entries } = await stage.auditor.export(receiptOf(body).session_id);
    assert.equal(entries[0]?.detail?.["compartments"], "hipaa_phi");
  });
});
