import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { parseAttestationKey, readEvidenceFile, sha256Hex } from "@cmcp/appraise";
import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { untrusted } from "@cmcp/boundary";
import type { Claim } from "@cmcp/claim/schema";
import { SqliteStore, type StoredRecord } from "@cmcp/host-proxy";
import { Agent } from "../../demo/agent.ts";
import { startRecordsServer } from "../../servers/records-server.ts";
import { closeSession, serveComposed } from "./composed-host.ts";
import { decisions } from "./decisions.ts";
import { deployRecords, TOKEN } from "./deployment.ts";
import { receiptOf } from "./receipts.ts";
import { relyingParty } from "./relying-party.ts";
import type { Target } from "./target.ts";
import { verifiedIncomplete } from "./verifying.ts";

/** POLICY-TEE-005, forks: an instance that is kept alive beside one that was fed its record. Two enclaves run at one time. */
export function policyTee005Fork(target: Target): void {
  test(`POLICY-TEE-005 (${target.name}): of two instances fed the same record, who holds a claim or receipt of one detects the other`, async (t) => {
    const [place, beside] = [await target.open(t), await target.open(t)];
    if (place === null || beside === null) return;
    const folder = await mkdtemp(join(tmpdir(), "cmcp-tee5-fork-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const records = await startRecordsServer();
    t.after(() => records.close());
    const config = await deployRecords(join(folder, "deployment"), records, "tpm");
    const record = new SqliteStore(null, { durable: false });
    t.after(() => record.close());
    const write = async (name: string, content: string): Promise<string> => {
      await writeFile(join(folder, name), content);
      return join(folder, name);
    };

    const kept = await serveComposed(t, place, config, { record });
    const agent = await Agent.connect(kept.mcp, TOKEN, "sessions");
    const early = receiptOf(await agent.call("get_patient_record", { patient_id: "P-1001" }));
    const id = early.session_id;
    const held = await write("held.json", await kept.request(`/sessions/${id}/trace-claim`));
    // On one store the second would end the first.
    const copy = await copyOf(record);
    t.after(() => copy.close());
    // It runs beside the first, on another TPM.
    const first = await attestationKeyOf(await kept.request(`/sessions/${id}/evidence`));
    const fork = await serveComposed(t, beside, await successor(config, kept.document, first), { record: copy });
    const exported = await write("exported.json", await fork.request(`/audit/export?session_id=${id}`));
    const late = receiptOf(await agent.call("get_patient_record", { patient_id: "P-1001" }));
    await agent.close();
    const [earlyFile, lateFile] = [
      await write("early.json", JSON.stringify(early)),
      await write("late.json", JSON.stringify(late)),
    ];

    await t.test("the second instance lets nobody begin again: what was seen before counts", async () => {
      assert.deepEqual((await decisions(fork.mcp)).decided, [false, true, false]);
    });
    await t.test("what it says of the other's session is a beginning, and a later receipt shows the rest", async () => {
      assert.deepEqual((await verifiedIncomplete(exported, [earlyFile])).failed, []);
      const { outcome, failed } = await verifiedIncomplete(exported, [earlyFile, lateFile]);
      assert.deepEqual([outcome, failed], ["rejected", [`receipt ${late.sequence_number} CHAIN_BROKEN`]]);
    });
    await t.test(
      "its own record is complete in itself, and contradicts the claim and the receipts that were kept",
      async () => {
        const { session } = await decisions(fork.mcp);
        await mkdir(join(folder, "fork"));
        const files = await closeSession(fork, session, join(folder, "fork"));
        const judge = await relyingParty(target, files, join(folder, "fork"));
        assert.deepEqual((await judge()).failed, []);
        const { sequence_number: number } = (JSON.parse(await kept.request(`/sessions/${id}/trace-claim`)) as Claim)
          .gateway;
        assert.equal(number, 2);
        assert.deepEqual((await judge({ heldClaims: [held] })).failed, ["held claim 1 CHAIN_BROKEN"]);
        assert.deepEqual((await judge({ receipts: [earlyFile] })).failed, [
          `receipt ${early.sequence_number} signature RECEIPT_INVALID`,
        ]);
      },
    );
    await t.test("the first instance's record goes on from the claim and the receipts that were kept", async () => {
      await mkdir(join(folder, "kept"));
      const files = await closeSession(kept, id, join(folder, "kept"));
      const judge = await relyingParty(target, files, join(folder, "kept"));
      const { outcome, failed, checks } = await judge({ heldClaims: [held], receipts: [earlyFile, lateFile] });
      assert.deepEqual([outcome, failed], ["accepted", []]);
      assert.equal(checks.find(({ name }) => name === "held claim 1 in the chain")?.status, "passed");
    });
  });
}

/** The same log in a store of its own. */
async function copyOf(record: SqliteStore): Promise<SqliteStore> {
  const copy = new SqliteStore(null, { durable: false });
  const records: StoredRecord[] = [];
  for await (const piece of record.scan({})) records.push(...piece);
  await copy.append({ first: 0, note: (await record.head())?.note ?? "", records });
  return copy;
}

/** SHA-256 of the TPM key that quoted the evidence of a session, hex. */
async function attestationKeyOf(evidence: string): Promise<string> {
  const { parts } = readEvidenceFile(untrusted(new TextEncoder().encode(evidence)));
  if (parts.provider !== "tpm") throw new Error(`the evidence is of ${parts.provider}`);
  return await sha256Hex(nodeCrypto, parseAttestationKey(parts.tpm.attestationKey).key.spki);
}

/** The same deployment, with a configuration that believes what one launch on that TPM wrote. */
async function successor(config: string, document: Uint8Array, key: string): Promise<string> {
  const path = join(dirname(config), "successor.yaml");
  const log = {
    predecessors: [{ launch_digest: `sha256:${hash("sha256", document)}` }],
    appraisal: { tpm: { attestation_key_sha256: [key] } },
  };
  await writeFile(path, `${await readFile(config, "utf8")}log: ${JSON.stringify(log)}\n`);
  return path;
}
