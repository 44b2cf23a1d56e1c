/** P3.1, no proof for a regulator: whoever edits the record. Found by the verifier; without hardware the proof is worth less. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { AuditBundle } from "@cmcp/audit/schema";
import type { Claim } from "@cmcp/claim/schema";
import { cmcp } from "../gateway/cli.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { startStage, type Stage } from "./stage.ts";
import { startToolsServer } from "./tools-server.ts";

describe("P3.1 proof for a regulator", () => {
  let stage: Stage;
  let folder: string;
  let claim: Claim;
  let bundle: AuditBundle;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-attack-"));
    const ledger = await startToolsServer("ledger", [
      { name: "read_ledger", description: "Reads.", run: () => "row" },
      { name: "wipe_ledger", description: "Wipes.", run: () => "gone" },
    ]);
    stage = await startStage({
      servers: [ledger],
      policies: '@id("read") permit (principal, action, resource == cMCP::Resource::"read_ledger");',
    });
    const { body } = await stage.auditor.call("read_ledger", "s");
    await stage.auditor.call("wipe_ledger", "s");
    const { session_id: session } = receiptOf(body);
    claim = await stage.auditor.close(session);
    bundle = await stage.auditor.export(session);
  });
  after(async () => {
    await stage.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** The verifier's exit code and headline for a claim with its entries. */
  async function verified(
    edited: Claim,
    entries: AuditBundle,
    ...args: string[]
  ): Promise<{ code: number; out: string }> {
    const [claimFile, bundleFile] = [join(folder, "claim.json"), join(folder, "bundle.json")];
    await writeFile(claimFile, JSON.stringify(edited));
    await writeFile(bundleFile, JSON.stringify(entries));
    const { code, stdout } = await cmcp(["verify", claimFile, "--audit-bundle", bundleFile, ...args]);
    return { code, out: stdout };
  }

  test("an entry that is taken out, and a denial that is called an allow, are found", async () => {
    const without = { ...bundle, entries: bundle.entries.filter(({ tool_name: tool }) => tool !== "wipe_ledger") };
    assert.equal((await verified(claim, without)).code, 10);
    const entries = bundle.entries.map((entry) =>
      entry.tool_name === "wipe_ledger" ? { ...entry, policy_decision: "allow" as const } : entry,
    );
    assert.equal((await verified(claim, { ...bundle, entries })).code, 10);
  });

  test("a claim with other counts is found", async () => {
    const { call_summary: summary } = claim.gateway;
    const edited = {
      ...claim,
      gateway: { ...claim.gateway, call_summary: { ...summary, tool_calls_denied: summary.tool_calls_denied - 1 } },
    };
    assert.equal((await verified(edited, bundle)).code, 10);
  });

  test("what still passes: a gateway without hardware, whose operator made the key; the verdict says so", async () => {
    const { out } = await verified(claim, bundle, "--json");
    assert.match(out, /software/i);
    assert.doesNotMatch(out, /"assurance":"hardware"/);
  });
});
