import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import type { EvidenceFile } from "@cmcp/appraise";
import type { AuditEntry } from "@cmcp/audit";
import { Checklist } from "../checklist.ts";
import type { Expectations } from "../expectations.ts";
import { Instance, relink } from "../testing/instance.ts";
import { claimOf, entriesOf, EXPECTED, OTHER_HASH } from "../testing/session.ts";
import { checkRootEntry } from "./root-entry.ts";

const instance = new Instance();
const entries = entriesOf(instance);
const [root, call] = entries as [AuditEntry, AuditEntry];
const claim = claimOf(instance, entries);
const PINNED = { launchDigest: OTHER_HASH.slice("sha256:".length) };

/** Whether the launch was compared, and every check by name and status. */
async function checked(entry: AuditEntry | null, expected: Partial<Expectations> = PINNED, of = claim) {
  const list = new Checklist();
  const file = { rootEntry: entry === null ? null : { ...entry } } as unknown as EvidenceFile;
  const compared = await checkRootEntry(
    { crypto: webcrypto, claim: of, expected: { ...EXPECTED, ...expected }, list },
    file,
  );
  return [compared, ...list.checks.map(({ name, status, code }) => `${name}: ${code ?? status}`)];
}

test("the launch is compared where the entry is the chain's root and a digest is expected", async () => {
  const of = "root entry in evidence";
  const launch = "launch digest in root entry";
  assert.deepEqual(await checked(root), [true, `${of}: passed`, `${launch}: passed`]);
  assert.deepEqual(await checked(root, { launchDigest: "0".repeat(64) }), [
    true,
    `${of}: passed`,
    `${launch}: EVIDENCE_LAUNCH_NOT_BOUND`,
  ]);
  assert.deepEqual(await checked(root, {}), [false, `${of}: passed`, `${launch}: not-performed`]);
  assert.deepEqual(await checked(null), [false, `${of}: not-performed`]);
  for (const other of [call, { ...root, call_id: "changed" }, { ...root, more: 1 }])
    assert.deepEqual(await checked(other), [false, `${of}: CHAIN_ROOT_NOT_BOUND`]);
  const [bare] = relink([{ ...root, detail: null }]) as [AuditEntry];
  assert.deepEqual(await checked(bare, PINNED, claimOf(instance, [bare])), [
    true,
    `${of}: passed`,
    `${launch}: EVIDENCE_LAUNCH_NOT_BOUND`,
  ]);
});
