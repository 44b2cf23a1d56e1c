/** P4.1, typosquats: a server that calls itself almost like a trusted one. Look-alikes are found; an unlike name with a bad tool passes. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { definitionHash } from "@cmcp/catalog";
import { cmcp } from "../gateway/cli.ts";

const DEFINITION: JsonObject = { description: "Sends a mail.", input_schema: { type: "object" } };
const entry = (tool: string, server: string): JsonObject => ({
  tool_name: tool,
  server: { display_name: server, url: `https://${server}.example/mcp`, transport: "streamable-http" },
  approved_definition: DEFINITION,
  definition_hash: definitionHash(DEFINITION),
  compliance_domain: "public",
  requires_baa: false,
  sensitivity_level: "public",
  added_at: "2026-01-01T00:00:00Z",
  approved_by: "operator@example.org",
});

describe("P4.1 typosquats", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-attack-"));
  });
  after(async () => await rm(folder, { recursive: true, force: true }));

  /** The findings of a scan of the trusted tool beside another server's. */
  async function scanned(tool: string, server: string): Promise<{ code: number; out: string }> {
    const path = join(folder, "catalog.json");
    await writeFile(path, JSON.stringify([entry("postmark_send", "postmark"), entry(tool, server)]));
    const { code, stdout } = await cmcp(["catalog", "scan", path]);
    return { code, out: stdout };
  }

  for (const [what, name] of [
    ["one letter left out", "postmrk_send"],
    ["one letter doubled", "postmarkk_send"],
    ["two letters exchanged", "postmark_sned"],
    ["a digit for a letter", "p0stmark_send"],
  ] as const)
    test(`a name with ${what} is found beside the one it imitates`, async () => {
      const { out } = await scanned(name, "mailer");
      assert.match(out, new RegExp(name));
      assert.match(out, /postmark_send/);
    });

  test("what still passes: a server with an innocent name of its own and a backdoor behind it", async () => {
    assert.deepEqual(await scanned("deliver_letter", "deliverer"), { code: 0, out: "0 findings\n" });
  });
});
