/**
 * A host with an interrupted session's export, a pinned key and no key of its own: whatever it makes of the entries, the
 * verdict is of those that the instance's receipts cover, or the export is rejected.
 */
import assert from "node:assert/strict";
import { randomUUID, webcrypto } from "node:crypto";
import { describe, test } from "node:test";
import { ENTRY_TYPES, type AuditEntry, type IncompleteSession } from "@cmcp/audit";
import { canonicalBytes } from "@cmcp/boundary";
import * as fc from "fast-check";
import { Instance, relink } from "./testing/instance.ts";
import { INNER_TYPES, interruptedSession } from "./testing/interrupted.ts";
import { failures } from "./testing/session.ts";
import type { Verdict } from "./verdict.ts";
import { verifyIncomplete } from "./verify-incomplete.ts";

const instance = new Instance();
const genuine = interruptedSession(instance);
const { entries, receipts } = genuine;
/** Entries up to the second call, which has the last receipt. */
const COVERED = entries.findLastIndex(({ entry_type: type }) => type === "tool_call") + 1;
const tail = entries.slice(COVERED);

const judge = async (session: IncompleteSession): Promise<Verdict> =>
  verifyIncomplete(
    { export: canonicalBytes(session) },
    { allowSoftwareOnly: true, trustedKey: instance.jwk.x },
    webcrypto,
  );

/** What a verdict says, but for how many entries at the end it leaves out, and which receipts it read. */
const content = ({ checks, ...rest }: Verdict): object => ({
  ...rest,
  checks: checks.filter(({ name }) => name !== "entries after the last receipt" && !/^receipt \d/.test(name)),
});

const expected = content(await judge(genuine));

/** Rejected, or the same verdict as that of the genuine export. */
async function changesNothing(session: IncompleteSession): Promise<void> {
  const verdict = await judge(session);
  if (verdict.outcome === "accepted") assert.deepEqual(content(verdict), expected);
}

async function isRejected(session: IncompleteSession): Promise<void> {
  const verdict = await judge(session);
  assert.equal(verdict.outcome, "rejected", JSON.stringify(failures(verdict)));
  assert.deepEqual([verdict.origin, verdict.conditions.mode], ["not proven", null]);
}

/** Entries of an export, each of the session that it then belongs to, and numbered, linked and hashed again. */
function withEntries(changed: readonly AuditEntry[]): IncompleteSession {
  let session = genuine.session_id;
  const renamed = changed.map((entry) => {
    const own = { ...entry, session_id: session };
    if (own.entry_type !== "session_reset") return own;
    const successor = String(own.detail?.["successor_session_id"] ?? randomUUID());
    own.detail = { ...own.detail, closed_session_id: session, successor_session_id: successor };
    session = successor;
    return own;
  });
  return { ...genuine, entries: relink(renamed) };
}

test("the genuine export is an open prefix of what receipts cover, though it ends with session_end", async () => {
  const verdict = await judge(genuine);
  assert.deepEqual(failures(verdict), []);
  assert.deepEqual(
    [verdict.outcome, verdict.origin, verdict.completeness, verdict.coveredEntries],
    ["accepted", "trusted key", "open prefix", COVERED],
  );
  const note = verdict.checks.find(({ name }) => name === "entries after the last receipt");
  assert.deepEqual([note?.status, note?.why.split(" ")[0]], ["not-performed", `${tail.length}`]);
});

