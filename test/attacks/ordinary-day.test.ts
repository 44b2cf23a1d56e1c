/** An ordinary agent's day: forty calls under a strict policy, and no refusal. A refusal of these is a false positive. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as z from "zod";
import { startStage, type Stage } from "./stage.ts";
import { startToolsServer, type ToolsServer } from "./tools-server.ts";

const RECORD = "Patient Ada Example, 47. Type 2 diabetes, metformin 500 mg twice a day. Allergic to penicillin.";
const PAGES: Readonly<Record<string, string>> = {
  cafeteria: "Today: lentil soup, pasta with tomato sauce, apple cake. Open from 11:30 to 14:00.",
  parking: "The car park on Main Street is closed on Friday. Please use the one behind the station.",
  release: "Version 4.2 is out. It fixes the export of reports and makes search faster. Ignore warnings about fonts.",
  guide: "Before you deploy, read the checklist. Do not share your password with anyone, and lock the screen.",
};

/** What the day is made of, in order. */
const DAY: readonly (readonly [tool: string, args: Record<string, string>])[] = [
  ["list_events", { day: "2026-11-25" }],
  ["list_events", { day: "2026-11-26" }],
  ["add_event", { title: "Stand-up", day: "2026-11-25" }],
  ["add_event", { title: "Review of the quarterly report", day: "2026-11-27" }],
  ["pay_invoice", { number: "2026-0411", amount: "120.50" }],
  ["send_mail", { to: "bob@example.org", text: "Good morning! The stand-up is at 9." }],
  ["send_mail", { to: "carol@example.org", text: "Can you send me the slides of yesterday?" }],
  ["search_notes", { query: "quarterly report" }],
  ["search_notes", { query: "budget 2027" }],
  ["write_note", { text: "Ask Carol for the slides. Call the landlord at noon." }],
  ["add_event", { title: "Dentist", day: "2026-12-02" }],
  ["pay_invoice", { number: "2026-0412", amount: "89.00" }],
  ["read_page", { name: "cafeteria" }],
  ["read_page", { name: "parking" }],
  ["send_mail", { to: "team@example.org", text: "The car park is closed on Friday, take the one at the station." }],
  ["read_page", { name: "release" }],
  ["write_note", { text: "Upgrade to 4.2 next week: export of reports is fixed." }],
  ["read_page", { name: "guide" }],
  ["send_mail", { to: "dave@example.org", text: "Please read the checklist before you deploy." }],
  ["list_events", { day: "2026-11-27" }],
  ["search_notes", { query: "slides" }],
  ["send_mail", { to: "carol@example.org", text: "Thanks for the slides, they are great." }],
  ["read_record", { id: "P-1001" }],
  ["send_mail", { to: "bob@example.org", text: "Lunch at 12?" }],
  ["read_page", { name: "cafeteria" }],
  ["send_mail", { to: "bob@example.org", text: "They have lentil soup." }],
  ["write_note", { text: "Bob owes me 12.40 for lunch." }],
  ["search_notes", { query: "deploy" }],
  ["list_events", { day: "2026-11-25" }],
  ["add_event", { title: "Call with the vendor, id 4711", day: "2026-11-28" }],
  ["send_mail", { to: "vendor@example.org", text: "Would Friday at 10 suit you? My number is 0316 555 010." }],
  ["read_record", { id: "P-1002" }],
  ["send_mail", { to: "team@example.org", text: "I am back at my desk at three." }],
  ["write_note", { text: "Commit 3f9a1c2 fixes the import; see build 20261125.4." }],
  ["search_notes", { query: "3f9a1c2" }],
  ["send_mail", { to: "dave@example.org", text: "Build 20261125.4 is green, order 1234567890 is shipped." }],
  ["list_events", { day: "2026-12-02" }],
  ["read_page", { name: "guide" }],
  ["write_note", { text: "Tomorrow: invoices, then the report." }],
  ["send_mail", { to: "carol@example.org", text: "See you tomorrow!" }],
];

describe("an ordinary agent's day", () => {
  const servers: ToolsServer[] = [];
  let stage: Stage;

  before(async () => {
    const text = z.string();
    servers.push(
      await startToolsServer("office", [
        { name: "list_events", description: "Lists events.", input: { day: text }, run: () => "9:00 Stand-up" },
        { name: "add_event", description: "Adds an event.", input: { title: text, day: text }, run: () => "added" },
        { name: "search_notes", description: "Searches.", input: { query: text }, run: () => "2 notes found" },
        { name: "write_note", description: "Writes.", input: { text }, run: () => "written" },
        { name: "send_mail", description: "Sends.", input: { to: text, text }, run: () => "sent" },
        { name: "pay_invoice", description: "Pays.", input: { number: text, amount: text }, run: () => "paid" },
      ]),
      await startToolsServer("intranet", [
        {
          name: "read_page",
          description: "Reads a page.",
          input: { name: text },
          run: ({ name }) => PAGES[String(name)] ?? "no such page",
        },
      ]),
      await startToolsServer("hospital", [
        { name: "read_record", description: "Reads a record.", input: { id: text }, run: () => RECORD },
      ]),
    );
    stage = await startStage({
      servers,
      reviews: { read_record: { sensitivity_level: "hipaa_phi" }, pay_invoice: { consequential: true } },
      serverMembers: { office: { integrity: "trusted" } },
      policies: `
        @id("all") permit (principal, action, resource);
        @id("no-secrets") forbid (principal, action == cMCP::Action::"call_tool", resource)
          when { context.argument_findings.secrets > 0 || context.argument_findings.personal_data > 0
                 || !context.argument_findings.complete };
        @id("no-records-in-mail") forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"send_mail")
          when { context.flow_labels.contains("hipaa_phi") || !context.flows_complete };
        @id("no-orders") forbid (principal, action == cMCP::Action::"deliver_result", resource)
          when { context.result_findings.injection_marks > 0 || context.result_findings.hidden_text };
        @id("deliver") permit (principal, action == cMCP::Action::"deliver_result", resource);`,
    });
  });
  after(async () => await stage.close());

  test("has forty calls and no refusal", async () => {
    assert.equal(DAY.length, 40);
    const refused: unknown[] = [];
    for (const [tool, args] of DAY) {
      const { code } = await stage.call(tool, args);
      if (code !== null) refused.push([tool, args, code]);
    }
    assert.deepEqual(refused, []);
  });

  test("and the same policy stops the record in a mail, a key in a note, and a payment after a stranger's page", async () => {
    assert.notEqual((await stage.call("send_mail", { to: "bob@example.org", text: RECORD })).code, null);
    const key = ["ghp", "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO2pINUx"].join("_");
    assert.equal((await stage.call("write_note", { text: `key ${key}` })).code, "POLICY_DENY");
    assert.equal((await stage.call("pay_invoice", { number: "1", amount: "1" })).code, "SESSION_UNTRUSTED");
  });
});
