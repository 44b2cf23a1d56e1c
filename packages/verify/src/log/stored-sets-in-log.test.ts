/** A set that a storage key brought back, held to the provisionings of an exported log. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import type { AuditEntry, ProvisionFacts } from "@cmcp/audit";
import { canonicalBytes } from "@cmcp/boundary";
import { relink } from "../testing/instance.ts";
import { backOf, GIVEN, provisionHashOf, UNSTORED, without } from "../testing/provisionings.ts";
import { claimOf, entriesOf, EXPECTED, failures } from "../testing/session.ts";
import { claimStatement, entryStatement, WrittenLog } from "../testing/written-log.ts";
import type { Verdict } from "../verdict.ts";
import { verifyClaim } from "../verify-claim.ts";
import type { LogFiles } from "./shown-log.ts";

/** A log of provisionings and a session whose first entry names the one in force, as a relying party verifies it. */
async function judged(
  provisionings: readonly ProvisionFacts[],
  inForce: ProvisionFacts,
  shown: (files: LogFiles, log: WrittenLog) => LogFiles | undefined = (files) => files,
): Promise<Verdict> {
  const log = new WrittenLog();
  await log.begin();
  // The provisionings are in an earlier bundle of leaves than the session.
  for (const body of provisionings) await log.append({ kind: "provision", body });
  for (let at = 0; at < 32; at += 1) await log.session();
  const [start, ...rest] = entriesOf(log.instance) as [AuditEntry, ...AuditEntry[]];
  const detail = {
    ...start.detail,
    provision_sequence: inForce.sequence,
    provision_hash: provisionHashOf(inForce),
    provisioning: "signed",
    storage: "operator-readable",
    restored_from: inForce.restored_from ?? "",
  };
  const entries = relink([{ ...start, detail }, ...rest]);
  const claim = claimOf(log.instance, entries);
  await log.append(...entries.map(entryStatement), claimStatement(claim, entries));
  const files = shown(log.files(), log);
  const record = { claim: canonicalBytes(claim), bundle: canonicalBytes(log.instance.bundle(entries)) };
  return await verifyClaim(files === undefined ? record : { ...record, log: files }, EXPECTED, webcrypto);
}

const saidOf = ({ checks }: Verdict): string[] =>
  checks.flatMap(({ name, status }) => (name.startsWith("stored set") ? [`${name} ${status}`] : []));

test("the log has the earlier provisioning that gave the set; without a log that is not shown", async () => {
  const back = backOf(GIVEN);
  const verdict = await judged([GIVEN, back], back);
  assert.deepEqual(
    [failures(verdict), verdict.outcome, saidOf(verdict)],
    [[], "accepted", ["stored set in log passed"]],
  );
  assert.deepEqual(verdict.conditions.restoredFrom, [provisionHashOf(GIVEN)]);
  assert.match(verdict.checks.find(({ name }) => name === "stored set in log")?.why ?? "", /record 1 gave it/);
  const again = backOf(back, { sequence: 3, restored_from: provisionHashOf(GIVEN) });
  assert.deepEqual(saidOf(await judged([GIVEN, back, again], again)), ["stored set in log passed"]);
  const alone = await judged([GIVEN, back], back, () => undefined);
  assert.deepEqual([alone.outcome, saidOf(alone)], ["accepted", ["stored set not-performed"]]);
});

test("an export without the body says where it is, and not who signed it", async () => {
  const back = backOf(GIVEN);
  const verdict = await judged([GIVEN, back], back, (files, { records }) => ({
    ...files,
    readBodies: async function* (tile) {
      let index = tile.index * 256;
      for await (const body of files.readBodies(tile))
        yield records[index++]?.kind === "provision" ? new Uint8Array() : body;
    },
  }));
  assert.deepEqual([verdict.outcome, saidOf(verdict)], ["accepted", ["stored set in log not-performed"]]);
});

test("a set that no earlier signed provisioning of the log gave is rejected", async () => {
  const unsigned = without(GIVEN, "statement");
  const [back, restored] = [backOf(GIVEN), backOf(GIVEN)];
  const third = backOf(restored, { sequence: 3 });
  const other = backOf(GIVEN, { credentials: [] });
  const others = backOf(GIVEN, { principals: [] });
  for (const [why, provisionings, inForce] of [
    ["none gave it", [back], back],
    ["it was given later", [back, GIVEN], back],
    ["the record that brought it back is not in the log", [GIVEN], back],
    ["nobody signed it", [unsigned, backOf(unsigned)], backOf(unsigned)],
    ["none was stored", [UNSTORED, backOf(UNSTORED)], backOf(UNSTORED)],
    ["it was itself brought back", [GIVEN, restored, third], third],
    ["it names other credentials", [GIVEN, other], other],
    ["it names other tokens", [GIVEN, others], others],
  ] as const) {
    const verdict = await judged(provisionings, inForce);
    assert.deepEqual([failures(verdict), verdict.outcome], [["stored set in log LOG_MISMATCH"], "rejected"], why);
  }
});

test("leaves that the tree does not have are not taken for it", async () => {
  const back = backOf(GIVEN);
  for (const [kept, forged, place] of [
    [back, GIVEN, 0],
    [GIVEN, back, 2],
  ] as const) {
    const other = new WrittenLog();
    await other.begin();
    await other.append({ kind: "provision", body: forged });
    const leaf = other.records[1]?.header ?? assert.fail();
    // The host shows the leaf of a provisioning in place of another one of the log.
    const verdict = await judged([kept], back, (files) => ({
      ...files,
      readEntries: async (tile) =>
        (await files.readEntries(tile)).map((own, at) => (tile.index === 0 && at === place ? leaf : own)),
    }));
    assert.ok(failures(verdict).includes("stored set in log LOG_MISMATCH"), failures(verdict).join());
  }
});
