/** P1.3, calls legal alone, illegal together: data of one tool leaves by another. Stopped by flows, with labels as the floor. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as z from "zod";
import { receiptOf } from "../gateway/fixture.ts";
import { startStage, type Stage } from "./stage.ts";
import { startToolsServer, type ToolsServer } from "./tools-server.ts";

const RECORD =
  "Patient Ada Example, born 12 May 1979. Type 2 diabetes, metformin 500 mg twice a day. Allergic to penicillin. Next visit 3 June.";

describe("P1.3 calls legal alone, illegal together", () => {
  let hospital: ToolsServer;
  let mail: ToolsServer;
  let stage: Stage;

  before(async () => {
    hospital = await startToolsServer("hospital", [
      { name: "read_record", description: "Reads a record.", run: () => RECORD },
    ]);
    mail = await startToolsServer("mail", [
      {
        name: "send_mail",
        description: "Sends a mail.",
        input: { to: z.string(), text: z.string() },
        run: () => "sent",
      },
      { name: "post_status", description: "Posts.", input: { text: z.string() }, run: () => "posted" },
    ]);
    stage = await startStage({
      servers: [hospital, mail],
      reviews: { read_record: { sensitivity_level: "hipaa_phi" } },
      policies: `
        @id("all") permit (principal, action, resource);
        @id("no-records-in-mail") forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"send_mail")
          when { context.flow_labels.contains("hipaa_phi") || !context.flows_complete };
        @id("no-posts-after-records") forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"post_status")
          when { context.compartments.contains("hipaa_phi") };`,
    });
    assert.equal((await stage.call("send_mail", { to: "a@example.org", text: "hello" })).code, null);
    assert.equal((await stage.call("read_record")).text, RECORD);
  });
  after(async () => await stage.close());

  const sent = async (text: string): Promise<string | null> =>
    (await stage.call("send_mail", { to: "b@example.org", text })).code;

  test("a record that was read does not leave by mail, however it is dressed", async () => {
    for (const [what, text] of [
      ["whole", RECORD],
      ["a sentence of it", "FYI: Type 2 diabetes, metformin 500 mg twice a day."],
      ["in capitals and spaced", RECORD.toUpperCase().replaceAll(" ", "  \n")],
      ["base64", Buffer.from(RECORD).toString("base64")],
      ["hexadecimal", Buffer.from(RECORD).toString("hex")],
      ["as JSON", JSON.stringify({ quote: RECORD })],
      ["percent-encoded", encodeURIComponent(RECORD)],
      ["with zero-width spaces", [...RECORD].join("\u200b")],
    ] as const)
      assert.notEqual(await sent(text), null, what);
    assert.ok(!mail.calls.some(({ arguments: args }) => /diabetes/i.test(JSON.stringify(args))));
  });

  test("“Lunch at 12?” leaves after the record was read, where the operator chose flows over labels", async () => {
    assert.equal(await sent("Lunch at 12?"), null);
  });

  test("where the operator chose labels, nothing leaves after the record was read", async () => {
    assert.equal((await stage.call("post_status", { text: "Lunch at 12?" })).code, "SESSION_SENSITIVITY_POLICY_DENY");
  });

  test("a second session cannot be used to launder: its table of flows is not complete", async () => {
    const other = await stage.anotherAgent();
    assert.notEqual((await other.call("send_mail", { to: "c@example.org", text: "Lunch at 12?" })).code, null);
  });

  test("what still passes the rule over flows: the same in other words", async () => {
    assert.equal(await sent("She has the sugar illness and takes the usual pills."), null);
  });

  test("the record of a session names the edge that was seen", async () => {
    const { body: read } = await stage.auditor.call("read_record", "edges");
    await stage.auditor.call("send_mail", "edges", { to: "d@example.org", text: RECORD });
    const { entries } = await stage.auditor.export(receiptOf(read).session_id);
    const refused = entries.find(
      ({ tool_name: tool, entry_type: type }) => tool === "send_mail" && type === "tool_call",
    );
    assert.match(String(refused?.detail?.["flow_from"]), /hospital\/read_record/);
  });
});
