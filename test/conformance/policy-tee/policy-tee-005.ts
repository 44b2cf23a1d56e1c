import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Receipt } from "@cmcp/audit/schema";
import { Agent } from "../../demo/agent.ts";
import { startRecordsServer } from "../../servers/records-server.ts";
import { closeSession, serveComposed, type SessionRecords } from "./composed-host.ts";
import { decisions } from "./decisions.ts";
import { deployRecords, TOKEN } from "./deployment.ts";
import { receiptOf } from "./receipts.ts";
import { relyingParty } from "./relying-party.ts";
import type { Target } from "./target.ts";

interface Bundle {
  readonly entries: readonly object[];
}

/** POLICY-TEE-005: the result is signed with the enclave's key. */
export function policyTee005(target: Target): void {
  test(`POLICY-TEE-005 (${target.name}): every decision has a receipt under the attested key, and what the host does to the record shows`, async (t) => {
    const place = await target.open(t);
    if (place === null) return;
    const folder = await mkdtemp(join(tmpdir(), "cmcp-tee5-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const records = await startRecordsServer();
    t.after(() => records.close());
    const host = await serveComposed(t, place, await deployRecords(join(folder, "deployment"), records, "tpm"));
    const [session, other] = [await decisions(host.mcp), await decisions(host.mcp)];
    const write = async (name: string, content: string): Promise<string> => {
      await writeFile(join(folder, name), content);
      return join(folder, name);
    };
    const receipts = session.outcomes.map(receiptOf);
    const kept = await Promise.all(
      receipts.map((receipt, index) => write(`receipt-${index}.json`, JSON.stringify(receipt))),
    );
    const openRecords = async (id: string): Promise<Pick<SessionRecords, "claim" | "evidence" | "bundle">> => ({
      claim: await write("open-claim.json", await host.request(`/sessions/${id}/trace-claim`)),
      evidence: await write("open-evidence.json", await host.request(`/sessions/${id}/evidence`)),
      bundle: await write("open-bundle.json", await host.request(`/audit/export?session_id=${id}`)),
    });
    const files = await closeSession(host, session.session, folder);
    const judge = await relyingParty(target, files, folder);
    const bundle = JSON.parse(await readFile(files.bundle, "utf8")) as Bundle;

    await t.test(
      "allowed, redacted and denied alike, under the key that the report binds; the session is closed",
      async () => {
        assert.deepEqual(
          receipts.map(({ decision }) => decision),
          ["allow", "redact", "deny"],
        );
        const { outcome, completeness, failed } = await judge({ receipts: kept });
        assert.deepEqual([outcome, completeness, failed], ["accepted", "closed session", []]);
      },
    );
    await t.test("a claim made while the session was open says so", async () => {
      const { outcome, completeness } = await judge(await openRecords(other.session));
      assert.deepEqual([outcome, completeness], ["accepted", "open prefix"]);
    });

    const rejected = async (change: Parameters<typeof judge>[0], expected: RegExp): Promise<void> => {
      const { outcome, failed } = await judge(change);
      assert.equal(outcome, "rejected");
      assert.match(failed.join("; "), expected);
    };
    const altered = (receipt: Receipt | undefined): string => JSON.stringify({ ...receipt, decision: "allow" });
    await t.test("an altered receipt, and one of another session", async () => {
      await rejected(
        { receipts: [await write("altered.json", altered(receipts[2]))] },
        /^receipt \d+ signature RECEIPT_INVALID$/,
      );
      await rejected(
        { receipts: [await write("others.json", JSON.stringify(other.outcomes.map(receiptOf)[0]))] },
        /^receipt \d+ RECEIPT_INVALID$/,
      );
    });
    await t.test("entries in another order, left out, or cut off", async () => {
      const [root, first, second, ...rest] = bundle.entries;
      const edited = async (name: string, entries: readonly (object | undefined)[]): Promise<string> =>
        await write(`${name}.json`, JSON.stringify({ ...bundle, entries }));
      for (const [name, entries] of [
        ["swapped", [root, second, first, ...rest]],
        ["left-out", [root, second, ...rest]],
        ["cut-off", bundle.entries.slice(0, -1)],
      ] as const) {
        await rejected({ bundle: await edited(name, entries) }, /^audit chain CHAIN_BROKEN$/);
      }
    });
    await t.test("an earlier claim in place of the later one, against a receipt that the agent kept", async () => {
      const agent = await Agent.connect(host.mcp, TOKEN, "sessions");
      const { session_id: id } = receiptOf(await agent.call("get_patient_record", { patient_id: "P-1001" }));
      const earlier = await openRecords(id);
      assert.equal((await judge(earlier)).outcome, "accepted");
      const later = receiptOf(await agent.call("send_message", { to: "a@example.org", text: "late" }));
      await agent.close();
      await rejected(
        { ...earlier, receipts: [await write("later.json", JSON.stringify(later))] },
        /^receipt \d+ CHAIN_BROKEN$/,
      );
    });
  });
}
