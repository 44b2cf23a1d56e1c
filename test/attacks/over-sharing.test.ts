/**
 * P1.1, over-sharing: arguments carry more than the tool needs. Stopped by the closed input schema, findings and
 * rules over typed arguments.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as z from "zod";
import { startStage, type Stage } from "./stage.ts";
import { startToolsServer, type ToolsServer } from "./tools-server.ts";

/** A key of the form that its issuer gives, of random characters. */
const KEY = ["ghp", "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO2pINUx"].join("_");
const CARD = "4111 1111 1111 1111";

describe("P1.1 over-sharing in arguments", () => {
  let tickets: ToolsServer;
  let stage: Stage;

  before(async () => {
    tickets = await startToolsServer("tickets", [
      {
        name: "open_ticket",
        description: "Opens a ticket.",
        input: { title: z.string(), body: z.string() },
        run: () => "opened",
      },
    ]);
    stage = await startStage({
      servers: [tickets],
      policies: `
        @id("all") permit (principal, action, resource);
        @id("no-secrets") forbid (principal, action == cMCP::Action::"call_tool", resource)
          when { context.argument_findings.secrets > 0 || context.argument_findings.personal_data > 0
                 || !context.argument_findings.complete };`,
    });
  });
  after(async () => await stage.close());

  const opened = async (body: string): Promise<string | null> =>
    (await stage.call("open_ticket", { title: "Build fails", body })).code;

  test("an ordinary ticket is opened", async () => {
    assert.equal(await opened("The build fails at step 3 with exit code 2, see the log of 12:30."), null);
  });

  test("a key in prose is kept in, in whatever encoding it stands", async () => {
    const base64 = Buffer.from(`GITHUB_TOKEN=${KEY}`).toString("base64");
    for (const body of [
      `It fails with token ${KEY}.`,
      `env: ${base64}`,
      `hex ${Buffer.from(`token ${KEY}`).toString("hex")}`,
      JSON.stringify({ env: { GITHUB_TOKEN: KEY } }),
      `twice ${Buffer.from(base64).toString("base64")}`,
    ])
      assert.equal(await opened(body), "POLICY_DENY", body);
  });

  test("a customer's card number is kept in", async () => {
    assert.equal(await opened(`Charged ${CARD} twice, please refund.`), "POLICY_DENY");
  });

  test("an argument that the approved schema does not declare is refused, whatever it holds", async () => {
    const { code } = await stage.call("open_ticket", { title: "t", body: "b", environment: "HOME=/root" });
    assert.equal(code, "MCP_INVALID_REQUEST");
  });

  test("text that is longer than detectors look at is refused by a rule that asks for completeness", async () => {
    assert.equal(await opened("a ".repeat(400_000)), "POLICY_DENY");
  });

  test("what still passes: a password without a form of its own", async () => {
    assert.equal(await opened("My password is correct horse battery staple."), null);
  });

  test("nothing that was refused reached the server", () => {
    assert.ok(!JSON.stringify(tickets.calls).includes(KEY));
    assert.equal(tickets.calls.length, 2);
  });
});
