/**
 * P3.2, no proof for a customer: what the customer's agent holds against the operator's record. Found where the agent
 * kept its receipts.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { AuditBundle, Receipt } from "@cmcp/audit/schema";
import type { Claim } from "@cmcp/claim/schema";
import { cmcp } from "../gateway/cli.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { startStage, type Stage } from "./stage.ts";
import { startToolsServer } from "./tools-server.ts";

interface Session {
  readonly claim: Claim;
  readonly bundle: AuditBundle;
  readonly receipts: readonly Receipt[];
}

describe("P3.2 proof for a customer", () => {
  let stage: Stage;
  let folder: string;
  let first: Session;
  let second: Session;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-attack-"));
    const shop = await startToolsServer("shop", [{ name: "order", description: "Orders.", run: () => "ordered" }]);
    stage = await startStage({ servers: [shop], policies: '@id("all") permit (principal, action, resource);' });
    const sessionOf = async (label: string): Promise<Session> => {
      const receipts: Receipt[] = [];
      for (let call = 0; call < 2; call += 1) {
        const { body } = await stage.auditor.call("order", label);
        assert.equal(body.error, undefined, JSON.stringify(body.error));
        receipts.push(receiptOf(body));
      }
      const id = receipts[0]?.session_id ?? "";
      return { claim: await stage.auditor.close(id), bundle: await stage.auditor.export(id), receipts };
    };
    first = await sessionOf("first");
    second = await sessionOf("second");
  });
  after(async () => {
    await stage.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** The exit code of the customer's verifier over a claim, its entries and a receipt that the agent kept. */
  async function verified(claim: Claim, bundle: AuditBundle, receipt: Receipt): Promise<number> {
    const file = async (name: string, value: object): Promise<string> => {
      await writeFile(join(folder, name), JSON.stringify(value));
      return join(folder, name);
    };
    const args = [await file("claim.json", claim), "--audit-bundle", await file("bundle.json", bundle)];
    return (await cmcp(["verify", ...args, "--receipt", await file("receipt.json", receipt), "--allow-software-only"]))
      .code;
  }
  const receiptAt = ({ receipts }: Session, at: number): Receipt => receipts[at] ?? assert.fail("the agent kept it");

  test("the customer's own tool accepts what is whole", async () => {
    assert.equal(receiptAt(first, 0).decision, "allow");
    assert.equal(await verified(first.claim, first.bundle, receiptAt(first, 0)), 0);
  });

  test("a session that is passed off for another is found by the receipt that the agent kept", async () => {
    assert.equal(await verified(second.claim, second.bundle, receiptAt(first, 1)), 10);
  });

  test("a call that is left out of the record is found by its receipt", async () => {
    const entries = first.bundle.entries.filter(({ call_id: call }) => call !== receiptAt(first, 1).call_id);
    assert.equal(await verified(first.claim, { ...first.bundle, entries }, receiptAt(first, 1)), 10);
  });

  test("a receipt that the operator wrote anew is found", async () => {
    const receipt = { ...receiptAt(first, 0), decision: "deny" as const };
    assert.equal(await verified(first.claim, first.bundle, receipt), 10);
  });

  test("what still passes: a session of which the customer kept nothing and was shown nothing", async () => {
    assert.equal(await verified(second.claim, second.bundle, receiptAt(second, 0)), 0, "the first is nowhere missed");
  });
});
