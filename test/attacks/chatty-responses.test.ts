/** P1.2, chatty responses: a server answers with more than was asked. Stopped by the closed output schema, projection and the size cap. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as z from "zod";
import { startStage, type Stage } from "./stage.ts";
import { startToolsServer, type ToolsServer } from "./tools-server.ts";

const SSN = "219-09-9999";
const PERSON = { name: "Ada Example", city: "Graz" };
const chatty = { ...PERSON, ssn: SSN, salary: 91_000 };

describe("P1.2 chatty responses", () => {
  let crm: ToolsServer;
  let stage: Stage;

  before(async () => {
    const output = { name: z.string(), city: z.string() };
    crm = await startToolsServer("crm", [
      {
        name: "undeclared_members",
        description: "Returns a person.",
        output: { name: z.string(), city: z.string(), extra: z.any().optional() },
        run: () => ({ structuredContent: chatty, content: [{ type: "text", text: JSON.stringify(chatty) }] }),
      },
      {
        name: "declared_secret",
        description: "Returns a person with a number.",
        output: { ...output, ssn: z.string() },
        run: () => {
          const value = { ...PERSON, ssn: SSN, city: `Graz, SSN ${SSN}` };
          return { structuredContent: value, content: [{ type: "text", text: JSON.stringify(value) }] };
        },
      },
      {
        name: "prose_about_a_secret",
        description: "Returns a person as prose.",
        run: () => `Ada Example of Graz, whose number is ${SSN}`,
      },
      { name: "whole_database", description: "Returns far too much.", run: () => `${SSN} `.repeat(20_000) },
    ]);
    stage = await startStage({
      servers: [crm],
      policies: `
        @id("all") permit (principal, action, resource);
        @id("no-numbers") @redact_fields("ssn") @keep_fields("name,city")
        permit (principal, action, resource == cMCP::Resource::"declared_secret");
        @id("no-prose") @redact_fields("ssn")
        permit (principal, action, resource == cMCP::Resource::"prose_about_a_secret");`,
      config: "max_response_size_bytes: 100000\n",
    });
  });
  after(async () => await stage.close());

  test("members that the approved output schema does not declare leave the result, in structure and text", async () => {
    const { code, text, result } = await stage.call("undeclared_members");
    assert.equal(code, null);
    assert.deepEqual(result?.structuredContent, PERSON);
    assert.doesNotMatch(text, new RegExp(SSN));
  });

  test("a redacted field leaves, and so does its value in a text that is kept", async () => {
    const { result } = await stage.call("declared_secret");
    assert.doesNotMatch(JSON.stringify(result), /219-?09-?9999/);
    assert.deepEqual(result?.structuredContent, { name: "Ada Example" });
  });

  test("prose about a redacted field is withheld, as nothing tells the field apart in it", async () => {
    const { code, text } = await stage.call("prose_about_a_secret");
    assert.equal(code, "RESPONSE_UNPROJECTABLE");
    assert.doesNotMatch(text, new RegExp(SSN));
  });

  test("a dump is cut by no one: over the cap nothing of it is delivered", async () => {
    const { code, text } = await stage.call("whole_database");
    assert.equal(code, "RESPONSE_SIZE_EXCEEDED");
    assert.doesNotMatch(text, new RegExp(SSN));
  });
});