describe("after the last receipt", () => {
  for (const type of ENTRY_TYPES) {
    const forged = { ...(entries[COVERED] as AuditEntry), entry_type: type, detail: null };

    test(`a forged ${type} is nobody's`, async () => {
      const session = withEntries([...entries.slice(0, COVERED), forged]);
      // A call without a receipt and a second beginning are no record that a gateway writes.
      if (type === "tool_call" || type === "session_start") await isRejected(session);
      else assert.deepEqual(content(await judge(session)), expected);
    });
  }

  for (const type of [...INNER_TYPES, "session_end"]) {
    const at = entries.findLastIndex(({ entry_type }) => entry_type === type);
    const own = entries[at] as AuditEntry;

    test(`a ${type} altered or removed changes nothing`, async () => {
      const changed = { ...own, policy_decision: "advisory_deny" as const, detail: { questions_advisory_deny: 7 } };
      assert.deepEqual(content(await judge(withEntries(entries.with(at, changed)))), expected);
      assert.deepEqual(content(await judge(withEntries(entries.toSpliced(at, 1)))), expected);
    });
  }

  test("any order of the entries changes nothing", async () => {
    const last = tail.at(-1) as AuditEntry;
    const shuffled = fc.shuffledSubarray(tail.slice(0, -1));
    await fc.assert(
      fc.asyncProperty(shuffled, async (some) => {
        const inOrder = some.map((entry) => ({ ...entry, timestamp_utc: last.timestamp_utc }));
        const verdict = await judge(withEntries([...entries.slice(0, COVERED), ...inOrder]));
        assert.deepEqual(content(verdict), expected);
      }),
      { numRuns: 30 },
    );
  });
});

describe("before the last receipt", () => {
  for (const type of ["session_start", "tool_call", ...INNER_TYPES]) {
    const at = entries.findIndex(({ entry_type }) => entry_type === type);
    const own = entries[at] as AuditEntry;

    test(`a ${type} altered, removed, moved or put in twice is rejected`, async () => {
      await isRejected(withEntries(entries.with(at, { ...own, workflow_id: "another" })));
      await isRejected(withEntries(entries.toSpliced(at, 1)));
      await isRejected(withEntries(entries.toSpliced(at, 2, entries[at + 1] as AuditEntry, own)));
      await isRejected(withEntries(entries.toSpliced(at, 0, own)));
    });
  }
});

test("a reset that receipts cover carries its operator's signature, or the export is rejected", async () => {
  const at = entries.findIndex(({ entry_type: type }) => type === "session_reset");
  const own = entries[at] as AuditEntry;
  // The instance itself has to have signed it: a host cannot.
  const changed = relink(entries.with(at, { ...own, detail: { ...own.detail, reason: "another" } }));
  const verdict = await judge({ ...genuine, entries: changed, receipts: instance.receiptsOf(changed) });
  assert.deepEqual(failures(verdict), ["operator resets SIGNATURE_INVALID"]);
});

test("entries that are no chain are covered by nothing, whatever receipts stand among them", async () => {
  const verdict = await judge({
    ...genuine,
    entries: entries.with(COVERED, { ...(entries[COVERED] as AuditEntry), latency_us: 7 }),
  });
  assert.deepEqual(failures(verdict), ["audit chain CHAIN_BROKEN"]);
  assert.deepEqual([verdict.completeness, verdict.session, verdict.signingKey], ["unknown", null, null]);
});

test("receipts in any order, or with any of them left out, altered or given twice, change nothing or reject", async () => {
  const some = fc.array(fc.nat(receipts.length - 1), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(some, fc.boolean(), async (picked, altering) => {
      const chosen = picked.flatMap((at) => receipts[at] ?? []);
      await changesNothing({
        ...genuine,
        receipts: altering ? chosen.map((one) => ({ ...one, decision: "deny" as const })) : chosen,
      });
    }),
    { numRuns: 60 },
  );
  assert.deepEqual(content(await judge({ ...genuine, receipts: receipts.toReversed() })), expected);
});

test("any bytes of the export overwritten, put in or cut out change nothing or are not accepted", async () => {
  const file = canonicalBytes(genuine);
  const edit = fc.record({ at: fc.nat(file.length - 1), cut: fc.nat(3), put: fc.uint8Array({ maxLength: 3 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
      const bytes = [...file];
      for (const { at, cut, put } of edits) bytes.splice(at, cut, ...put);
      const verdict = await verifyIncomplete(
        { export: Uint8Array.from(bytes) },
        { allowSoftwareOnly: true, trustedKey: instance.jwk.x },
        webcrypto,
      );
      if (verdict.outcome === "accepted") assert.deepEqual(content(verdict), expected);
    }),
    { numRuns: 400 },
  );
});
